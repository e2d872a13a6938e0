"""A path's hops, in the order in which a request passes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Hop = Literal[
    "lookup", "source sidecar", "source gateway", "network", "remote gateway", "remote sidecar", "service", "planes"
]

PATH: tuple[Hop, ...] = (
    "lookup",
    "source sidecar",
    "source gateway",
    "network",
    "remote gateway",
    "remote sidecar",
    "service",
)
PLANES: Hop = "planes"
"""Beside the path: what is wrong there breaks nothing that passes now."""

MEANINGS: dict[Hop, str] = {
    "lookup": "how the source finds the destination: its catalog entry, its sidecar's upstream, DNS",
    "source sidecar": "the source's Envoy",
    "source gateway": "the mesh gateway of the source's datacenter",
    "network": "the way to the other datacenter's gateway",
    "remote gateway": "the mesh gateway of the destination's datacenter",
    "remote sidecar": "the destination's Envoy, which asks the intentions",
    "service": "the destination itself",
    "planes": "beside the path: Consul's servers, replication, gossip",
}


@dataclass(frozen=True)
class Party:
    """A service in a datacenter."""

    datacenter: str
    service: str

    def __str__(self) -> str:
        """As on the command line."""
        return f"{self.datacenter}/{self.service}"


@dataclass(frozen=True)
class Route:
    """From where to where."""

    source: Party
    destination: Party

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.source} to {self.destination}"

    @property
    def crosses(self) -> bool:
        """Whether the path leaves its datacenter, and so goes through gateways."""
        return self.source.datacenter != self.destination.datacenter


def order(hop: Hop) -> int:
    """Where a hop stands; planes come last."""
    return PATH.index(hop) if hop in PATH else len(PATH)
