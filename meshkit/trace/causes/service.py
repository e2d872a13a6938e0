"""What is wrong with the destination itself: not listening, elsewhere, closing, slow, failing, speaking otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.trace import choose, measures, passage
from meshkit.trace.cause import Cause, Symptom
from meshkit.trace.evidence import Evidence

SLOW_S = 1.0
"""Beyond what the way takes."""

LOOPBACK = frozenset({"127.0.0.1", "::1"})
EVERYWHERE = frozenset({"0.0.0.0", "::", "0:0:0:0:0:0:0:0"})  # noqa: S104 - what others listen on
ROUTE_TIMEOUT = "upstream request timeout"
ENVOYS_OWN = frozenset({"upstream connect error", "no healthy upstream", ROUTE_TIMEOUT})
FAILED = 500


def _target(evidence: Evidence) -> tuple[str, int] | None:
    """Where the sidecar passes requests on to: as its Envoy has it, else as it is registered."""
    proxy, entry = evidence.destination.sidecar, choose.sidecar(evidence.destination)
    cluster = proxy.clusters.get(passage.LOCAL_APP) if proxy else None
    if cluster and cluster.endpoints:
        return cluster.endpoints[0][:2] if cluster.endpoints[0][1] else None  # a Unix socket has no port
    return entry.local if entry and entry.local[1] else None


def _listeners(evidence: Evidence) -> frozenset[tuple[str, int]] | None:
    """Where the pod's own programs listen: without Envoy's admin, its readiness port and its listeners."""
    pod, proxy, entry = evidence.destination.pod, evidence.destination.sidecar, choose.sidecar(evidence.destination)
    if pod is None or pod.listening is None:
        return None
    own = {port for _, port in proxy.listeners.values()} if proxy else set()
    own |= {19000, 20200} | ({entry.port} if entry else set())
    return frozenset((address, port) for address, port in pod.listening if port not in own)


def _serves(listening: frozenset[tuple[str, int]], target: tuple[str, int]) -> bool:
    address, port = target
    same = LOOPBACK if address in LOOPBACK else {address}
    return any(at == port and (host in same or host in EVERYWHERE) for host, at in listening)


def _mismatch(evidence: Evidence) -> tuple[tuple[str, int], frozenset[tuple[str, int]]] | None:
    """The sidecar's target and what listens, when the one is not among the other."""
    target, listening = _target(evidence), _listeners(evidence)
    if target is None or listening is None or _serves(listening, target):
        return None
    return target, listening


def _names(evidence: Evidence) -> dict[str, str]:
    return {"pod": evidence.destination.pod.name if evidence.destination.pod else evidence.route.destination.service}


def _wrong_port(evidence: Evidence) -> Iterator[Symptom]:
    found = _mismatch(evidence)
    if found is None:
        return
    (_, port), listening = found
    others = sorted({at for _, at in listening})
    if others and port not in others and not _ailing(evidence):
        text = f"the sidecar passes on to port {port}; the pod listens on {', '.join(map(str, others))}"
        yield Symptom(text, names=_names(evidence) | {"port": str(others[0])})


def _loopback_only(evidence: Evidence) -> Iterator[Symptom]:
    found = _mismatch(evidence)
    if found and any(at == found[0][1] and host in LOOPBACK for host, at in found[1]):
        (address, port), _ = found
        text = f"the service listens on loopback only, and the sidecar passes on to {address}:{port}"
        yield Symptom(text, names=_names(evidence))


def _not_on_loopback(evidence: Evidence) -> Iterator[Symptom]:
    found = _mismatch(evidence)
    hosts = sorted(host for host, at in found[1] if at == found[0][1] and host not in LOOPBACK) if found else []
    if found and hosts and found[0][0] in LOOPBACK:
        text = f"the sidecar passes on to {found[0][0]}:{found[0][1]}, and the service listens on {hosts[0]} only"
        yield Symptom(text, names=_names(evidence))


def _ailing(evidence: Evidence) -> tuple[str, ...]:
    """Containers of the pod that do not run: the one that would listen may be among them, beside others that do."""
    return evidence.destination.pod.troubles if evidence.destination.pod else ()


