"""How far the tagged request came, by what it made the four Envoys count."""

from __future__ import annotations

from meshkit.trace.evidence import Evidence
from meshkit.trace.hops import Hop, Party
from meshkit.trace.proxy import EnvoyCluster, Proxy

LOCAL_APP = "local_app"


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


def reached(evidence: Evidence) -> Hop:
    """The last hop that let the request pass."""
    source, destination, there = evidence.source, evidence.destination, evidence.route.destination
    local = destination.sidecar.clusters.get(LOCAL_APP) if destination.sidecar else None
    if denied(destination.sidecar):  # it has connected to its service before it knew
        return "remote gateway"
    if connected(destination.sidecar, local):
        return "service"
    if accepted(destination.sidecar):
        return "remote sidecar"
    passed_on = connected(source.gateway, datacenter_cluster(source.gateway, there.datacenter))
    if passed_on or connected(destination.gateway, service_cluster(destination.gateway, there)):
        return "remote gateway"
    if connected(source.sidecar, service_cluster(source.sidecar, there)):
        return "source gateway" if evidence.route.crosses else "remote sidecar"
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


def denied(proxy: Proxy | None) -> bool:
    """Whether a sidecar refused the request by its intentions."""
    return bool(proxy and proxy.grew("rbac.denied"))
