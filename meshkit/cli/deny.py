"""``meshkit deny``: one intention, in force in every datacenter when the command ends."""

from __future__ import annotations

import typer

from meshkit.cli.options import Contexts, Destination, FederationName, Namespace, Source

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def deny(
    source: Source,
    destination: Destination,
    *,
    federation: FederationName = "",
    context: Contexts = None,
    namespace: Namespace = "",
) -> None:
    """Forbid one service to open connections to another, wherever in the federation either runs.

    Intentions decide when a connection is made; connections that exist stay as they are.

    \b
    Examples:
      meshkit deny web api
      meshkit deny '*' api
      meshkit deny web api --context aks --context eks
    """
    from meshkit.cli import intention, known

    intention.write(known.opened(federation, context or (), namespace), source, destination, "deny")
