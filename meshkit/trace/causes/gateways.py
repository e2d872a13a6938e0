"""What is wrong with a mesh gateway: not running, not known, known by a wrong address, not knowing the service."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.trace import choose, measures, passage, places
from meshkit.trace.cause import Cause, Symptom, Weight
from meshkit.trace.evidence import Evidence, Measured, Side
from meshkit.trace.hops import Hop
from meshkit.trace.places import envoys

VANISHED = frozenset({"timeout_connect", "unreachable", "no_route", "refused"})


def sides(evidence: Evidence) -> Iterator[tuple[Side, Hop]]:
    """Both sides with the hops of their gateways; none where the path stays inside its datacenter.

    The source's is no part of the path where its sidecar goes to the other's by itself (mesh gateway mode remote).
    """
    if evidence.route.crosses:
        if choose.mode(evidence) != "remote":
            yield evidence.source, "source gateway"
        yield evidence.destination, "remote gateway"


def is_up(side: Side) -> bool:
    """Whether a gateway is ready as far as its cluster says; not known counts as up."""
    return side.gateway_ready is None or side.gateway_ready > 0


def inside(evidence: Evidence, side: Side) -> tuple[Measured | None, Measured | None]:
    """How a cluster reaches its own gateway: by its Service, and by the pod's address."""
    name = measures.SOURCE_GATEWAY if side is evidence.source else measures.DESTINATION_GATEWAY
    return evidence.measured.get(name), evidence.measured.get(name + measures.POD)


def _down(evidence: Evidence) -> Iterator[Symptom]:
    for side, hop in sides(evidence):
        if is_up(side) or (evidence.passed and side.gateway is not None):
            continue  # a node that is not ready calls its pods so too, which go on
        wanted = side.gateway_desired or 0
        why = "; ".join(trouble for pod in side.gateway_pods for trouble in pod.troubles) or side.gateway_trouble
        shown = f"0 of {wanted} ready" if wanted else "scaled to 0"
        yield Symptom(f"{side.datacenter}'s mesh gateway: {shown}{f' ({why})' if why else ''}", side.datacenter, hop)


def _pod_silent(evidence: Evidence) -> Iterator[Symptom]:
    """Each connection goes by one of them."""
    for side, hop in sides(evidence):
        prefix = measures.SOURCE_POD if side is evidence.source else measures.DESTINATION_POD
        for address, seen in places.silent_pods(evidence, prefix).items():
            text = f"the gateway's pod at {address} ends handshakes with {seen.reason}: what it gets fails"
            weight: Weight | None = "degrades" if evidence.passed else None
            yield Symptom(text, side.datacenter, hop, {"address": address}, weight)


def _degraded(evidence: Evidence) -> Iterator[Symptom]:
    for side, hop in sides(evidence):
        if side.gateway_ready and side.gateway_desired and side.gateway_ready < side.gateway_desired:
            text = f"{side.datacenter}'s mesh gateway: {side.gateway_ready} of {side.gateway_desired} ready"
            yield Symptom(text, side.datacenter, hop)


def _not_known(evidence: Evidence) -> Iterator[Symptom]:
    view, there = evidence.source.consul, evidence.destination
    if view is None or not evidence.route.crosses:
        return
    where = evidence.source.datacenter
    if f"{where}: Consul's federation states" not in evidence.unseen and not view.gateways.get(there.datacenter):
        yield Symptom(f"{where} knows no mesh gateway of {there.datacenter}", where, "source gateway")
    own = choose.mode(evidence) != "remote" and f"{where}: Consul's gateways" not in evidence.unseen
    if own and not view.lan_gateways:
        yield Symptom(f"{where} has no mesh gateway in its own catalog", where, "source gateway")


def _critical(evidence: Evidence) -> Iterator[Symptom]:
    for side, hop in sides(evidence):
        for check in side.consul.gateways_critical[:1] if side.consul else ():
            said = f": {check.output[:160]}" if check.output else ""
            text = f"{side.datacenter}'s mesh gateways are all critical in its catalog: {check.name}{said}"
            yield Symptom(text, side.datacenter, hop)


