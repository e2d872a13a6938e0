"""What ``allow`` and ``deny`` have in common."""

from __future__ import annotations

from contextlib import AbstractContextManager

import typer

from meshkit.consul.config_entries import Action, Intention
from meshkit.federation import segmentation
from meshkit.federation.context import Context

WORDS = {"allow": "may", "deny": "may not"}


def write(opening: AbstractContextManager[Context], source: str, destination: str, action: Action) -> None:
    """Check the names, only then open the federation and write, and say what holds now."""
    wanted = Intention(segmentation.check_service(source), segmentation.check_service(destination), action)
    with opening as context:
        changed = segmentation.write(context, wanted)
    typer.echo(f"{source} {WORDS[action]} talk to {destination}{'' if changed else ' (as before)'}")
