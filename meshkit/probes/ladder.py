"""The ladder from one datacenter to another: each rung is a probe that needs one thing more than the one below.

So the first rung that fails names what is broken, and the difference between two is what the upper one costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshkit.probes.probe import Series
from meshkit.probes.summary import Summary

NETWORK, GATEWAY, RPC, MESH = "network", "gateway", "rpc", "mesh"
RUNGS: dict[str, str] = {
    NETWORK: "TCP from the cluster to the other gateway's address",
    GATEWAY: "TLS through the other gateway, with the real SNI and a mesh certificate",
    RPC: "a question to the other datacenter's servers, through both gateways",
    MESH: "a stream through the mesh: sidecar, own gateway, the other gateway, sidecar",
}
"""Rung to what it does, from the lowest."""


@dataclass(frozen=True)
class Ladder:
    """The rungs of one ordered pair that were probed, by name; ``floor_s`` is light in fibre there and back."""

    source: str
    destination: str
    rungs: Mapping[str, Summary]
    floor_s: float | None = None

    @property
    def broken(self) -> str:
        """The first rung that lets nothing through, empty when none does."""
        return next((name for name in RUNGS if name in self.rungs and not _passes(self.rungs[name])), "")

    @property
    def consequences(self) -> frozenset[str]:
        """Rungs above the broken one that let nothing through either: they need what is broken."""
        above = list(RUNGS)[list(RUNGS).index(self.broken) + 1 :] if self.broken else []
        return frozenset(name for name in above if name in self.rungs and not _passes(self.rungs[name]))

    @property
    def network_s(self) -> float | None:
        """The network's median round trip."""
        return _median(self.rungs.get(NETWORK))

    @property
    def mesh_adds_s(self) -> float | None:
        """What proxies add to a round trip once the stream stands: median through the mesh less the network's."""
        network, mesh = self.network_s, _median(self.rungs.get(MESH))
        return None if network is None or mesh is None else mesh - network

    @property
    def setup_s(self) -> float | None:
        """Mean time until a new stream through the mesh has its first answer."""
        mesh = self.rungs.get(MESH)
        return mesh.phase_s("setup") if mesh else None


def ladders(summaries: Mapping[Series, Summary], floors: Mapping[tuple[str, str], float] | None = None) -> list[Ladder]:
    """One for each ordered pair that has rungs, in the order of the names."""
    pairs: dict[tuple[str, str], dict[str, Summary]] = {}
    for series, summary in summaries.items():
        if series.probe in RUNGS:
            pairs.setdefault((series.source, series.destination), {})[series.probe] = summary
    return [Ladder(*pair, rungs, (floors or {}).get(pair)) for pair, rungs in sorted(pairs.items())]


def _passes(summary: Summary) -> bool:
    """Without samples nothing is known to be broken."""
    return not summary.sent or summary.failed < summary.sent


def _median(summary: Summary | None) -> float | None:
    return summary.latency.quantile(0.5) if summary else None