def _wrong_address(evidence: Evidence) -> Iterator[Symptom]:
    """The address by which each datacenter goes to the other's gateway, against the one that it has.

    Connections of this path are made by the source; the way back matters to the servers.
    """
    ends = (evidence.source, evidence.destination)
    for here, there in (ends, ends[::-1]) if evidence.route.crosses else ():
        known = here.consul.gateways.get(there.datacenter, ()) if here.consul else ()
        real = there.gateway_address
        wrong = [f"{host}:{port}" for host, port in known if real and (host, port) != real]
        if real and wrong and not _works(evidence, here):
            shown = f"{real[0]}:{real[1]}"
            text = f"{here.datacenter} reaches {there.datacenter}'s gateway by {', '.join(wrong)}; it is {shown}"
            weight: Weight | None = None if here is evidence.source else "degrades"
            yield Symptom(text, there.datacenter, "network", {"address": shown}, weight)


def _unaddressed(evidence: Evidence) -> Iterator[Symptom]:
    for side in (evidence.source, evidence.destination) if evidence.route.crosses else ():
        if side.gateway_unaddressed:
            text = f"the public Service of {side.datacenter}'s gateway is missing, or has no address"
            weight: Weight = "fallback" if side is evidence.destination and not evidence.passed else "degrades"
            yield Symptom(text, side.datacenter, "network", weight=weight)


def _works(evidence: Evidence, here: Side) -> bool:
    """A gateway may have more addresses than its Service knows: what a datacenter goes by leads there all the same."""
    names = (measures.THERE, measures.AT_REMOTE_GATEWAY) if here is evidence.source else (measures.BACK,)
    return all(name in evidence.measured and evidence.measured[name].ok for name in names)


def _wrong_inside(evidence: Evidence) -> Iterator[Symptom]:
    side = evidence.source
    known = side.consul.lan_gateways if side.consul and evidence.route.crosses else ()
    pods = {pod.address for pod in side.gateway_pods}
    real = side.gateway_service
    wrong = [host for host, _ in known if real and host != real[0] and host not in pods]
    tried, _ = inside(evidence, side)
    if wrong and len(wrong) == len(known) and not (tried and tried.ok):
        text = f"sidecars of {side.datacenter} reach their gateway by {wrong[0]}, which is neither Service nor pod"
        yield Symptom(text, side.datacenter, "source gateway")


def _deselected(evidence: Evidence) -> Iterator[Symptom]:
    for side, hop in sides(evidence):
        if side.deselected:
            text = f"the selector of Service {side.deselected[0]} in {side.datacenter} fits no pod of the gateway"
            yield Symptom(text, side.datacenter, hop, {"service": side.deselected[0]})


def _service_dead(evidence: Evidence) -> Iterator[Symptom]:
    for side, hop in sides(evidence):
        by_service, by_pod = inside(evidence, side)
        if not side.deselected and by_service and by_pod and by_pod.ok and by_service.reason in VANISHED:
            text = f"in {side.datacenter} the gateway answers at its pod, and not at its Service ({by_service.reason})"
            yield Symptom(text, side.datacenter, hop)


def _unknown_service(evidence: Evidence) -> Iterator[Symptom]:
    proxy, there, view = evidence.destination.gateway, evidence.route.destination, evidence.destination.consul
    if proxy is None or view is None or not evidence.route.crosses or not proxy.configured:
        return
    healthy = [entry for entry in view.sidecars or () if not entry.critical]
    cluster = passage.service_cluster(proxy, there)
    ejected = cluster is not None and any("outlier" in trouble for _, _, trouble in cluster.endpoints)
    if healthy and not ejected and (cluster is None or not cluster.healthy):
        what = "has no endpoint for" if cluster else "does not know"
        yield Symptom(
            f"the gateway of {there.datacenter} {what} {there.service}, whose sidecar is registered and healthy"
        )


def _no_route(evidence: Evidence) -> Iterator[Symptom]:
    """The source's gateway has no cluster for the other datacenter."""
    proxy, there = evidence.source.gateway, evidence.destination.datacenter
    if proxy and proxy.configured and evidence.route.crosses and passage.datacenter_cluster(proxy, there) is None:
        yield Symptom(f"the gateway of {evidence.source.datacenter} has no way to {there}", evidence.source.datacenter)


def _unmatched(evidence: Evidence) -> Iterator[Symptom]:
    for proxy, side, hop in envoys(evidence):
        grown = [name for name in proxy.counters if "no_filter_chain_match" in name]
        if grown and "gateway" in hop:
            yield Symptom(
                f"{proxy.id} of {side.datacenter} dropped a connection with an SNI that it does not serve",
                side.datacenter,
                hop,
            )


