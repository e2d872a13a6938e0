"""What is wrong with a sidecar or another Envoy of the path: not there, elsewhere, hanging, full."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.trace import choose, measures, passage
from meshkit.trace.cause import Cause, Symptom, Weight
from meshkit.trace.envoy import CONTAINERS
from meshkit.trace.evidence import ConsulView, Evidence, Instance, Side
from meshkit.trace.hops import Hop
from meshkit.trace.places import envoys, failing, sides
from meshkit.trace.proxy import Proxy

MEMBER = "Serf Health Status"
"""The check that Consul keeps of each client agent."""

NO_ANSWER = "no answer"
"""How what is not seen in time begins; where there was none to ask, other words stand there."""

OVERFLOWS = ("upstream_cx_overflow", "upstream_rq_pending_overflow", "downstream_cx_overflow", "limited_connections")


def _missing(evidence: Evidence) -> Iterator[Symptom]:
    view = evidence.destination.consul
    if view and view.instances and view.sidecars == ():
        yield Symptom(f"the catalog has {evidence.route.destination} and no sidecar for it")


def _stale_address(evidence: Evidence) -> Iterator[Symptom]:
    for side, hop in sides(evidence):
        entry = choose.sidecar(side)
        name = "source" if hop == "source sidecar" else "destination"
        seen = evidence.measured.get(measures.SIDECAR) if side is evidence.destination else None
        if (seen and seen.ok) or (entry and _member(entry)):
            continue  # it belongs to a machine that is no pod
        if entry and side.reachable and side.pod is None and f"{name}'s pod" not in evidence.unseen:
            text = f"{entry.id} is registered with {entry.address}, which no pod of {side.datacenter} has"
            yield Symptom(text, side.datacenter, hop, {"id": entry.id, "node": entry.node})


def _member(entry: Instance) -> bool:
    """Its node is a member of Consul's own gossip, and alive."""
    return any(check.name == MEMBER and check.status == "passing" for check in entry.checks)


def _down(evidence: Evidence) -> Iterator[Symptom]:
    for side, hop in sides(evidence):
        pod, entry = side.pod, choose.sidecar(side)
        if pod is None or entry is None or side.sidecar is not None:
            continue
        listening = pod.listening
        silent = listening is not None and not any(port == entry.port for _, port in listening)
        ailing = [trouble for trouble in pod.troubles if trouble.partition(":")[0] in CONTAINERS]
        if silent or (ailing and not pod.ready):
            why = "; ".join(pod.troubles) or f"nothing listens on port {entry.port}"
            yield Symptom(f"no Envoy runs in pod {pod.name}: {why}", side.datacenter, hop, {"pod": pod.name})


def _hangs(evidence: Evidence) -> Iterator[Symptom]:
    """Its kernel takes connections, and nobody answers on them: neither the admin nor a handshake."""
    places: tuple[tuple[Side, Proxy | None, Hop, str, str, str], ...] = (
        (
            evidence.source,
            evidence.source.gateway,
            "source gateway",
            "source gateway",
            measures.SOURCE_GATEWAY,
            measures.THROUGH,
        ),
        (
            evidence.destination,
            evidence.destination.gateway,
            "remote gateway",
            "destination gateway",
            measures.DESTINATION_GATEWAY,
            measures.AT_OWN_GATEWAY,
        ),
        (
            evidence.destination,
            evidence.destination.sidecar,
            "remote sidecar",
            "destination sidecar",
            measures.SIDECAR,
            measures.AT_SIDECAR,
        ),
    )
    for side, proxy, hop, name, connection, handshake in places:
        connects, shakes = evidence.measured.get(connection), evidence.measured.get(handshake)
        silent = proxy is None and name in evidence.unseen
        if not (silent and connects and connects.ok and shakes):
            continue
        if shakes.reason == "timeout_tls":
            text = f"the {hop}'s Envoy takes connections and answers neither a handshake nor its admin"
            yield Symptom(text, side.datacenter, hop)
        elif "gateway" in hop and shakes.reason == "refused" and evidence.unseen[name].startswith(NO_ANSWER):
            text = (
                f"the {hop}'s Envoy took connections, its admin gives no answer, and its Service has dropped it since"
            )
            yield Symptom(text, side.datacenter, hop)
    request, side = evidence.request, evidence.source
    other = side.gateway if evidence.route.crosses else evidence.destination.sidecar  # seen by a forward to that side
    if other and not side.sidecar and "source sidecar" in evidence.unseen and request and request.ended == "timeout":
        text = "the source's Envoy answers neither the request nor its admin"
        yield Symptom(text, side.datacenter, "source sidecar", weight="fallback")  # its admin may only be slow