def _not_listening(evidence: Evidence) -> Iterator[Symptom]:
    found, ailing = _mismatch(evidence), _ailing(evidence)
    if found and ailing and all(at != found[0][1] for _, at in found[1]):
        text = f"nothing listens on port {found[0][1]}, and a container does not run: {'; '.join(ailing)}"
        yield Symptom(text, names=_names(evidence))
    elif found and not found[1]:
        yield Symptom(
            f"nothing but Envoy listens in the pod, and the sidecar passes on to port {found[0][1]}",
            names=_names(evidence),
        )


def _refuses(evidence: Evidence) -> Iterator[Symptom]:
    """Where the pod's sockets could not be looked at, by Envoy's counters alone."""
    proxy = evidence.destination.sidecar
    if passage.failed(proxy, proxy.clusters.get(passage.LOCAL_APP) if proxy else None):
        target = _target(evidence)
        where = f"{target[0]}:{target[1]}" if target else "it"
        yield Symptom(f"the sidecar can't connect to the service at {where}", names=_names(evidence))


def _critical(evidence: Evidence) -> Iterator[Symptom]:
    view = evidence.destination.consul
    entries = (*(view.instances or ()), *(view.sidecars or ())) if view else ()
    groups = [group for group in ((view.instances or ()), (view.sidecars or ())) if group] if view else []
    if not entries or not any(all(entry.critical for entry in group) for group in groups):
        return
    check = next(check for entry in entries for check in entry.critical)
    said = f": {check.output[:160]}" if check.output else ""
    yield Symptom(f"every instance of {evidence.route.destination.service} is critical: {check.name}{said}")


def _served(evidence: Evidence) -> bool:
    """The request reached the service: the sidecar's connection to it was made, as it is before any handshake."""
    proxy = evidence.destination.sidecar
    local = proxy.clusters.get(passage.LOCAL_APP) if proxy else None
    return not passage.estranged(evidence) and passage.connected(proxy, local)


def _closes(evidence: Evidence) -> Iterator[Symptom]:
    request, proxy = evidence.request, evidence.destination.sidecar
    received = proxy.grew("cluster.local_app.", "upstream_cx_rx_bytes_total") if proxy else 0
    if request and request.ended == "closed" and _served(evidence) and not received and not passage.denied(proxy):
        chain = evidence.source.consul.chain if evidence.source.consul else None
        spoken = chain.protocol if chain else "tcp"
        maybe = "; it was sent HTTP, which it may not speak" if spoken == "tcp" else ""
        yield Symptom(f"the service accepted the connection and closed it without a byte{maybe}")


def _slow(evidence: Evidence) -> Iterator[Symptom]:
    request, proxy = evidence.request, evidence.destination.sidecar
    if request is None or not _served(evidence):
        return
    answered = proxy is not None and proxy.grew("cluster.local_app.", "upstream_cx_rx_bytes_total") > 0
    given_up = request.ended == "timeout" or ROUTE_TIMEOUT in request.head
    if given_up and not answered:  # else its answer was lost on the way
        who = "" if request.ended == "timeout" else ", when Envoy gave it up"
        yield Symptom(f"the service took the request and did not answer within {request.took_s:.1f} s{who}")
    way = evidence.measured.get(measures.THROUGH)
    spent = 3 * way.total_s if way and way.total_s else 0.0
    if request.ended == "answered" and request.took_s - spent > SLOW_S:
        yield Symptom(f"the first byte came after {request.took_s:.1f} s, of which the way takes about {spent:.1f} s")


def _errors(evidence: Evidence) -> Iterator[Symptom]:
    request = evidence.request
    own = request is not None and any(words in request.head for words in ENVOYS_OWN)
    if request and request.status >= FAILED and _served(evidence) and not own:
        yield Symptom(f"the service itself answers with status {request.status}")


