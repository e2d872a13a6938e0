"""The federation as its clusters describe it, for a machine that did not make it.

Each cluster has a marker that says which datacenter it is and how the federation is laid out. Contexts are this
machine's own names for clusters, so they are given and matched here. Helm values are not in the marker, since they
may hold what is not everyone's to read; nothing that needs them works from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from meshkit.backends.base import Kube
from meshkit.errors import MeshkitError, UnreachableError, UsageError
from meshkit.federation import facts
from meshkit.federation.facts import Marker
from meshkit.federation.state import Identity
from meshkit.model import Federation

Markers = dict[str, Marker]


def discover(kube: Mapping[str, Kube], namespace: str, *, partial: bool = False) -> Identity:
    """The federation that the given contexts are in: all of its datacenters.

    One cluster may be unreachable: it is the datacenter that no other context is. With ``partial`` (to remove what is
    left of a federation) contexts without a marker are done with, and datacenters that were not named stay out.
    """
    markers, away = _markers(kube, namespace)
    unmarked = [context for context in kube if context not in markers and context not in away]
    if not markers or (unmarked and not partial):
        raise next(iter(away.values()), None) or _in_none(unmarked, namespace)
    if len({marker.federation_id for marker in markers.values()}) > 1:
        named = ", ".join(f"{context} in {marker.federation}" for context, marker in markers.items())
        raise UsageError(f"these clusters are in different federations: {named}", hint="name those of one")
    first = next(iter(markers.values()))
    contexts = {marker.datacenter: context for context, marker in markers.items()}
    missing = [dc.name for dc in first.layout if dc.name not in contexts]
    if len(missing) == len(away) == 1:
        contexts[missing.pop()] = next(iter(away))
    if missing and not partial:
        raise next(iter(away.values()), None) or UsageError(
            f"the federation {first.federation} has more datacenters: {', '.join(missing)}",
            hint="name their contexts too",
        )
    layout = tuple(replace(dc, context=contexts[dc.name]) for dc in first.layout if dc.name in contexts)
    found = Federation(first.federation, layout, first.chart, chart_version=first.chart_version, gitops=first.gitops)
    return Identity(first.federation_id, found)


def _markers(kube: Mapping[str, Kube], namespace: str) -> tuple[Markers, dict[str, MeshkitError]]:
    """Markers by context, and why a cluster did not answer. Others may live in namespaces that a marker names."""
    markers: Markers = {}
    away: dict[str, MeshkitError] = {}
    namespaces = [namespace]
    for place in namespaces:
        for context, client in kube.items():
            if context in markers or context in away:
                continue
            try:
                marker = facts.read_marker(client, place)
            except UnreachableError as error:
                away[context] = error
                continue
            if marker:
                markers[context] = marker
                namespaces += [dc.namespace for dc in marker.layout if dc.namespace not in namespaces]
    return markers, away


def _in_none(contexts: list[str], namespace: str) -> MeshkitError:
    return MeshkitError(
        f"{', '.join(contexts)}: in no federation (namespace {namespace})",
        hint="meshkit federate, or --namespace if it is another",
    )
