"""The vocabulary: what a federation is described as, and what it is seen to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

DEFAULT_NAMESPACE = "consul"
DEFAULT_FEDERATION = "mesh"
LIGHT_CHART, OFFICIAL_CHART = "light", "hashicorp"
GATEWAY_PORT = 443


def host_port(host: str, port: int) -> str:
    """As URLs and Consul write it: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True)
class Datacenter:
    """One Consul datacenter in one Kubernetes cluster.

    ``api_server`` is the URL at which the primary's Consul servers reach this cluster's API server; the official chart
    alone needs it. ``platform`` and ``load_balancer`` are keys of ``meshkit.platforms``, empty as long as nobody has
    looked. ``gateway_address`` is the user's own, where the load balancer's is not it. ``values`` are Helm values laid
    over meshkit's own, ``probe`` the same for the mesh probe's chart.
    ``consul_version`` is what ``meshkit upgrade`` has brought it to; ``chart_version`` and ``chart_path`` stand in the
    place of the federation's while an upgrade has reached this datacenter and not all.
    """

    name: str
    context: str
    primary: bool = False
    namespace: str = DEFAULT_NAMESPACE
    servers: int = 1
    gateways: int = 1
    gateway_port: int = GATEWAY_PORT
    gateway_internal: bool = False
    gateway_source_ranges: tuple[str, ...] = ()
    gateway_annotations: Mapping[str, str] = field(default_factory=dict, hash=False, compare=True)
    gateway_address: str = ""
    api_server: str = ""
    consul_version: str = ""
    chart_version: str = ""
    chart_path: str = ""
    platform: str = ""
    load_balancer: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=True)
    probe: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=True)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Datacenter:
        """From its form in JSON, which has no tuples; TypeError for keys that a datacenter does not have."""
        held: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
        return cls(**held)


@dataclass(frozen=True)
class Federation:
    """Datacenters that trust one CA; exactly one is primary.

    ``chart`` is ``light`` (meshkit's own), ``hashicorp`` (the official one), or empty as long as nobody has chosen.
    ``chart_path`` is a folder or archive that holds it; without one the light chart comes with meshkit, and the
    official one, in ``chart_version``, from ``chart_repo`` (empty for HashiCorp's own). ``image_registry`` stands in
    the place of every image's registry, empty for the charts' own. ``gitops`` means that others bring the releases.
    """

    name: str
    datacenters: tuple[Datacenter, ...]
    chart: str = LIGHT_CHART
    chart_path: str = ""
    chart_version: str = ""
    chart_repo: str = ""
    image_registry: str = ""
    gitops: bool = False

    @property
    def official(self) -> bool:
        """Whether the chart is the official one, also when it comes from a path."""
        return self.chart == OFFICIAL_CHART

    def seen_from(self, datacenter: Datacenter) -> Federation:
        """The same with the chart that this datacenter has, which differs in the midst of an upgrade."""
        version = datacenter.chart_version or self.chart_version
        return replace(self, chart_version=version, chart_path=datacenter.chart_path or self.chart_path)

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
    """One Consul server: its node name, its pod's address and whether the pod is ready."""

    name: str
    address: str
    healthy: bool


@dataclass(frozen=True)
class GatewayState:
    """A datacenter's mesh gateways behind their public address.

    ``resolved`` is what this machine makes of the address: itself for an IP address, nothing for a name without one.
    """

    address: str = ""
    port: int = 0
    ready: int = 0
    desired: int = 0
    resolved: tuple[str, ...] = ()


@dataclass(frozen=True)
class CertificateState:
    """A certificate in the cluster: its validity in UTC, SHA-256 fingerprint, and why it can't stay (or nothing)."""

    name: str
    not_before: datetime
    not_after: datetime
    fingerprint: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConsulState:
    """What a datacenter's servers say: of themselves, of what they copy, and of the others.

    ``wan`` maps member names (``<node>.<datacenter>``) to Serf's status, ``wan_addresses`` to their addresses in the
    gossip. ``gateways`` are the datacenters whose mesh gateways are known here, ``catalogs`` the services seen of each
    datacenter. ``replication`` says why ACLs are not copied, and is empty when they are or need not be. ``announced``
    has the ``address:port`` at which each datacenter's gateways are said to be reached.
    """

    leader: str
    wan: Mapping[str, str]
    gateways: frozenset[str]
    replication: str
    gateway_mode: str
    default_deny: bool
    catalogs: Mapping[str, frozenset[str]]
    announced: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    wan_addresses: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class DatacenterState:
    """One datacenter as seen; ``error`` says why nothing, ``consul_error`` why no Consul server, could be seen."""

    name: str
    context: str
    primary: bool
    namespace: str = DEFAULT_NAMESPACE
    version: str = ""
    skew_s: float = 0.0
    servers: tuple[ServerState, ...] = ()
    gateway: GatewayState = GatewayState()
    certificates: tuple[CertificateState, ...] = ()
    consul: ConsulState | None = None
    drift: tuple[str, ...] = ()
    error: str = ""
    consul_error: str = ""


@dataclass(frozen=True)
class LinkState:
    """Whether one datacenter sees another's servers through the WAN; ``reason`` is empty when it does."""

    source: str
    target: str
    healthy: bool
    reason: str = ""


@dataclass(frozen=True)
class FederationState:
    """The whole federation as seen at one moment (UTC)."""

    federation: str
    seen_at: datetime
    datacenters: tuple[DatacenterState, ...]
    links: tuple[LinkState, ...]

    @property
    def healthy(self) -> bool:
        """Every datacenter answers with all its parts, and every one sees every other."""
        return all(_is_healthy(dc) for dc in self.datacenters) and all(link.healthy for link in self.links)


def _is_healthy(dc: DatacenterState) -> bool:
    servers = bool(dc.servers) and all(s.healthy for s in dc.servers)
    gateways = dc.gateway.desired > 0 and dc.gateway.ready == dc.gateway.desired
    return not dc.error and dc.consul is not None and bool(dc.consul.leader) and servers and gateways


Verdict = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True)
class CheckResult:
    """How a check ended; ``hint`` is empty when it passed, ``detail`` says what was seen."""

    category: str
    check: str
    verdict: Verdict
    detail: str
    hint: str


@dataclass(frozen=True)
class Candidate:
    """A context of the kubeconfigs and the cluster behind it, as far as it could be seen.

    ``platform`` is a key of ``meshkit.platforms``. ``tags`` are what the cluster is selected by, ``shown`` those that
    people have given. ``federation`` and ``datacenter`` are what it is in already, ``reason`` is why it can't join,
    ``error`` why nothing was seen.
    """

    context: str
    file: str = ""
    server: str = ""
    platform: str = ""
    region: str = ""
    zones: tuple[str, ...] = ()
    version: str = ""
    nodes: int = 0
    uid: str = ""
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    shown: Mapping[str, str] = field(default_factory=dict, hash=False)
    federation: str = ""
    datacenter: str = ""
    primary: bool = False
    reason: str = ""
    error: str = ""

    @property
    def can_join(self) -> bool:
        """Whether nothing stands in the way of its joining a federation now."""
        return not (self.federation or self.reason or self.error)
