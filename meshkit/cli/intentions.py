"""``meshkit intentions``: who may talk to whom."""

from __future__ import annotations

from typing import Annotated

import typer

from meshkit.cli import console
from meshkit.cli.options import Contexts, FederationName, Namespace, Output

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def intentions(
    *,
    remove: Annotated[
        tuple[str, str] | None, typer.Option(metavar="SRC DST", help="Take this intention away instead of listing.")
    ] = None,
    federation: FederationName = "",
    context: Contexts = None,
    namespace: Namespace = "",
    output: Output = "table",
) -> None:
    """List who may talk to whom, in the order in which Consul decides.

    \b
    Examples:
      meshkit intentions
      meshkit intentions --remove web api
    """
    from meshkit.cli import known
    from meshkit.federation import segmentation

    with known.opened(federation, context or (), namespace) as opened:
        if remove:
            was_there = segmentation.remove(opened, *map(segmentation.check_service, remove))
            typer.echo("removed" if was_there else "there was no such intention")
            return
        found = segmentation.listed(opened)
    if output == "json":
        console.print_json([{"source": i.source, "destination": i.destination, "action": i.action} for i in found])
    else:
        console.print_table(("source", "destination", "action"), [(i.source, i.destination, i.action) for i in found])
