"""``meshkit leave``: datacenters go, the others stay one mesh."""

from __future__ import annotations

from typing import Annotated

import typer

from meshkit.cli import completion
from meshkit.cli.options import FederationName, Yes, confirm

app = typer.Typer(add_completion=False, rich_markup_mode=None)
TIMEOUT_S = 300.0


@app.command()
def leave(
    datacenters: Annotated[
        list[str], typer.Argument(metavar="NAME", help="Datacenters.", autocompletion=completion.datacenters)
    ],
    *,
    lost: Annotated[
        bool,
        typer.Option(
            "--lost", help="Their clusters are gone, or not the federation's: only make the others forget them."
        ),
    ] = False,
    yes: Yes = False,
    federation: FederationName = "",
) -> None:
    """Take datacenters out of the federation: remove Consul and its data from their clusters, tell the others.

    Clusters that are lost at the same time must be named together: none of them can be told of the other.

    \b
    Examples:
      meshkit leave eks
      meshkit leave eks --lost --yes
      meshkit leave gke doks --lost
    """
    from meshkit.cli import known
    from meshkit.federation import departure, lock, uninstall

    with known.opened(federation, (), timeout_s=TIMEOUT_S) as context:
        shown = context.state.identity()
        leaving = departure.find(context.federation, datacenters, context.state)
        names, clusters = ", ".join(leaving.names), ", ".join(dc.context for dc in leaving.going)
        what = f"remove Consul, its volumes and secrets from {clusters}" if clusters else "finish what was begun"
        what = "make the others forget it" if lost else what
        if not lost:
            uninstall.announce(context, leaving.going)
        confirm(f"take {names} out of federation {context.federation.name} and {what}?", yes=yes)
        with lock.held(context.state, shown):
            departure.leave(context, leaving, lost=lost)
    have = "has" if len(leaving.names) == 1 else "have"
    typer.echo(f"{names} {have} left the federation {context.federation.name}")
