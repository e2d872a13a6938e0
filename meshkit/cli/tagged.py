"""Clusters chosen by tags, for commands that take clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from meshkit.cli import console
from meshkit.cli.discover import TIMEOUT_S, taken
from meshkit.config import consul_chart, tags
from meshkit.errors import UsageError
from meshkit.federation import inventory
from meshkit.federation.state import State


def clusters(selectors: Sequence[str], namespace: str, federation: str, about_chart: Mapping[str, str]) -> list[str]:
    """Contexts of the clusters with these tags, in the order of the kubeconfigs; ``about_chart`` as in mesh.yaml.

    A cluster that does not answer and has its tags in no file is told and left out: it may not be meant; so is a second
    context of a cluster. MeshkitError when one that is meant can't join ``federation``.
    """
    wanted = tags.wanted(selectors)
    identity = State(federation).identity()
    members = identity.federation.datacenters if identity else ()
    chart = identity.federation.chart if identity else _chosen(about_chart)
    found = taken(selectors, namespace, TIMEOUT_S, chart)
    chosen = [each for each in found if tags.fits(each.tags, wanted)]
    for each in found:
        if each not in chosen:
            console.say(f"{each.context}: left out, since its tags are not known: {each.error}")
    if not chosen:
        raise UsageError(
            f"no cluster has the tags {', '.join(selectors)}", hint="meshkit discover shows the tags of each"
        )
    same = inventory.doubles(chosen, [dc.context for dc in members])
    for context, kept in same.items():
        console.say(f"{context}: left out, since it is the same cluster as {kept}")
    chosen = [each for each in chosen if each.context not in same]
    inventory.require_joinable(chosen, federation)
    return [each.context for each in chosen]


def _chosen(about_chart: Mapping[str, str]) -> str:
    """The kind of chart, empty for no choice and for one that is refused later, with all else that is wrong."""
    here = Path.cwd()
    return "" if any(consul_chart.problems(about_chart, here)) else consul_chart.chosen(about_chart, here).kind
