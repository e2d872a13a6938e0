"""Probes from inside both clusters: connections, the way there, the largest packet, a handshake for each SNI.

Names of what is measured are part of the evidence, see ``trace.measures``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from meshkit.federation.context import Context
from meshkit.federation.probing import runs
from meshkit.federation.probing.runs import Pace
from meshkit.federation.probing.targets import Plan
from meshkit.probes.mechanisms.dns import DnsTarget
from meshkit.probes.mechanisms.path import PathTarget
from meshkit.probes.mechanisms.tcp import TcpTarget
from meshkit.probes.mechanisms.tls import TlsTarget
from meshkit.probes.probe import Probe, Series, Target
from meshkit.probes.reasons import OK
from meshkit.probes.summary import Summary, merged
from meshkit.trace import choose, measures
from meshkit.trace.evidence import Measured, Side
from meshkit.trace.hops import Route

Address = tuple[str, int]
CONNECTS = 40
"""So many at once show a loss of 5% with 98% certainty: each is a packet there and one back."""

CONNECT_S, PATH_S, MTU_S, HANDSHAKE_S = 2.5, 3.0, 6.0, 2.0
GRACE_S, WINDOW_S = 6.0, 0.5
"""The agent's program starts within a second; on a busy node within seconds."""

CLUSTER_NAME = "kubernetes.default.svc.cluster.local."
"""In a cluster with another domain it does not exist, which its DNS says: that is an answer too."""

INSTANCES = 10
"""Of the destination's, so many are tried beside the one that the trace follows."""

AWAY = "its cluster could not be looked at"


@dataclass
class Seen:
    """What has come so far of a run of probes, from all clusters: a deadline that cuts it short loses only the rest."""

    windows: list[Summary] = field(default_factory=list)
    unseen: dict[str, str] = field(default_factory=dict)

    @property
    def measured(self) -> dict[str, Measured]:
        """By the name of what is measured."""
        return {series.probe: measured(summary) for series, summary in merged(tuple(self.windows)).items()}


def network(  # noqa: PLR0913 - the path, how it is gone, and where to put what is seen
    context: Context, route: Route, source: Side, destination: Side, seen: Seen, *, by_name: bool = False
) -> None:
    """What the network between and inside the clusters does; nothing of it reaches a service."""
    probes: dict[str, list[Probe]] = {}

    def add(where: Side, name: str, target: Target, timeout_s: float, times: int = 1) -> None:
        series = Series(where.datacenter, "", "", name)
        made = (Probe(f"{name}/{n}", series, target, 10.0, timeout_s) for n in range(times))
        probes.setdefault(where.datacenter, []).extend(made)

    if route.crosses:
        for where, other, name in _ends(source, destination):
            if public := public_address(where, other):
                add(where, name, TcpTarget(*public), CONNECT_S, CONNECTS)
                if where is source:
                    add(where, measures.PATH, PathTarget(*public), PATH_S)
                    add(where, measures.MTU, PathTarget(*public, method="icmp", mtu=True), MTU_S)
        for where, name in ((source, measures.SOURCE_GATEWAY), (destination, measures.DESTINATION_GATEWAY)):
            if inside := lan_address(where):
                add(where, name, TcpTarget(*inside), CONNECT_S)
            for pod in where.gateway_pods[:1]:
                add(where, f"{name}{measures.POD}", TcpTarget(pod.address, measures.GATEWAY_POD_PORT), CONNECT_S)
    there = route.destination
    asked = there.service if by_name else "consul"
    add(source, measures.DNS, DnsTarget(f"{asked}.service.{there.datacenter}.consul."), CONNECT_S)
    add(source, measures.CLUSTER_DNS, DnsTarget(CLUSTER_NAME), CONNECT_S)
    _run(context, probes, {}, seen, (source, destination))


def handshakes(context: Context, route: Route, source: Side, destination: Side, seen: Seen) -> None:
    """A real handshake with a mesh certificate for the destination's SNI, at each place that it passes."""
    domain = next((side.consul.trust_domain for side in (destination, source) if side.consul), "")
    if not domain:
        seen.unseen["handshakes"] = "the mesh's trust domain is not known"
        return
    probes: dict[str, list[Probe]] = {}
    if sidecar := sidecar_address(destination):
        # A bare connection makes a sidecar connect to its service: it asks its intentions only with the first bytes.
        series = Series(destination.datacenter, "", "", measures.SIDECAR)
        probes[destination.datacenter] = [Probe("sidecar", series, TcpTarget(*sidecar), 10.0, CONNECT_S)]
    for where, name, address, identity in _doors(route, source, destination):
        there = route.destination
        target = TlsTarget(
            *address,
            server_name=sni(there.service, there.datacenter, domain),
            spiffe=f"spiffe://{domain}/ns/default/dc/{there.datacenter}/svc/{there.service}",
            verify="mesh",
            identity=identity,
        )
        series = Series(where.datacenter, "", "", name)
        probes.setdefault(where.datacenter, []).append(Probe(name, series, target, 10.0, HANDSHAKE_S))
    identities = {source.datacenter: frozenset({route.source.service})}
    _run(context, probes, identities, seen, (source, destination))


