"""What was seen of one path, before anybody judges it: frozen values, empty or None where nothing could be seen.

``Evidence.unseen`` says what could not be looked at and why, so that a rule never takes "not seen" for "not there".
Times are seconds, moments are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from meshkit.trace import measures
from meshkit.trace.hops import Route
from meshkit.trace.proxy import Proxy


@dataclass(frozen=True)
class HealthCheck:
    """One check of the catalog: ``status`` is passing, warning or critical."""

    name: str
    status: str
    output: str = ""


@dataclass(frozen=True)
class Upstream:
    """What a sidecar was registered to reach, and where it listens for that."""

    service: str
    datacenter: str
    address: str
    port: int
    mode: str = ""


@dataclass(frozen=True)
class Instance:
    """An entry of the catalog: a service, or a sidecar with ``local`` (where its service is) and its upstreams.

    A ``transparent`` one takes in whatever its service sends, and needs no upstream within its datacenter.
    """

    id: str
    node: str
    address: str
    port: int
    checks: tuple[HealthCheck, ...] = ()
    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    local: tuple[str, int] = ("", 0)
    upstreams: tuple[Upstream, ...] = ()
    transparent: bool = False

    @property
    def critical(self) -> tuple[HealthCheck, ...]:
        """The checks for which Consul takes it out of every answer."""
        return tuple(check for check in self.checks if check.status == "critical")


@dataclass(frozen=True)
class Rule:
    """The intention that decides: ``action`` is allow, deny or permissions; both names empty for the ACL default.

    ``target`` is the service that it was looked up for, where a redirect leads to another than the path's.
    """

    action: str
    source: str = ""
    destination: str = ""
    target: str = ""

    @property
    def exact(self) -> bool:
        """Whether it names both services."""
        return bool(self.source and self.destination) and "*" not in (self.source, self.destination)


@dataclass(frozen=True)
class ChainTarget:
    """Where a discovery chain leads: a service and its subset in a datacenter.

    ``passing`` counts its instances that Consul would send to; None when that datacenter could not be asked.
    """

    service: str
    subset: str
    datacenter: str
    failover: bool = False
    filter: str = ""
    passing: int | None = None


@dataclass(frozen=True)
class Chain:
    """How the source's datacenter resolves the destination; ``default`` when no config entry has a say.

    ``error`` is why it can't: a resolver or splitter that names what isn't there.
    """

    protocol: str = "tcp"
    default: bool = True
    targets: tuple[ChainTarget, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class ConsulView:
    """What one datacenter's servers say. ``instances`` and ``sidecars`` are of this side's service, in this catalog.

    They are None where the question was not answered. ``gateways`` are the addresses of each datacenter's gateways as
    known here, ``roots`` serial numbers of the mesh's roots, ``root_ends`` the end of the active one, ``peers`` the
    destination's sidecars as seen from here. ``gateways_critical`` are the checks of its own gateways when all of them
    are critical.
    """

    leader: str = ""
    instances: tuple[Instance, ...] | None = ()
    sidecars: tuple[Instance, ...] | None = ()
    peers: tuple[Instance, ...] | None = None
    chain: Chain | None = None
    rule: Rule | None = None
    protocols: Mapping[str, str] = field(default_factory=dict)
    routes: tuple[str, ...] = ()
    gateways: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    lan_gateways: tuple[tuple[str, int], ...] = ()
    gateways_critical: tuple[HealthCheck, ...] = ()
    wan: Mapping[str, str] = field(default_factory=dict)
    replication: str = ""
    trust_domain: str = ""
    roots: frozenset[str] = frozenset()
    root_ends: datetime | None = None
    gateway_mode: str = ""


@dataclass(frozen=True)
class Pod:
    """The pod that an address of the catalog belongs to. ``listening`` is None when it could not be looked at."""

    name: str
    namespace: str
    address: str
    ready: bool
    phase: str = "Running"
    troubles: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    containers: tuple[str, ...] = ()
    listening: frozenset[tuple[str, int]] | None = None


@dataclass(frozen=True)
class Side:
    """One end of the path. ``gateway_pods`` and ``gateway_address`` are Kubernetes' own view of the mesh gateway.

    ``gateway_unaddressed`` says that its public Service is missing or has none, ``deselected`` names its Services whose
    selector fits none of its pods, ``gateway_trouble`` is why its Deployment has too few of them. ``lost_tokens`` are
    those that the cluster's Secrets hold and Consul does not know, ``ca`` and ``gossip`` digests of what its servers
    trust and encrypt gossip with. ``half_open`` says that connections to a gateway began and were never completed,
    ``forwards`` that the cluster's DNS is meant to ask Consul.
    """

    datacenter: str
    context: str
    namespace: str
    primary: bool = False
    reachable: bool = True
    skew_s: float | None = None
    gateway_desired: int | None = None
    gateway_ready: int | None = None
    gateway_pods: tuple[Pod, ...] = ()
    gateway_address: tuple[str, int] | None = None
    gateway_service: tuple[str, int] | None = None
    gateway_unaddressed: bool = False
    gateway_trouble: str = ""
    deselected: tuple[str, ...] = ()
    consul: ConsulView | None = None
    pod: Pod | None = None
    sidecar: Proxy | None = None
    gateway: Proxy | None = None
    half_open: bool | None = None
    lost_tokens: tuple[str, ...] = ()
    ca: str = ""
    gossip: str = ""
    forwards: bool | None = None

    @property
    def alone(self) -> bool:
        """Whether the service has one sidecar, so that what it counted tells of every request."""
        return self.consul is not None and len(self.consul.sidecars or ()) == 1


@dataclass(frozen=True)
class Measured:
    """What probes from inside a cluster saw: ``reason`` is ok or a code of ``probes.reasons``."""

    reason: str
    detail: str = ""
    rtt_s: float | None = None
    total_s: float | None = None
    sent: int = 1
    failed: int = 0
    resent: int = 0
    answers: tuple[str, ...] = ()
    not_after: float | None = None

    @property
    def ok(self) -> bool:
        """Every one got through."""
        return self.reason == "ok"


REFUSALS, ERRORS = 400, 500
"""HTTP statuses from here on refuse, and from there on are failures of the server."""

Ended = Literal["answered", "closed", "timeout", "not sent"]


@dataclass(frozen=True)
class Request:
    """The tagged request: how it ended for the source, seen from the source's own loopback."""

    tag: str
    ended: Ended
    took_s: float = 0.0
    status: int = 0
    head: str = ""
    port: int = 0

    @property
    def denied(self) -> bool:
        """Envoy's own 403."""
        return "RBAC: access denied" in self.head


