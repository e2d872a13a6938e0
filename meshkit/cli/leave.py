"""``meshkit leave``: a datacenter goes, the others stay one mesh."""

from __future__ import annotations

from typing import Annotated

import typer

from meshkit.cli import completion
from meshkit.cli.options import FederationName, Yes, confirm

app = typer.Typer(add_completion=False, rich_markup_mode=None)
TIMEOUT_S = 300.0


@app.command()
def leave(
    datacenter: Annotated[str, typer.Argument(help="Its name.", autocompletion=completion.datacenters)],
    *,
    lost: Annotated[
        bool, typer.Option("--lost", help="The cluster is gone for good: only make the others forget it.")
    ] = False,
    yes: Yes = False,
    federation: FederationName = "",
) -> None:
    """Take a datacenter out of the federation: remove Consul and its data from the cluster, tell the others.

    \b
    Examples:
      meshkit leave eks
      meshkit leave eks --lost --yes
    """
    from meshkit.cli import known
    from meshkit.federation import departure

    with known.opened(federation, (), timeout_s=TIMEOUT_S) as context:
        going = departure.find(context.federation, datacenter)
        what = "forget it in the others" if lost else f"remove Consul, its volumes and secrets from {going.context}"
        confirm(f"take {going.name} out of federation {context.federation.name} and {what}?", yes=yes)
        with context.state.locked():
            departure.leave(context, going, lost=lost)
    typer.echo(f"{going.name} has left the federation {context.federation.name}")
