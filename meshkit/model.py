"""The vocabulary: what a federation is described as, and what it is seen to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

DEFAULT_NAMESPACE = "consul"
DEFAULT_FEDERATION = "mesh"
LIGHT_CHART = "light"
GATEWAY_PORT = 443


@dataclass(frozen=True)
class Datacenter:
    """One Consul datacenter in one Kubernetes cluster; ``values`` are Helm values laid over meshkit's own."""

    name: str
    context: str
    primary: bool = False
    namespace: str = DEFAULT_NAMESPACE
    servers: int = 1
    gateways: int = 1
    gateway_port: int = GATEWAY_PORT
    values: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=True)


@dataclass(frozen=True)
class Federation:
    """Datacenters that trust one CA; exactly one is primary. ``chart`` is ``light`` or a chart's path."""

    name: str
    datacenters: tuple[Datacenter, ...]
    chart: str = LIGHT_CHART

    @property
    def primary(self) -> Datacenter:
        """Where config entries and tokens are written."""
        return next(dc for dc in self.datacenters if dc.primary)

    @property
    def secondaries(self) -> tuple[Datacenter, ...]:
        """All but the primary, in the order in which they were named."""
        return tuple(dc for dc in self.datacenters if not dc.primary)

    @property
    def pairs(self) -> tuple[tuple[Datacenter, Datacenter], ...]:
        """Every ordered pair of two datacenters."""
        return tuple((a, b) for a in self.datacenters for b in self.datacenters if a is not b)


@dataclass(frozen=True)
class ServerState:
    """One Consul server."""

    name: str
    leader: bool
    healthy: bool


@dataclass(frozen=True)
class GatewayState:
    """A datacenter's mesh gateways behind their public address."""

    address: str
    port: int
    ready: int
    desired: int


@dataclass(frozen=True)
class CertificateState:
    """A certificate and when it ends, UTC."""

    name: str
    not_after: datetime


@dataclass(frozen=True)
class DatacenterState:
    """One datacenter as seen; ``error`` says why nothing could be seen."""

    name: str
    context: str
    primary: bool
    version: str = ""
    servers: tuple[ServerState, ...] = ()
    gateway: GatewayState = GatewayState("", 0, 0, 0)
    certificates: tuple[CertificateState, ...] = ()
    drift: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class LinkState:
    """Whether one datacenter sees another through the WAN; ``reason`` is empty when it does."""

    source: str
    target: str
    healthy: bool
    reason: str = ""


@dataclass(frozen=True)
class FederationState:
    """The whole federation as seen at one moment."""

    federation: str
    datacenters: tuple[DatacenterState, ...]
    links: tuple[LinkState, ...]

    @property
    def healthy(self) -> bool:
        """Every datacenter answers with all its parts, and every one sees every other."""
        return all(_is_healthy(dc) for dc in self.datacenters) and all(link.healthy for link in self.links)


def _is_healthy(dc: DatacenterState) -> bool:
    servers = bool(dc.servers) and all(s.healthy for s in dc.servers) and any(s.leader for s in dc.servers)
    return not dc.error and servers and dc.gateway.desired > 0 and dc.gateway.ready == dc.gateway.desired