@dataclass(frozen=True)
class Evidence:
    """Everything. ``measured`` is by what was tried, such as ``source to remote gateway``; see ``tried``.

    ``by_name`` says that the source asks DNS for the destination, so that a request is nothing without that.
    """

    route: Route
    taken_at: datetime
    source: Side
    destination: Side
    request: Request | None = None
    measured: Mapping[str, Measured] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
    took_s: float = 0.0
    by_name: bool = False

    def side(self, datacenter: str) -> Side:
        """The side of a datacenter."""
        return self.source if self.source.datacenter == datacenter else self.destination

    @property
    def sides(self) -> tuple[Side, ...]:
        """Both, or the one when the path stays inside."""
        return (self.source, self.destination) if self.route.crosses else (self.destination,)

    @property
    def passed(self) -> bool:
        """The tagged request was answered by the service, and well."""
        request = self.request
        answered = request is not None and request.ended == "answered" and not request.denied
        if self.by_name and (found := self.measured.get(measures.DNS)):
            answered = answered and found.ok
        well = request is not None and request.status < ERRORS
        return answered and well and not self.stray and not self.unserved

    @property
    def unserved(self) -> bool:
        """An Envoy refused by itself, by a limit or for want of a route: the only instance's service got nothing."""
        request, proxy, here = self.request, self.destination.sidecar, self.source.consul
        if request is None or proxy is None or not self.destination.alone:
            return False
        there, chain = self.route.destination, here.chain if here else None
        leads = {(target.service, target.datacenter) for target in chain.targets} if chain else set()
        straight = leads <= {(there.service, there.datacenter)}
        refused = REFUSALS <= request.status < ERRORS
        return refused and straight and not proxy.grew("cluster.local_app.", "upstream_cx_rx_bytes_total")

    @property
    def stray(self) -> bool:
        """The source's Envoy does not listen on the upstream's port, so that somebody else has answered there."""
        proxy, request = self.source.sidecar, self.request
        if proxy is None or request is None or not proxy.configured:
            return False
        return all(port != request.port for _, port in proxy.listeners.values())