CAUSES = (
    Cause(
        "gateway_down",
        "remote gateway",
        "a mesh gateway does not run",
        "nothing passes between the datacenters, gossip and replication included",
        "its Deployment has no ready pod",
        "{kubectl} get pods -l component=mesh-gateway; {kubectl} scale deployment consul-mesh-gateway --replicas=1",
        _down,
    ),
    Cause(
        "gateway_not_known",
        "source gateway",
        "the source's datacenter knows no gateway of the destination's",
        "the source's sidecar has no endpoint for the destination",
        "the federation states, or the source's own catalog, have none",
        "meshkit check; is the gateway registered? {kubectl} logs -l component=mesh-gateway -c register",
        _not_known,
    ),
    Cause(
        "gateway_critical",
        "remote gateway",
        "every mesh gateway of a datacenter is critical in the catalog",
        "Consul leaves them out, so that Envoys have no endpoint for the datacenter; response flag UH",
        "checks of the gateways in their datacenter's catalog",
        "mend what the check says: {kubectl} get pods -l component=mesh-gateway; {kubectl} rollout restart deployment "
        "consul-mesh-gateway",
        _critical,
    ),
    Cause(
        "gateway_wrong_address",
        "network",
        "a mesh gateway is registered with an address that is not its own",
        "connections between the datacenters time out or reach somebody else",
        "the address in the federation states against that of the gateway's Service",
        "meshkit federate registers it with {address}; or {kubectl} rollout restart deployment consul-mesh-gateway",
        _wrong_address,
    ),
    Cause(
        "gateway_unaddressed",
        "network",
        "a mesh gateway has no public address",
        "connections between the datacenters time out, or go to who has the address now",
        "the status of the gateway's public Service",
        "{kubectl} describe service meshkit-mesh-gateway; meshkit federate makes it where it is missing",
        _unaddressed,
        weight="degrades",
    ),
    Cause(
        "gateway_wrong_inside_address",
        "source gateway",
        "sidecars reach their own gateway by a wrong address",
        "connections from sidecars to their gateway time out",
        "the lan address in the catalog against the gateway's Service and pods",
        "{kubectl} rollout restart deployment consul-mesh-gateway",
        _wrong_inside,
    ),
    Cause(
        "gateway_deselected",
        "remote gateway",
        "a Service of a mesh gateway has a selector that fits none of its pods",
        "connections to the Service are refused, those to the pods work",
        "the Service's selector against the labels of the gateway's pods",
        "meshkit federate writes its Services again; {kubectl} get service {service} -o yaml",
        _deselected,
    ),
    Cause(
        "service_address_dead",
        "source gateway",
        "the gateway's Service address leads nowhere",
        "connections to the Service time out or are refused, those to the pod work",
        "a connection to both from a pod of the cluster",
        "is kube-proxy (or what replaces it) running? {kubectl_all} -n kube-system get pods -o wide",
        _service_dead,
    ),
    Cause(
        "gateway_no_route",
        "source gateway",
        "the source's gateway has no way to the destination's datacenter",
        "it drops connections whose SNI names that datacenter",
        "no cluster for the datacenter in its Envoy",
        "{kubectl} logs -l component=mesh-gateway; are federation states read? meshkit check",
        _no_route,
    ),
    Cause(
        "gateway_unknown_service",
        "remote gateway",
        "the remote gateway does not know a service that is registered",
        "it drops connections with the service's SNI",
        "no cluster with a healthy endpoint for the service in its Envoy, a healthy sidecar in the catalog",
        "may its token read the service? is its stream alive? {kubectl} logs -l component=mesh-gateway",
        _unknown_service,
    ),
    Cause(
        "sni_unknown",
        "remote gateway",
        "a gateway serves no such SNI",
        "it drops the connection without a word",
        "no_filter_chain_match grew with the tagged request",
        "do both datacenters have one trust domain? meshkit check",
        _unmatched,
        weight="fallback",
    ),
    Cause(
        "gateway_pod_unreachable",
        "remote gateway",
        "one of a mesh gateway's pods does not answer in its own cluster",
        "some connections fail and others pass, each for itself",
        "a handshake from the cluster's probe with every pod of the gateway that is ready",
        "{kubectl} get pods -l component=mesh-gateway -o wide; delete the one with {address}",
        _pod_silent,
        weight="fallback",
    ),
    Cause(
        "gateway_degraded",
        "remote gateway",
        "not all of a mesh gateway's pods are ready",
        "less capacity, and connections through those that end are lost",
        "ready and wanted replicas of its Deployment",
        "{kubectl} get pods -l component=mesh-gateway",
        _degraded,
        weight="degrades",
    ),
)
