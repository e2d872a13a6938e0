"""``meshkit destroy``: the end of a federation, with nothing left behind."""

from __future__ import annotations

from typing import Annotated

import typer

from meshkit.cli.options import Clusters, FederationName, Yes, confirm

app = typer.Typer(add_completion=False, rich_markup_mode=None)
TIMEOUT_S = 300.0


@app.command()
def destroy(
    clusters: Clusters = None,
    *,
    yes: Yes = False,
    federation: FederationName = "",
    namespace: Annotated[str, typer.Option(help="Namespace of the federation, with contexts; consul.")] = "",
) -> None:
    """Remove Consul, its volumes and every secret from all clusters, and the CA from this machine.

    With contexts it works without the state directory too, for a federation whose state was lost.

    \b
    Examples:
      meshkit destroy
      meshkit destroy aks eks --yes
    """
    from meshkit.cli import known
    from meshkit.federation import teardown

    with known.opened(federation, clusters or (), namespace, timeout_s=TIMEOUT_S) as context:
        names = ", ".join(dc.name for dc in context.federation.datacenters)
        confirm(f"remove federation {context.federation.name} with all its data from {names}?", yes=yes)
        with context.state.locked():
            teardown.remove_datacenters(context, context.federation.datacenters)
            context.state.remove()
    typer.echo(f"federation {context.federation.name} is gone")
