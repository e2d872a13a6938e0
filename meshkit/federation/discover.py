"""The federation as its clusters describe it, for a machine that did not make it.

Each cluster has a marker that says which datacenter it is and how the federation is laid out. Contexts are this
machine's own names for clusters, so they are given and matched here. Helm values are not in the marker, since they
may hold what is not everyone's to read; nothing that needs them works from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from meshkit.backends.base import Kube
from meshkit.errors import MeshkitError, UsageError
from meshkit.federation import facts
from meshkit.model import Federation


def discover(kube: Mapping[str, Kube], namespace: str) -> Federation:
    """The federation of the given contexts, which must be all of its datacenters."""
    markers = {}
    for context, client in kube.items():
        marker = facts.read_marker(client, namespace)
        if marker is None:
            raise MeshkitError(
                f"{context}: the cluster is in no federation (namespace {namespace})",
                hint="meshkit federate, or --namespace if it is another",
            )
        markers[context] = marker
    if len({marker.federation_id for marker in markers.values()}) > 1:
        named = ", ".join(f"{context} in {marker.federation}" for context, marker in markers.items())
        raise UsageError(f"these clusters are in different federations: {named}", hint="name those of one")
    first = next(iter(markers.values()))
    by_name = {marker.datacenter: context for context, marker in markers.items()}
    missing = [dc.name for dc in first.layout if dc.name not in by_name]
    if missing:
        raise UsageError(
            f"the federation {first.federation} has more datacenters: {', '.join(missing)}",
            hint="name their contexts too",
        )
    return Federation(first.federation, tuple(replace(dc, context=by_name[dc.name]) for dc in first.layout))