def _protocol(evidence: Evidence) -> Iterator[Symptom]:
    proxy, there = evidence.destination.sidecar, evidence.route.destination
    chain = evidence.source.consul.chain if evidence.source.consul else None
    if chain and "protocol" in chain.error:
        yield Symptom(f"Consul says: {chain.error}", evidence.source.datacenter, "lookup")
        return
    spoken = chain.protocol if chain else "tcp"
    if proxy and proxy.grew("cluster.local_app.", "protocol_error"):
        yield Symptom(f"{there.service} is registered as {spoken}, and its answer is not that")
        return
    if proxy and chain and not chain.error and proxy.http != (spoken != "tcp"):
        words = "HTTP" if proxy.http else "TCP"
        yield Symptom(
            f"the source's datacenter speaks {spoken} to {there.service}, its sidecar expects {words}",
            hop="remote sidecar",
        )


CAUSES = (
    Cause(
        "health_critical",
        "service",
        "every instance of the destination is critical",
        "Consul leaves it out of all answers, so that nobody has an endpoint for it",
        "checks in the catalog of the destination's datacenter",
        "{kubectl_all} get pods -A | grep {destination}; mend what the check says",
        _critical,
    ),
    Cause(
        "wrong_port",
        "service",
        "the sidecar passes requests on to a port on which the service does not listen",
        "the connection is closed once the sidecar has tried",
        "sockets of the pod against the sidecar's target",
        "register the service with port {port}: consul.hashicorp.com/connect-service-port: '{port}'",
        _wrong_port,
    ),
    Cause(
        "service_loopback_only",
        "service",
        "the service listens on loopback, where its sidecar does not look",
        "the connection is closed once the sidecar has tried",
        "sockets of the pod against the sidecar's target",
        "let the sidecar's LocalServiceAddress be 127.0.0.1, or the service listen on the pod's address",
        _loopback_only,
    ),
    Cause(
        "service_not_on_loopback",
        "service",
        "the service listens on the pod's address, and its sidecar looks on loopback",
        "the connection is closed once the sidecar has tried",
        "sockets of the pod against the sidecar's target",
        "let the service listen on 127.0.0.1 or on all addresses, or set LocalServiceAddress to the pod's",
        _not_on_loopback,
    ),
    Cause(
        "service_not_listening",
        "service",
        "the service does not listen",
        "the connection is closed once the sidecar has tried",
        "sockets of the pod, or upstream_cx_connect_fail of local_app",
        "{kubectl_all} get pods -A | grep {pod}; then its logs: has the program started?",
        _not_listening,
    ),
    Cause(
        "protocol_mismatch",
        "service",
        "the two ends do not speak the protocol that is registered",
        "connections are reset, or answered with 502 or 503 (response flag UPE)",
        "protocol errors counted at the destination's sidecar, or the protocols of both ends",
        "set Protocol: {kubectl} exec consul-server-0 -- consul config read -kind service-defaults -name {destination}",
        _protocol,
    ),
    Cause(
        "service_closes",
        "service",
        "the service closes the connection without an answer",
        "empty replies; response flag UC",
        "the sidecar's connection to it was made and brought no byte",
        "{kubectl_all} get pods -A | grep {destination}; then the service's logs at the time of the request",
        _closes,
    ),
    Cause(
        "service_errors",
        "service",
        "the service answers with an error of its own",
        "status 5xx, from the service and not from Envoy",
        "the answer to the tagged request",
        "{kubectl_all} get pods -A | grep {destination}; then the service's logs; --path tries another path",
        _errors,
    ),
    Cause(
        "service_slow",
        "service",
        "the service is slow",
        "requests time out or take long, the way does not",
        "the tagged request reached the service at once, its answer did not come",
        "{kubectl_all} top pods -A | grep {destination}; then what the service waits for",
        _slow,
    ),
    Cause(
        "service_refuses",
        "service",
        "the service can't be connected to by its sidecar",
        "the connection is closed once the sidecar has tried",
        "upstream_cx_connect_fail of local_app grew with the tagged request",
        "{kubectl_all} get pods -A | grep {pod}; on which port does the program listen?",
        _refuses,
        weight="fallback",
    ),
)
