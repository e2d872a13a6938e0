"""``meshkit destroy``: the end of a federation, with nothing left behind."""

from __future__ import annotations

from typing import Annotated

import typer

from meshkit.cli import completion
from meshkit.cli.options import Clusters, FederationName, Namespace, Yes, confirm

app = typer.Typer(add_completion=False, rich_markup_mode=None)
TIMEOUT_S = 300.0


@app.command()
def destroy(
    clusters: Clusters = None,
    *,
    lost: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A datacenter whose cluster is gone for good, or not the federation's: it is not touched; repeat it.",
            autocompletion=completion.datacenters,
        ),
    ] = None,
    yes: Yes = False,
    federation: FederationName = "",
    namespace: Namespace = "",
) -> None:
    """Remove Consul, its volumes and every secret from all clusters, and the CA from this machine.

    With the official chart all of Consul's custom resources go first, your own too; those are named before.
    With contexts it works without the state directory too, for a federation whose state was lost. What a cluster
    named by --lost holds stays there. A Consul that meshkit neither installed nor adopted is refused.

    \b
    Examples:
      meshkit destroy
      meshkit destroy aks eks --yes
      meshkit destroy --lost gke
    """
    from meshkit.cli import known
    from meshkit.federation import lock, teardown, uninstall

    # By contexts a lost cluster has none, so that what is found may be less than the whole federation.
    partial = bool(clusters and lost)
    with known.opened(federation, clusters or (), namespace, timeout_s=TIMEOUT_S, partial=partial) as context:
        shown = context.state.identity()
        described = shown.federation if shown else context.federation
        removed = teardown.without_lost(context.federation, lost or (), described)
        names = ", ".join(dc.name for dc in removed) or "this machine alone"
        uninstall.announce(context, removed)
        confirm(f"remove federation {context.federation.name} with all its data from {names}?", yes=yes)
        with lock.held(context.state, shown):
            teardown.destroy(context, removed)
    typer.echo(f"federation {context.federation.name} is gone")
