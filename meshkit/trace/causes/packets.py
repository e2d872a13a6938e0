"""Packets that something inside a cluster drops or rejects: a NetworkPolicy, a CNI, a node's own rules."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.trace import choose, measures, passage, places
from meshkit.trace.cause import Cause, Symptom
from meshkit.trace.causes import gateways
from meshkit.trace.evidence import Evidence
from meshkit.trace.proxy import EnvoyCluster

EVERYWHERE = ("0.0.0.0", "::", "0:0:0:0:0:0:0:0")  # noqa: S104 - what others listen on
VANISHED = frozenset({"timeout_connect", "unreachable", "no_route", "prohibited"})


def _dropped(evidence: Evidence) -> Iterator[Symptom]:
    """Ready by the kubelet's probe, which comes from the node, and silent to another pod."""
    for side, hop in gateways.sides(evidence):
        _, by_pod = gateways.inside(evidence, side)
        if by_pod and by_pod.reason in VANISHED and side.gateway_ready:
            text = f"packets to {side.datacenter}'s gateway vanish inside the cluster, though its pod is ready"
            yield Symptom(text, side.datacenter, hop)
    if _source_vanishes(evidence):
        text = f"what the pod of {evidence.route.source} sends to its gateway vanishes, what others send there arrives"
        yield Symptom(text, evidence.source.datacenter, "source gateway")
    if _leaving_vanishes(evidence):
        here, there = evidence.source.datacenter, evidence.destination.datacenter
        text = f"what the gateway of {here} sends to that of {there} vanishes, what other pods of {here} send arrives"
        yield Symptom(text, here, "network")
    pod = evidence.destination.pod
    if pod and _listens(evidence) and _sidecar_vanishes(evidence):
        seen = evidence.measured.get(measures.SIDECAR)
        how = "vanish inside the cluster" if not seen or seen.ok else f"end with {seen.reason} inside the cluster"
        text = f"connections to the sidecar in pod {pod.name} {how}, though it listens"
        yield Symptom(text, hop="remote sidecar")


def _source_vanishes(evidence: Evidence) -> bool:
    """Its sidecar began a connection that its gateway never saw; one as the same service passes from elsewhere."""
    sidecar, through = evidence.source.sidecar, evidence.measured.get(measures.THROUGH)
    mine = passage.service_cluster(sidecar, evidence.route.destination)
    known = evidence.source.consul.lan_gateways if evidence.source.consul else ()
    if not (_by_own_gateway(evidence) and mine and _goes_only_to(mine, known) and through and through.ok):
        return False
    gateway = evidence.source.gateway
    way = passage.datacenter_cluster(gateway, evidence.route.destination.datacenter)
    timed_out = evidence.request is not None and evidence.request.ended == "timeout"
    return passage.begun(sidecar, mine) and timed_out and way is not None and not passage.begun(gateway, way)


def _leaving_vanishes(evidence: Evidence) -> bool:
    """The source's gateway began a connection to the other that came to nothing; others of its cluster get there."""
    gateway = evidence.source.gateway
    way = passage.datacenter_cluster(gateway, evidence.route.destination.datacenter)
    around = [evidence.measured.get(name) for name in (measures.THERE, measures.AT_REMOTE_GATEWAY)]
    if not (_by_own_gateway(evidence) and all(seen is not None and seen.ok for seen in around)):
        return False
    through = evidence.measured.get(measures.THROUGH)
    known = evidence.source.consul.gateways.get(evidence.destination.datacenter, ()) if evidence.source.consul else ()
    lost = passage.begun(gateway, way) and not passage.carried(gateway, way)
    return bool(lost and way and _goes_only_to(way, known) and through and not through.ok)


def _goes_only_to(cluster: EnvoyCluster, known: tuple[tuple[str, int], ...]) -> bool:
    """An Envoy has the one address that the probes tried too; one of several, or an old one, may be another matter."""
    return len(known) == 1 and cluster.healthy == known


def _by_own_gateway(evidence: Evidence) -> bool:
    """The path goes by the source's gateway, every pod of which could be read, and none of several is known to ail."""
    seen = "source gateway" not in evidence.unseen and not places.ailing(evidence)
    return evidence.route.crosses and choose.mode(evidence) != "remote" and seen


def _listens(evidence: Evidence) -> bool:
    """The sidecar's registered address and port are among those that its pod, or its Envoy, says to listen on."""
    pod, proxy, entry = evidence.destination.pod, evidence.destination.sidecar, choose.sidecar(evidence.destination)
    if pod is None or entry is None or entry.address != pod.address:
        return False
    places = {*(pod.listening or ()), *(proxy.listeners.values() if proxy else ())}
    return any(port == entry.port and host in {entry.address, *EVERYWHERE} for host, port in places)


def _sidecar_vanishes(evidence: Evidence) -> bool:
    """Nobody in the cluster reaches it, or others do and the gateway does not."""
    seen, own = evidence.measured.get(measures.SIDECAR), evidence.measured.get(measures.AT_OWN_GATEWAY)
    direct = evidence.measured.get(measures.AT_SIDECAR)
    if seen and seen.reason in VANISHED | {"refused"}:
        return True
    tried = passage.service_cluster(evidence.destination.gateway, evidence.route.destination)
    begun = passage.begun(evidence.destination.gateway, tried)
    arrived = evidence.destination.sidecar is None or passage.accepted(evidence.destination.sidecar)
    alone = "destination gateway" not in evidence.unseen and not places.ailing(evidence)
    return bool(alone and own and not own.ok and direct and direct.ok and begun and not arrived)


CAUSES = (
    Cause(
        "packets_dropped",
        "source gateway",
        "packets inside a cluster are dropped",
        "connections time out though what should answer is ready and listens",
        "connections from another pod time out; the kubelet's own probe, or the list of sockets, says that it listens",
        "{kubectl_all} get networkpolicies -A; then the CNI's drop counters or log",
        _dropped,
    ),
)
