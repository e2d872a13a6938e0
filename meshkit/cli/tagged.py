"""Clusters chosen by tags, for commands that take clusters."""

from __future__ import annotations

from collections.abc import Sequence

from meshkit.cli import console
from meshkit.cli.discover import TIMEOUT_S, taken
from meshkit.config import tags
from meshkit.errors import UsageError
from meshkit.federation import inventory
from meshkit.federation.state import State


def clusters(selectors: Sequence[str], namespace: str, federation: str) -> list[str]:
    """Contexts of the clusters with these tags, in the order of the kubeconfigs.

    A cluster that does not answer and has its tags in no file is told and left out: it may not be meant; so is a second
    context of a cluster. MeshkitError when one that is meant can't join ``federation``.
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
    identity = State(federation).identity()
    same = inventory.doubles(chosen, [dc.context for dc in identity.federation.datacenters] if identity else ())
    for context, kept in same.items():
        console.say(f"{context}: left out, since it is the same cluster as {kept}")
    chosen = [each for each in chosen if each.context not in same]
    inventory.require_joinable(chosen, federation)
    return [each.context for each in chosen]
