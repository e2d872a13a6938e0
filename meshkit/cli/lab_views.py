"""The lab's clusters and links as table rows and as a JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meshkit.lab.lab import ClusterStatus
from meshkit.lab.wan import Link

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
Links = Mapping[tuple[str, str], Link]


def cluster_table(clusters: Sequence[ClusterStatus]) -> Table:
    """Columns and rows, one row per cluster."""
    rows = [(c.name, c.address, _state(c), str(c.processes), str(c.logs)) for c in clusters]
    return ("cluster", "address", "state", "processes", "logs"), rows


def link_table(links: Links) -> Table:
    """Columns and rows, one row per direction."""
    rows = [
        (a, b, "cut" if way.cut else "open", _ms(way.delay_s), _ms(way.jitter_s), f"{way.loss * 100:g}%", str(way.mtu))
        for (a, b), way in sorted(links.items())
    ]
    return ("from", "to", "state", "delay", "jitter", "loss", "mtu"), rows


def document(clusters: Sequence[ClusterStatus], links: Links) -> dict[str, list[dict[str, Any]]]:
    """The same for programs: seconds, fractions and bytes."""
    return {
        "clusters": [
            {"name": c.name, "address": c.address, "ready": c.ready, "processes": c.processes, "logs": str(c.logs)}
            for c in clusters
        ],
        "links": [
            {
                "from": a,
                "to": b,
                "delay_s": way.delay_s,
                "jitter_s": way.jitter_s,
                "loss": way.loss,
                "mtu": way.mtu,
                "cut": way.cut,
            }
            for (a, b), way in sorted(links.items())
        ],
    }


def _state(cluster: ClusterStatus) -> str:
    return "ready" if cluster.ready else "not ready"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:g} ms"
