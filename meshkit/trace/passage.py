"""How far the tagged request came, by what it made the four Envoys count."""

from __future__ import annotations

from meshkit.trace import choose
from meshkit.trace.evidence import Evidence
from meshkit.trace.hops import Hop, Party
from meshkit.trace.proxy import EnvoyCluster, Proxy

LOCAL_APP = "local_app"
SPOKEN, VERIFIED = "ssl.connection_error", "ssl.fail_verify"
TLS_FAULTS = (SPOKEN, VERIFIED)
"""The first counts what is no fault of a certificate."""


def service_cluster(proxy: Proxy | None, party: Party) -> EnvoyCluster | None:
    """An Envoy's cluster for a service: ``<subset.>service.namespace.datacenter.internal...``."""
    part = f"{party.service}.default.{party.datacenter}.internal"
    return _cluster(proxy, part)


def datacenter_cluster(proxy: Proxy | None, datacenter: str) -> EnvoyCluster | None:
    """A gateway's cluster for everything in another datacenter."""
    found = proxy.clusters.items() if proxy else ()
    return next((cluster for name, cluster in found if name.startswith(f"{datacenter}.internal")), None)


def on_path(proxy: Proxy, evidence: Evidence) -> list[EnvoyCluster]:
    """Those of an Envoy's clusters that the path goes by."""
    there = evidence.route.destination
    found = (
        service_cluster(proxy, there),
        datacenter_cluster(proxy, there.datacenter),
        proxy.clusters.get(LOCAL_APP) if proxy is evidence.destination.sidecar else None,
    )
    return [cluster for cluster in found if cluster]


def _cluster(proxy: Proxy | None, part: str) -> EnvoyCluster | None:
    found = proxy.clusters.items() if proxy else ()
    return next((cluster for name, cluster in found if name.startswith(part) or f".{part}" in name), None)


def connected(proxy: Proxy | None, cluster: EnvoyCluster | None) -> bool:
    """Whether the request made this Envoy connect to a cluster, or went over a connection left in its pool."""
    if proxy is None or cluster is None:
        return False
    prefix = f"cluster.{cluster.name}."
    opened, failed = proxy.grew(prefix, "upstream_cx_total"), proxy.grew(prefix, "upstream_cx_connect_fail")
    return opened > failed or proxy.grew(prefix, "upstream_cx_tx_bytes_total") > 0


def failed(proxy: Proxy | None, cluster: EnvoyCluster | None) -> bool:
    """Whether the request made this Envoy try a cluster in vain."""
    return bool(proxy and cluster and proxy.grew(f"cluster.{cluster.name}.", "upstream_cx_connect_fail"))


def begun(proxy: Proxy | None, cluster: EnvoyCluster | None) -> bool:
    """Whether the request made this Envoy begin a connection to a cluster, whatever became of it."""
    return bool(proxy and cluster and proxy.grew(f"cluster.{cluster.name}.", "upstream_cx_total"))


def carried(proxy: Proxy | None, cluster: EnvoyCluster | None) -> bool:
    """Whether bytes of the request went to a cluster: a connection that is only begun has carried none."""
    sizes = ("upstream_cx_tx_bytes_total", "upstream_cx_rx_bytes_total")
    return bool(proxy and cluster and any(proxy.grew(f"cluster.{cluster.name}.", size) for size in sizes))


def reached(evidence: Evidence) -> Hop:
    """The last hop that let the request pass."""
    destination = evidence.destination
    local = destination.sidecar.clusters.get(LOCAL_APP) if destination.sidecar else None
    if denied(destination.sidecar) or estranged(evidence):  # it has connected to its service before it knew
        return "remote gateway"
    if connected(destination.sidecar, local):
        return "service"
    if accepted(destination.sidecar):
        return "remote sidecar"
    return _between(evidence) if evidence.route.crosses else _inside(evidence)


def _between(evidence: Evidence) -> Hop:
    """The same of a request that did not come to the other sidecar."""
    source, destination, there = evidence.source, evidence.destination, evidence.route.destination
    onward = service_cluster(destination.gateway, there)
    if begun(destination.gateway, onward) or carried(destination.gateway, onward):
        return "remote gateway"
    way = datacenter_cluster(source.gateway, there.datacenter)
    if carried(source.gateway, way):
        return "network"
    if begun(source.gateway, way):
        return "source gateway"
    return _inside(evidence)


def _inside(evidence: Evidence) -> Hop:
    """The same of a request that no gateway of the path took up."""
    source, there = evidence.source, evidence.route.destination
    if connected(source.sidecar, service_cluster(source.sidecar, there)):
        if not evidence.route.crosses:
            return "remote sidecar"
        unseen = source.gateway is None or "source gateway" in evidence.unseen
        return "source gateway" if unseen or choose.mode(evidence) == "remote" else "source sidecar"
    return "source sidecar" if listened(source.sidecar, evidence) else "lookup"


def certain(evidence: Evidence) -> bool:
    """Whether what the Envoys counted was this request: not where others' requests come in at such a rate."""
    there = evidence.route.destination
    places = [
        (evidence.source.sidecar, service_cluster(evidence.source.sidecar, there)),
        (evidence.source.gateway, datacenter_cluster(evidence.source.gateway, there.datacenter)),
        (evidence.destination.gateway, service_cluster(evidence.destination.gateway, there)),
        (evidence.destination.sidecar, EnvoyCluster(LOCAL_APP)),
    ]
    return not any(proxy and at and proxy.busy(f"cluster.{at.name}.", "upstream_cx_total") for proxy, at in places)


def accepted(proxy: Proxy | None) -> bool:
    """Whether a sidecar's public listener took the request's connection."""
    return bool(proxy and (proxy.grew("public_listener", "cx_total") or proxy.grew("rbac.")))


def listened(proxy: Proxy | None, evidence: Evidence) -> bool:
    """Whether the source's sidecar took the request in at its upstream's port."""
    port = evidence.request.port if evidence.request else 0
    return bool(proxy and proxy.grew("listener.", f"_{port}.downstream_cx_total"))


def estranged(evidence: Evidence) -> frozenset[str]:
    """How the two sidecars met and came to no handshake: counters of ``TLS_FAULTS`` that grew, at either of them.

    Others' handshakes fail too: the source's own connection has to have failed, and the service to have got nothing.
    """
    source, destination, there = evidence.source.sidecar, evidence.destination.sidecar, evidence.route.destination
    cluster = service_cluster(source, there)
    got = destination is not None and destination.grew(f"cluster.{LOCAL_APP}.", "upstream_cx_rx_bytes_total") > 0
    if got or (source is not None and not failed(source, cluster)):
        return frozenset()
    gateway = evidence.destination.gateway
    met = not evidence.route.crosses or begun(gateway, service_cluster(gateway, there))
    places = [(destination, "listener.")]
    if met and cluster:
        places.append((source, f"cluster.{cluster.name}."))
    return frozenset(
        fault
        for fault in TLS_FAULTS
        for proxy, where in places
        if proxy and proxy.grew(where, fault) and not proxy.busy(where, fault)
    )


def denied(proxy: Proxy | None) -> bool:
    """Whether a sidecar refused the request by its intentions."""
    return bool(proxy and proxy.grew("rbac.denied"))
