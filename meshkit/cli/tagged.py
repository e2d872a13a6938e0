"""Clusters chosen by tags, for commands that take clusters."""

from __future__ import annotations

from collections.abc import Sequence

from meshkit.cli import console
from meshkit.cli.discover import TIMEOUT_S, taken
from meshkit.config import tags
from meshkit.errors import UsageError
from meshkit.federation import inventory


def clusters(selectors: Sequence[str], namespace: str, federation: str) -> list[str]:
    """Contexts of the clusters with these tags, in the order of the kubeconfigs.

    A cluster that does not answer and has its tags in no file is told and left out: it may not be meant. MeshkitError
    when one that is meant can't join ``federation``.
    """
    wanted = tags.wanted(selectors)
    found = taken(selectors, namespace, TIMEOUT_S)
    chosen = [each for each in found if tags.fits(each.tags, wanted)]
    for each in found:
        if each not in chosen:
            console.say(f"{each.context}: left out, since its tags are not known: {each.error}")
    if not chosen:
        raise UsageError(
            f"no cluster has the tags {', '.join(selectors)}", hint="meshkit discover shows the tags of each"
        )
    inventory.require_joinable(chosen, federation)
    return [each.context for each in chosen]