def _wrong_port(evidence: Evidence) -> Iterator[Symptom]:
    for side, hop in sides(evidence):
        entry, proxy = choose.sidecar(side), side.sidecar
        public = [at for name, at in proxy.listeners.items() if name.startswith("public_listener")] if proxy else []
        if entry and public and all(port != entry.port for _, port in public):
            text = f"{entry.id} is registered with port {entry.port}, its Envoy listens on {public[0][1]}"
            yield Symptom(text, side.datacenter, hop)


def _overflow(evidence: Evidence) -> Iterator[Symptom]:
    for proxy, side, hop in envoys(evidence):
        grown = sorted(name for name in proxy.counters if any(over in name for over in OVERFLOWS))
        mine = [name for name in grown if _counts_the_path(name, proxy, evidence)]
        for name in sorted(mine, key=proxy.busy)[:1]:
            limit = next((c.max_connections for c in proxy.clusters.values() if f".{c.name}." in name), 0)
            shown = f" of {limit} connections" if limit else ""
            text = f"{proxy.id} refused the request at its limit{shown}: {name} grew"
            weight: Weight | None = "fallback" if proxy.busy(name) else None  # perhaps others' requests alone
            yield Symptom(text, side.datacenter, hop, weight=weight)


def _counts_the_path(name: str, proxy: Proxy, evidence: Evidence) -> bool:
    """Whether a counter is of a cluster or listener that the path goes by, and not of the proxy's other business."""
    if name.startswith("cluster."):
        chain = evidence.source.consul.chain if evidence.source.consul else None
        targets = {(target.service, target.datacenter) for target in chain.targets} if chain else set()
        led = any(f"{service}.default.{datacenter}.internal." in name for service, datacenter in targets)
        return led or any(f".{cluster.name}." in name for cluster in passage.on_path(proxy, evidence))
    if proxy is evidence.source.sidecar:
        return bool(evidence.request and f"_{evidence.request.port}." in name)
    return True


def _impatient(evidence: Evidence) -> Iterator[Symptom]:
    """Its Envoy gives a connection less time than one takes, handshakes with the other end included."""
    proxy, through = evidence.source.sidecar, evidence.measured.get(measures.THROUGH)
    cluster = passage.service_cluster(proxy, evidence.route.destination)
    if not (proxy and cluster and through and through.ok and through.total_s):
        return
    gave_up = proxy.grew(f"cluster.{cluster.name}.", "upstream_cx_connect_timeout") > 0
    if gave_up and cluster.connect_timeout_s < through.total_s:
        limit, took = 1000 * cluster.connect_timeout_s, 1000 * through.total_s
        text = f"{proxy.id} gives a connection {limit:.0f} ms, and one takes {took:.0f} ms"
        yield Symptom(text, evidence.source.datacenter)


def _mode(evidence: Evidence) -> Iterator[Symptom]:
    upstream, view = choose.upstream(evidence.source, evidence.route), evidence.source.consul
    if upstream is None or view is None or not evidence.route.crosses:
        return
    mode = choose.mode(evidence)
    if mode not in ("local", "remote") and not _dials_gateways(evidence, view):
        shown = mode or "not set"
        text = f"the upstream's mesh gateway mode is {shown}: its Envoy dials pods of another cloud directly"
        yield Symptom(text, evidence.source.datacenter)


def _dials_gateways(evidence: Evidence, view: ConsulView) -> bool:
    """The mode may stand elsewhere, as in service-defaults: what the source's Envoy was given decides."""
    cluster = passage.service_cluster(evidence.source.sidecar, evidence.route.destination)
    known = {*view.lan_gateways, *view.gateways.get(evidence.destination.datacenter, ())}
    return bool(cluster and known & {(address, port) for address, port, _ in cluster.endpoints})


def _instance(evidence: Evidence) -> Iterator[Symptom]:
    """The mesh spreads requests over all instances, of which the trace follows one."""
    for address, seen in failing(evidence, measures.OTHER).items():
        text = f"the instance at {address} ends connections with {seen.reason}: requests that it gets fail"
        yield Symptom(text, weight="degrades" if evidence.passed else None, names={"address": address})


def _ejected(evidence: Evidence) -> Iterator[Symptom]:
    """On the path, and with no other endpoint left."""
    for proxy, side, hop in envoys(evidence):
        for cluster in passage.on_path(proxy, evidence):
            for address, port, trouble in cluster.endpoints if not cluster.healthy else ():
                if "outlier" in trouble:
                    text = f"{proxy.id} has ejected {address}:{port} of {cluster.name.partition('.')[0]}"
                    yield Symptom(text, side.datacenter, hop)


def _no_endpoint(evidence: Evidence) -> Iterator[Symptom]:
    proxy, there = evidence.source.sidecar, evidence.route.destination
    cluster = passage.service_cluster(proxy, there)
    if proxy and proxy.configured and (cluster is None or not cluster.healthy):
        what = "no healthy endpoint" if cluster else "no cluster"
        yield Symptom(f"{proxy.id} has {what} for {there}", evidence.source.datacenter)


