"""``meshkit deny``: one intention, in force in every datacenter when the command ends."""

from __future__ import annotations

import typer

from meshkit.cli.options import Destination, FederationName, Source

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def deny(source: Source, destination: Destination, *, federation: FederationName = "") -> None:
    """Forbid one service to open connections to another, wherever in the federation either runs.

    Intentions decide when a connection is made; connections that exist stay as they are.

    \b
    Examples:
      meshkit deny web api
      meshkit deny '*' api
    """
    from meshkit.cli import intention

    intention.write(federation, source, destination, "deny")
