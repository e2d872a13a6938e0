"""What ``allow`` and ``deny`` have in common."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from meshkit.cli import known
from meshkit.consul.config_entries import Action, Intention
from meshkit.federation import segmentation

WORDS = {"allow": "may", "deny": "may not"}


def write(federation: str, contexts: Sequence[str], source: str, destination: str, action: Action) -> None:
    """Check the names, write, and say what holds now."""
    wanted = Intention(segmentation.check_service(source), segmentation.check_service(destination), action)
    with known.opened(federation, contexts) as context:
        changed = segmentation.write(context, wanted)
    typer.echo(f"{source} {WORDS[action]} talk to {destination}{'' if changed else ' (as before)'}")
