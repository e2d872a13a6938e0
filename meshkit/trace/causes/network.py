"""What is wrong between the clouds: no way, a way in one direction only, lost or vanishing packets, a closed port."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.trace import measures, places
from meshkit.trace.cause import Cause, Symptom, Weight
from meshkit.trace.causes import gateways
from meshkit.trace.evidence import Evidence, Measured

LOSS, LOST_AT_LEAST = 0.02, 2
"""Beyond what a healthy way between clouds loses, and never one packet alone."""

LONG_S = 0.4
"""Light in fibre goes to the other side of the earth and back in 200 ms; routes are half as long again."""

PARTLY_AT_LEAST = 4
"""Of all connections; one that fails by chance has lost two packets, so that many others have lost one."""

HEAVY_LOSS = 0.1
"""What a request of a dozen packets may fail by; TCP mends less than that in time."""

ENDED = frozenset({"timeout_tls", "reset", "closed"})
"""How a handshake ends that somebody on the way does not let through."""

VANISHED = frozenset({"timeout_connect", "unreachable", "no_route", "prohibited"})


def _pair(evidence: Evidence) -> tuple[Measured, Measured] | None:
    """Both directions, where both gateways are up and their own clusters reach them: only the way itself is left."""
    there, back = evidence.measured.get(measures.THERE), evidence.measured.get(measures.BACK)
    wrong = tuple(gateways._wrong_address(evidence))  # noqa: SLF001 - the same question, asked to leave its cases out
    if there is None or back is None or wrong:
        return None
    for side in (evidence.source, evidence.destination):
        if side.gateway_address is None or side.deselected:
            return None  # whether what was tried is its address at all is not known
        by_service, _ = gateways.inside(evidence, side)
        if not gateways.is_up(side) or (by_service and not by_service.ok):
            return None
        if side.gateway is not None and not side.gateway.configured:
            return None
    return there, back


def _silent(seen: Measured) -> bool:
    return seen.failed == seen.sent and seen.reason in VANISHED


def _cut(evidence: Evidence) -> Iterator[Symptom]:
    pair = _pair(evidence)
    if pair is None or not all(_silent(seen) for seen in pair) or _direction(evidence):
        return
    routers = evidence.measured.get(measures.PATH)
    last = f"; the last router that answers: {routers.answers[-1]}" if routers and routers.answers else ""
    text = f"no packet passes between {evidence.source.datacenter} and {evidence.destination.datacenter}{last}"
    yield Symptom(text, evidence.source.datacenter)


def _direction(evidence: Evidence) -> tuple[str, str] | None:
    """From where to where nothing passes, when a gateway has answered attempts whose answers never came back."""
    source, destination = evidence.source, evidence.destination
    if source.half_open and destination.half_open is False:
        return source.datacenter, destination.datacenter
    if destination.half_open and source.half_open is False:
        return destination.datacenter, source.datacenter
    return None


def _one_way(evidence: Evidence) -> Iterator[Symptom]:
    pair, direction = _pair(evidence), _direction(evidence)
    if pair and direction and all(_silent(seen) for seen in pair):
        begin, end = direction
        text = f"nothing passes from {begin} to {end}: packets from {end} arrive at {begin}, whose answers are lost"
        yield Symptom(text, begin)


def _blocked(evidence: Evidence) -> Iterator[Symptom]:
    pair = _pair(evidence)
    if pair is None:
        return
    there, back = pair
    here, far = evidence.source.datacenter, evidence.destination.datacenter
    for seen, other, begin, end in ((there, back, here, far), (back, there, far, here)):
        if _silent(seen) and not _silent(other):
            text = f"connections from {begin} to {end}'s gateway port end with {seen.reason}, those back pass"
            yield Symptom(text, end)


def _refused(evidence: Evidence) -> Iterator[Symptom]:
    pair = _pair(evidence)
    if pair and pair[0].reason in ("refused", "reset"):
        text = f"{evidence.destination.datacenter}'s public gateway port answers with {pair[0].reason}"
        yield Symptom(text + ", though the gateway runs")


def _lossy(seen: Measured) -> bool:
    lost = seen.failed + seen.resent
    if _partly(seen):
        return False
    return lost >= LOST_AT_LEAST and lost > LOSS * seen.sent and seen.failed < seen.sent


def _partly(seen: Measured) -> bool:
    """Some get no answer however often they are sent again, and no other needs that: chance loses packets of both."""
    fewer = min(seen.failed, seen.sent - seen.failed)
    return seen.failed >= PARTLY_AT_LEAST and seen.resent * 8 < fewer and seen.reason in VANISHED


def _partly_reachable(evidence: Evidence) -> Iterator[Symptom]:
    ends = (evidence.source.datacenter, evidence.destination.datacenter)
    for name, (begin, end) in ((measures.THERE, ends), (measures.BACK, ends[::-1])):
        seen = evidence.measured.get(name)
        if seen and _partly(seen):
            text = f"of {seen.sent} connections from {begin} to {end}'s gateway {seen.failed} get no answer"
            weight: Weight | None = "fallback" if name == measures.THERE and not evidence.passed else None
            yield Symptom(f"{text}, the others are made at once", end, weight=weight)


def _loss(evidence: Evidence) -> Iterator[Symptom]:
    ends = (evidence.source.datacenter, evidence.destination.datacenter)
    for name, (begin, end) in ((measures.THERE, ends), (measures.BACK, ends[::-1])):
        seen = evidence.measured.get(name)
        if seen and _lossy(seen):
            lost = seen.failed + seen.resent
            text = f"of {seen.sent} connections from {begin} to {end}, {lost} lost a packet"
            heavy = lost > HEAVY_LOSS * seen.sent and not evidence.passed
            yield Symptom(text, begin, weight="fallback" if heavy else None)
            return


def _slow(evidence: Evidence) -> Iterator[Symptom]:
    seen = evidence.measured.get(measures.THERE)
    if seen and seen.rtt_s is not None and seen.rtt_s > LONG_S:
        text = f"a packet to {evidence.destination.datacenter} and back takes {1000 * seen.rtt_s:.0f} ms"
        hangs = evidence.request is not None and evidence.request.ended == "timeout"
        yield Symptom(text, evidence.source.datacenter, weight="fallback" if hangs else None)


def _black_hole(evidence: Evidence) -> Iterator[Symptom]:
    seen = evidence.measured.get(measures.MTU)
    for answer in seen.answers if seen else ():
        if "vanish" in answer:
            hangs = evidence.request is not None and evidence.request.ended == "timeout"
            weight: Weight | None = "breaks" if hangs or _swallowed(evidence) else None
            yield Symptom(f"to {evidence.destination.datacenter}: {answer}", evidence.source.datacenter, weight=weight)
            return
    searched = seen is not None and seen.reason == "timeout_reply" and seen.detail.startswith("mtu:")  # echoes pass
    if searched and _swallowed(evidence):
        text = "small packets pass, handshakes hang, and no size of packet could be found that passes always"
        yield Symptom(text, evidence.source.datacenter, weight="breaks")


def _swallowed(evidence: Evidence) -> bool:
    """Connections are made at once and handshakes hang from afar, while they are answered inside the cluster.

    Whichever of several gateways or instances answers: one of them that hangs would look the same.
    """
    there, afar = evidence.measured.get(measures.THERE), evidence.measured.get(measures.AT_REMOTE_GATEWAY)
    near = evidence.measured.get(measures.AT_OWN_GATEWAY)
    if not (there and there.ok and not _lossy(there) and afar and afar.reason in ENDED and near and near.ok):
        return False
    return "destination gateway" not in evidence.unseen and not places.ailing(evidence)


def _handshake_blocked(evidence: Evidence) -> Iterator[Symptom]:
    if _swallowed(evidence):
        text = (
            f"connections to {evidence.destination.datacenter}'s gateway pass, handshakes do not; from inside they pass"
        )
        yield Symptom(text, evidence.source.datacenter)


CAUSES = (
    Cause(
        "link_cut",
        "network",
        "nothing passes between the two datacenters",
        "connections time out; gossip calls the other's servers failed",
        "connections to the gateway port time out in both directions, while each gateway answers in its own cluster",
        "ask the network's owner for TCP 443 between {source_dc} and {destination_dc}: routes, peering, firewalls",
        _cut,
    ),
    Cause(
        "link_cut_one_way",
        "network",
        "nothing passes in one direction between the two datacenters",
        "connections time out in both directions, since answers are lost",
        "attempts arrive at one gateway, where they stay half open (SYN_RECV), and none arrive at the other",
        "ask the network's owner for the way out of {datacenter}: asymmetric routes, egress rules, NAT",
        _one_way,
    ),
    Cause(
        "gateway_port_blocked",
        "network",
        "a gateway's port is blocked from one side",
        "connections one way time out, those the other way work",
        "connections to one gateway port time out, the other's answers",
        "allow TCP 443 to {datacenter}'s gateway in its security group, firewall or load balancer's source ranges",
        _blocked,
    ),
    Cause(
        "gateway_port_refused",
        "network",
        "what answers at the gateway's public address refuses",
        "connections are refused or reset at once",
        "a connection from the other cluster, while the gateway answers in its own",
        "{kubectl} get service meshkit-mesh-gateway -o yaml; then the load balancer's targets and health checks",
        _refused,
    ),
    Cause(
        "mtu_black_hole",
        "network",
        "large packets vanish between the two datacenters",
        "connections are made and then hang: handshakes and large answers do not pass",
        "echoes of one size pass, larger ones get neither an answer nor a router's word",
        'let ICMP "fragmentation needed" pass, or lower the MTU of the nodes or tunnel to what passes',
        _black_hole,
        weight="degrades",
    ),
    Cause(
        "packet_loss",
        "network",
        "packets are lost between the two datacenters",
        "slow requests and timeouts, some and not all",
        "TCP had to send handshakes again",
        "meshkit probe matrix says how many and which way; then ask the network's owner",
        _loss,
        weight="degrades",
    ),
    Cause(
        "gateway_partly_reachable",
        "network",
        "a part of the connections to a gateway's address gets no answer",
        "some requests time out and others pass, each connection for itself",
        "of many connections at once some are never answered, and no packet of the others is sent again",
        "one of several gateways, load balancer targets or routes is dead: {kubectl} get pods -l "
        "component=mesh-gateway -o wide; then the load balancer's targets and health checks",
        _partly_reachable,
        weight="degrades",
    ),
    Cause(
        "network_slow",
        "network",
        "the way between the two datacenters is longer than the earth is round",
        "every request takes several such round trips; short timeouts strike",
        "the kernel's round trip of connections to the other gateway",
        "{kubectl_all} top nodes; is a link full, or a tunnel led astray? then ask the network's owner",
        _slow,
        weight="degrades",
    ),
    Cause(
        "handshake_blocked",
        "network",
        "something on the way lets connections pass and no handshakes",
        "connections to the gateway hang or are reset after they are made",
        "a handshake from the other cluster gets no answer, one from the gateway's own cluster is answered",
        "look for a firewall or proxy that inspects TLS between {source_dc} and {destination_dc}; where echoes are "
        "dropped, it may be the MTU",
        _handshake_blocked,
        weight="fallback",
    ),
)
