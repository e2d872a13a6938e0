"""What was seen of one path, before anybody judges it: frozen values, empty or None where nothing could be seen.

``Evidence.unseen`` says what could not be looked at and why, so that a rule never takes "not seen" for "not there".
Times are seconds, moments are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from meshkit.trace.hops import Route


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
    """An entry of the catalog: a service, or a sidecar with ``local`` (where its service is) and its upstreams."""

    id: str
    node: str
    address: str
    port: int
    checks: tuple[HealthCheck, ...] = ()
    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    local: tuple[str, int] = ("", 0)
    upstreams: tuple[Upstream, ...] = ()

    @property
    def critical(self) -> tuple[HealthCheck, ...]:
        """The checks for which Consul takes it out of every answer."""
        return tuple(check for check in self.checks if check.status == "critical")


@dataclass(frozen=True)
class Rule:
    """The intention that decides: ``action`` is allow, deny or permissions; both names empty for the ACL default."""

    action: str
    source: str = ""
    destination: str = ""

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
    known here, ``roots`` serial numbers of the mesh's roots, ``peers`` the destination's sidecars as seen from here.
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
    wan: Mapping[str, str] = field(default_factory=dict)
    replication: str = ""
    trust_domain: str = ""
    roots: frozenset[str] = frozenset()
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
class Leaf:
    """A mesh certificate as a proxy presents it."""

    spiffe: str
    not_before: datetime
    not_after: datetime

    @property
    def trust_domain(self) -> str:
        """What follows ``spiffe://``."""
        return self.spiffe.removeprefix("spiffe://").partition("/")[0]

    @property
    def service(self) -> str:
        """The last part of the path."""
        return self.spiffe.rpartition("/svc/")[2]


@dataclass(frozen=True)
class EnvoyCluster:
    """Where an Envoy may send to: endpoints with Envoy's own word on them (empty when healthy)."""

    name: str
    endpoints: tuple[tuple[str, int, str], ...] = ()
    max_connections: int = 0
    connect_timeout_s: float = 5.0
    http: bool = False
    accepts: tuple[str, ...] = ()

    @property
    def healthy(self) -> tuple[tuple[str, int], ...]:
        """Endpoints that get traffic."""
        return tuple((address, port) for address, port, trouble in self.endpoints if not trouble)


@dataclass(frozen=True)
class Proxy:
    """One Envoy. ``counters`` are those of the tagged request alone: what they grew by while it was under way.

    ``totals`` are the same counters since Envoy started, ``flags`` the response flags of its access log in that time,
    where it writes one. ``rejected`` are Envoy's words on a refused configuration.
    """

    id: str
    pod: str
    state: str = "LIVE"
    connected: bool | None = True
    configured: bool = True
    rejected: tuple[str, ...] = ()
    warming: tuple[str, ...] = ()
    leaf: Leaf | None = None
    trusted: frozenset[str] = frozenset()
    clusters: Mapping[str, EnvoyCluster] = field(default_factory=dict)
    listeners: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    snis: tuple[str, ...] = ()
    http: bool = False
    counters: Mapping[str, int] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    def grew(self, *parts: str) -> int:
        """The sum of this request's counters whose names hold all of these parts."""
        return sum(value for name, value in self.counters.items() if all(part in name for part in parts))


@dataclass(frozen=True)
class Side:
    """One end of the path. ``gateway_pods`` and ``gateway_address`` are Kubernetes' own view of the mesh gateway.

    ``lost_tokens`` are those that the cluster's Secrets hold and Consul does not know, ``ca`` the fingerprint of the
    CA that its servers trust. ``half_open`` says that connections to a gateway began and were never completed.
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
    consul: ConsulView | None = None
    pod: Pod | None = None
    sidecar: Proxy | None = None
    gateway: Proxy | None = None
    half_open: bool | None = None
    lost_tokens: tuple[str, ...] = ()
    ca: str = ""


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


ERRORS = 500
"""HTTP statuses from here on are failures of the server."""

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
    """Everything. ``measured`` is by what was tried, such as ``source to remote gateway``; see ``tried``."""

    route: Route
    taken_at: datetime
    source: Side
    destination: Side
    request: Request | None = None
    measured: Mapping[str, Measured] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
    took_s: float = 0.0

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
        return answered and request is not None and request.status < ERRORS