def _unreachable(evidence: Evidence) -> Iterator[Symptom]:
    seen = evidence.measured.get(measures.SIDECAR)
    if seen and not seen.ok and evidence.destination.sidecar is None:
        address = "; ".join(seen.answers) or seen.reason
        yield Symptom(f"connections to the sidecar's port end with {address}, and its Envoy can't be read")


CAUSES = (
    Cause(
        "sidecar_missing",
        "remote sidecar",
        "the destination has no sidecar",
        "the remote gateway knows no such service and drops the connection",
        "the catalog has the destination and no connect-proxy for it",
        "inject one: consul.hashicorp.com/connect-inject: 'true'; {kubectl_all} get pods -A | grep {destination}",
        _missing,
    ),
    Cause(
        "sidecar_address_stale",
        "remote sidecar",
        "a sidecar is registered with an address that no pod has",
        "connections to it time out",
        "the catalog's address is not the address of any pod in the cluster",
        "restart the pod, or deregister {id} of node {node}: it outlived its pod",
        _stale_address,
    ),
    Cause(
        "sidecar_down",
        "remote sidecar",
        "a sidecar does not run",
        "connections to its port are refused",
        "the pod's containers, and the ports that listen in it",
        "{kubectl_all} get pods -A | grep {pod}; then describe it and read its container's logs",
        _down,
    ),
    Cause(
        "envoy_hangs",
        "remote sidecar",
        "an Envoy hangs",
        "connections to it are made and never answered",
        "its port takes connections, a handshake and its admin get no answer",
        "{kubectl_all} get pods -A -o wide; has its container CPU and memory left? restart the pod",
        _hangs,
    ),
    Cause(
        "sidecar_wrong_port",
        "remote sidecar",
        "a sidecar is registered with another port than its Envoy listens on",
        "connections to it are refused",
        "the public listener of its Envoy against its catalog entry",
        "register it with the port of its public listener: meshkit trace --explain sidecar_wrong_port",
        _wrong_port,
    ),
    Cause(
        "connection_limit",
        "source sidecar",
        "a limit of connections is reached",
        "new connections are closed at once, those that exist work; response flag UO",
        "upstream_cx_overflow or upstream_rq_pending_overflow grew with the tagged request",
        "raise limits.max_connections of the upstream, in service-defaults of {source} or in its registration",
        _overflow,
    ),
    Cause(
        "connect_timeout_short",
        "source sidecar",
        "the source's Envoy does not wait as long as a connection takes",
        "each connection is given up; response flag UF",
        "the cluster's connect_timeout against a handshake from end to end; upstream_cx_connect_timeout grew",
        "raise ConnectTimeout: {kubectl} exec consul-server-0 -- "
        "consul config read -kind service-resolver -name {destination}",
        _impatient,
    ),
    Cause(
        "gateway_mode_none",
        "source sidecar",
        "the upstream does not go through a mesh gateway",
        "connections to the destination time out: pods of another cloud have no route",
        "neither the upstream nor proxy-defaults set mesh gateway mode local or remote",
        "meshkit federate puts proxy-defaults back; or set MeshGateway.Mode of the upstream to local",
        _mode,
    ),
    Cause(
        "endpoint_ejected",
        "source sidecar",
        "an Envoy has ejected an endpoint after failures",
        "requests fail at once though the endpoint may be well again",
        "failed_outlier_check in its /clusters",
        "mend what made it fail; it comes back by itself, as passive_health_check says in service-defaults",
        _ejected,
        weight="fallback",
    ),
    Cause(
        "instance_unreachable",
        "remote sidecar",
        "one of the destination's instances does not answer in its own cluster",
        "some requests fail and others pass",
        "a connection from the cluster's probe to the sidecar of every instance",
        "is its pod gone? deregister it, or restart the pod: {kubectl_all} get pods -A -o wide | grep {destination}",
        _instance,
        weight="fallback",
    ),
    Cause(
        "no_endpoint",
        "source sidecar",
        "the source's Envoy knows no endpoint of the destination",
        "it closes each connection at once; response flag UH or NC",
        "its /clusters has none that is healthy",
        "meshkit check; {kubectl} get pods -l component=mesh-gateway",
        _no_endpoint,
        weight="fallback",
    ),
    Cause(
        "sidecar_unreachable",
        "remote sidecar",
        "the destination's sidecar does not answer in its own cluster",
        "the remote gateway can't pass requests on",
        "a connection from the cluster's probe to the registered port",
        "{kubectl_all} get pods -A -o wide | grep {destination}",
        _unreachable,
        weight="fallback",
    ),
)