def sni(service: str, datacenter: str, domain: str) -> str:
    """What Consul's gateways choose by, https://github.com/hashicorp/consul/blob/v1.22.7/agent/connect/sni.go."""
    return f"{service}.default.{datacenter}.internal.{domain}"


def _ends(source: Side, destination: Side) -> Iterator[tuple[Side, Side, str]]:
    yield source, destination, measures.THERE
    yield destination, source, measures.BACK


def _doors(route: Route, source: Side, destination: Side) -> Iterator[tuple[Side, str, Address, str]]:
    if route.crosses:
        if inside := lan_address(source):
            yield source, measures.THROUGH, inside, route.source.service
        if public := public_address(source, destination):
            yield source, measures.AT_REMOTE_GATEWAY, public, route.source.service
        if inside := lan_address(destination):
            yield destination, measures.AT_OWN_GATEWAY, inside, "mesh"
    if sidecar := sidecar_address(destination):
        yield destination, measures.AT_SIDECAR, sidecar, "mesh"
    for other in _others(destination):
        yield destination, "{}{}:{}".format(measures.OTHER, *other), other, "mesh"
    for side, name in ((source, measures.SOURCE_POD), (destination, measures.DESTINATION_POD)):
        ready = [pod.address for pod in side.gateway_pods if pod.ready][:INSTANCES]
        for address in ready if route.crosses and len(ready) > 1 else ():
            yield side, f"{name}{address}", (address, measures.GATEWAY_POD_PORT), "mesh"


def public_address(here: Side, there: Side) -> Address | None:
    """Where a datacenter believes another's gateway to be: that is where its traffic goes."""
    known = here.consul.gateways.get(there.datacenter, ()) if here.consul else ()
    return known[0] if known else there.gateway_address


def lan_address(side: Side) -> Address | None:
    """Where sidecars of a datacenter reach its own gateway."""
    known = side.consul.lan_gateways if side.consul else ()
    return known[0] if known else side.gateway_service


def sidecar_address(side: Side) -> Address | None:
    """The public listener of the service's sidecar, as registered."""
    entry = choose.sidecar(side)
    return (entry.address, entry.port) if entry else None


def _others(side: Side) -> list[Address]:
    """Sidecars of further instances that Consul sends to."""
    known = (side.consul.sidecars if side.consul else ()) or ()
    found = ((entry.address, entry.port) for entry in known if not entry.critical)
    return [at for at in dict.fromkeys(found) if at != sidecar_address(side)][:INSTANCES]


def _run(
    context: Context,
    probes: Mapping[str, Sequence[Probe]],
    identities: Mapping[str, frozenset[str]],
    seen: Seen,
    sides: tuple[Side, Side],
) -> None:
    """Probe from both sides; one that has not answered before would only take its time again."""
    away = {side.datacenter: AWAY for side in sides if not side.reachable}
    plan = Plan({dc: tuple(found) for dc, found in probes.items() if dc not in away}, identities=identities)
    pace = Pace(count=1, window_s=WINDOW_S, grace_s=GRACE_S)
    _, missing = runs.collect(context, plan, pace, on_windows=seen.windows.extend)
    for dc, why in {**missing, **away}.items():
        seen.unseen |= {f"{dc}: {probe.series.probe}": why for probe in probes.get(dc, ())}


def measured(summary: Summary) -> Measured:
    """A series as evidence: its commonest failure is its reason."""
    failures = {reason: number for reason, number in summary.reasons.items() if reason != OK}
    reason = max(failures, key=lambda name: failures[name]) if failures else OK
    return Measured(
        reason,
        summary.fault,
        summary.rtt.quantile(0.5) if summary.rtt.count else None,
        summary.total.quantile(0.5) if summary.total.count else None,
        summary.sent,
        summary.failed,
        summary.resent,
        summary.answers,
        summary.certificate[1] if summary.certificate else None,
    )
