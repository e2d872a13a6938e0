"""What must not be named: a wrong name is worse than none, and what is measured badly is no evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fakes import changes
from fakes import evidence as seen
from fakes.cases import DEAD, HEAVY, NO_REPLY
from fakes.evidence import FAR, TIMEOUT, healthy
from meshkit.trace import measures
from meshkit.trace.diagnosis import Diagnosis, diagnose
from meshkit.trace.evidence import ChainTarget, Evidence, HealthCheck, Measured
from meshkit.trace.hops import Party, Route
from meshkit.trace.proxy import EnvoyCluster


def named(evidence: Evidence) -> tuple[str, str]:
    """Verdict and cause."""
    found = diagnose(evidence)
    return found.verdict, found.cause.code if found.cause else ""


def codes(found: Diagnosis) -> set[str]:
    """Everything that was found."""
    return {finding.code for finding in (found.cause, *found.beside) if finding}


def test_a_service_whose_answer_was_lost_is_not_slow() -> None:
    """Its sidecar had the answer; of what is lost on the way, the network is named."""
    unanswered = seen.with_request(healthy(), **NO_REPLY)

    assert named(unanswered) == ("unknown", "")
    assert named(seen.with_measured(unanswered, THERE=HEAVY)) == ("broken", "packet_loss")


def test_a_lossy_way_is_no_black_hole() -> None:
    """A handshake that hangs where connections lose packets too says nothing of their size."""
    lossy = Measured("ok", sent=40, resent=6)
    hangs, unsearched = Measured("timeout_tls"), Measured("timeout_reply", "mtu: did not end in time")
    evidence = seen.with_measured(healthy(), THERE=lossy, AT_REMOTE_GATEWAY=hangs, MTU=unsearched)

    assert named(seen.with_request(evidence, **NO_REPLY)) == ("broken", "packet_loss")


@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_gateway_whose_address_is_not_known_is_not_called_cut_off(side: str) -> None:
    """What was tried may not have been its address."""
    evidence = changes.cut(source=False, destination=False)(healthy())
    unseen = replace(getattr(evidence, side), gateway_address=None)

    assert named(evidence) == ("broken", "link_cut")
    assert named(replace(evidence, **{side: unseen})) == ("unknown", "")


def test_a_port_is_not_called_blocked_where_only_one_side_was_measured() -> None:
    """The other direction would tell."""
    evidence = seen.with_measured(seen.with_request(healthy(), **NO_REPLY), THERE=TIMEOUT)
    measured = {name: found for name, found in evidence.measured.items() if name != measures.BACK}

    assert named(replace(evidence, measured=measured)) == ("unknown", "")


def test_the_sources_gateway_is_no_part_of_a_path_that_goes_around_it() -> None:
    """With mesh gateway mode remote, that it is down breaks nothing."""
    evidence = seen.with_source(changes.remote_mode(healthy()), gateway_ready=0, gateway=None)

    assert "gateway_down" not in codes(diagnose(evidence))


def test_a_mode_that_stands_elsewhere_is_believed_by_what_it_does() -> None:
    """The source's Envoy dials a gateway, so some config entry told it to."""
    evidence = changes.no_gateway_mode(healthy())
    dials = seen.with_proxy(evidence, "source sidecar", clusters={FAR: seen.cluster(FAR, "10.43.1.1", 443)})

    assert "gateway_mode_none" not in codes(diagnose(dials))


@pytest.mark.parametrize(("datacenter", "missing"), [("eks", False), ("aks", True)])
def test_a_transparent_sidecar_needs_no_upstream_at_home(datacenter: str, missing: bool) -> None:  # noqa: FBT001 - a column
    """Consul takes traffic in transparently within a datacenter alone."""
    evidence = changes.no_upstream(healthy())
    view = evidence.source.consul
    assert view
    assert view.sidecars
    evidence = seen.with_views(evidence, {"sidecars": (replace(view.sidecars[0], transparent=True),)}, {})
    route = Route(evidence.route.source, Party(datacenter, "backend"))

    assert ("upstream_missing" in codes(diagnose(replace(evidence, route=route)))) is missing


@pytest.mark.parametrize("forwards", [False, None])
def test_names_that_nobody_asks_for_are_a_note(forwards: bool | None) -> None:  # noqa: FBT001 - a column of the table
    """A cluster whose DNS was never set up for Consul is not broken."""
    found = diagnose(changes.dns("name_not_found", forwards=forwards)(healthy()))

    assert (found.verdict, found.cause) == ("healthy", None)
    assert [(finding.code, finding.weight) for finding in found.beside] == [("dns_not_forwarded", "note")]


def test_one_unanswered_question_is_not_a_dead_dns() -> None:
    """The cluster's own names are answered, be it that they do not exist."""
    found = diagnose(changes.dns("timeout_reply", cluster="name_not_found")(healthy()))

    assert "cluster_dns_down" not in codes(found)


def test_certificates_are_judged_by_the_clusters_time() -> None:
    """This machine's clock is a week behind; nothing in the mesh is."""
    week_s = 7 * 86400.0
    behind = changes.all_clocks(week_s)(replace(healthy(), taken_at=healthy().taken_at - timedelta(seconds=week_s)))

    assert codes(diagnose(behind)) == {"clock_skew"}


def test_a_clock_that_is_off_breaks_only_what_it_judges() -> None:
    """A gateway looks at no certificate, and ten minutes are within every certificate's life."""
    week_s = 7 * 86400.0
    assert "not valid" not in str(diagnose(changes.skewed("destination gateway", week_s)(healthy())).cause)
    assert "not valid" not in str(diagnose(changes.skewed("destination sidecar", 600.0)(healthy())).cause)


def test_an_address_of_no_pod_that_answers_is_a_machine() -> None:
    """Consul's members need not be pods."""
    assert codes(diagnose(seen.closed(seen.with_destination(healthy(), pod=None, sidecar=None)))) == set()


def test_a_second_address_that_leads_to_the_gateway_is_no_wrong_one() -> None:
    """Its Service need not know every address: one of DNS, or of a NAT before it."""
    known = {"gateways": {"aks": (("gateway.example", 443),)}, "lan_gateways": (("10.42.1.99", 443),)}

    assert codes(diagnose(changes.views(known)(healthy()))) == set()


@pytest.mark.parametrize(
    ("passing", "cause"), [(0, ("broken", "failover_dead")), (None, ("broken", "link_cut"))], ids=["counted", "unasked"]
)
def test_a_target_that_nobody_could_count_is_not_dead(passing: int | None, cause: tuple[str, str]) -> None:
    """While the link is cut, the other datacenter's instances are only not known."""
    targets = (
        ChainTarget("backend", "", "aks", passing=passing),
        ChainTarget("backend", "", "gcp", failover=True),
    )
    chained = changes.chain(targets=targets)(healthy())

    assert named(changes.cut(source=False, destination=False)(chained)) == cause


def test_a_redirect_whose_target_nobody_could_count_explains_only_what_nothing_else_does() -> None:
    """It may be well."""
    redirect = changes.chain(targets=(ChainTarget("backend", "", "gcp"),))
    redirected = redirect(healthy())

    assert named(redirected) == ("broken", "redirect_dead")
    assert named(changes.passes(redirect)(healthy())) == ("healthy", "")
    assert named(changes.cut(source=False, destination=False)(redirected)) == ("broken", "link_cut")


@pytest.mark.parametrize(
    ("name", "endpoints"),
    [
        (FAR, (("10.43.1.1", 443, "failed_outlier_check"), ("10.43.1.2", 443, ""))),
        ("other.default.aks.internal", (("10.43.1.1", 443, "failed_outlier_check"),)),
    ],
    ids=["another is left", "another service's"],
)
def test_an_ejection_beside_the_path_is_none_of_its(name: str, endpoints: tuple[tuple[str, int, str], ...]) -> None:
    """Requests go to what is left."""
    clusters = {FAR: seen.cluster(FAR, "10.43.1.1", 443), name: EnvoyCluster(name, endpoints)}

    assert codes(diagnose(changes.envoy("source sidecar", clusters=clusters)(healthy()))) == set()


def test_what_ejects_comes_before_the_ejection() -> None:
    """An Envoy that gave up on an endpoint had its reasons, further on."""
    down = seen.closed(seen.with_destination(healthy(), pod=DEAD, sidecar=None))
    ejected = EnvoyCluster(FAR, (("10.43.1.1", 443, "failed_outlier_check"),))

    assert named(seen.with_proxy(down, "source sidecar", clusters={FAR: ejected})) == ("broken", "sidecar_down")


def test_a_container_that_is_not_envoys_does_not_make_a_sidecar_down() -> None:
    """A pod may hold others, and its Envoy's admin may only not be where it is looked for."""
    ailing = replace(DEAD, troubles=("metrics: CrashLoopBackOff",))

    assert "sidecar_down" not in codes(
        diagnose(seen.closed(seen.with_destination(healthy(), pod=ailing, sidecar=None)))
    )


def test_a_service_on_a_unix_socket_has_no_port_to_be_wrong() -> None:
    """Its sidecar goes to a path."""
    piped = EnvoyCluster("local_app", (("", 0, ""),))

    assert codes(diagnose(changes.envoy("destination sidecar", clusters={"local_app": piped})(healthy()))) == set()


def test_another_instance_that_answers_is_no_finding() -> None:
    """Only one that does not is."""
    found = {f"{measures.OTHER}10.42.0.6:20000": Measured("ok")}

    assert codes(diagnose(replace(healthy(), measured=dict(healthy().measured) | found))) == set()


def test_a_request_that_another_instance_got_was_not_dropped_before_this_one() -> None:
    """The gateway spreads requests, and the one that is followed answers when asked itself."""
    dropped = seen.with_proxy(
        changes.measured(AT_OWN_GATEWAY=Measured("timeout_tls"))(healthy()), "destination sidecar", counters={}
    )
    other = {f"{measures.OTHER}10.42.0.6:20000": Measured("refused", failed=1)}

    assert named(dropped) == ("broken", "packets_dropped")
    assert named(replace(dropped, measured=dict(dropped.measured) | other)) == ("broken", "instance_unreachable")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("source sidecar", "elsewhere?dc=aks:127.0.0.1:8080: cannot bind"),
        ("source sidecar", "backend-v2?dc=aks:127.0.0.1:8080: cannot bind"),
        ("destination sidecar", "other.default.aks.internal: bad"),
    ],
)
def test_what_an_envoy_refuses_beside_the_path_is_a_note(place: str, words: str) -> None:
    """It keeps its word on a listener that nobody wants any longer."""
    found = diagnose(seen.with_proxy(healthy(), place, rejected=(words,)))

    assert (found.verdict, [(finding.code, finding.weight) for finding in found.beside]) == (
        "healthy",
        [("xds_rejected", "note")],
    )


def test_an_answer_of_somebody_else_is_none() -> None:
    """Nothing of the source's Envoy listens on the upstream's port."""
    stray = seen.with_proxy(healthy(), "source sidecar", listeners={"public_listener": ("10.42.1.5", 20000)})

    assert not stray.passed
    assert named(stray)[0] == "unknown"


@pytest.mark.parametrize(("status", "stale"), [("passing", False), ("critical", True)])
def test_a_member_of_gossip_is_no_stale_address(status: str, stale: bool) -> None:  # noqa: FBT001 - a column
    """A service on a virtual machine, which has a Consul agent and no pod."""
    view = healthy().destination.consul
    assert view
    assert view.sidecars
    member = replace(view.sidecars[0], checks=(HealthCheck("Serf Health Status", status),))
    evidence = seen.with_views(seen.closed(healthy()), {}, {"sidecars": (member,)})
    measured = {name: found for name, found in evidence.measured.items() if name != measures.SIDECAR}
    podless = seen.with_destination(replace(evidence, measured=measured), pod=None, sidecar=None)

    assert ("sidecar_address_stale" in codes(diagnose(podless))) is stale


BUSY = {
    "totals": {"cluster.local_app.upstream_cx_total": 36000, "connect_authz.rbac.denied": 36000},
    "uptime_s": 3600.0,
}
QUIET = {"totals": {"cluster.local_app.upstream_cx_total": 36, "connect_authz.rbac.denied": 36}, "uptime_s": 3600.0}


@pytest.mark.parametrize(("traffic", "first"), [(QUIET, "service"), (BUSY, None)], ids=["quiet", "busy"])
def test_how_far_a_request_came_is_not_told_by_others(traffic: dict[str, Any], first: str | None) -> None:
    """Ten a second pass there anyway, so what was counted may not be it."""
    lost = seen.with_request(healthy(), **NO_REPLY)
    found = diagnose(seen.with_proxy(lost, "destination sidecar", **traffic))

    assert (found.verdict, found.first_broken) == ("unknown", first)
    assert {hop.verdict for hop in found.hops} <= {"passes", "broken", "not reached"} if first else {"not seen"}


@pytest.mark.parametrize(("traffic", "cause"), [(QUIET, "intention_not_applied"), (BUSY, "")], ids=["quiet", "busy"])
def test_what_others_are_denied_is_not_this_request(traffic: dict[str, Any], cause: str) -> None:
    """A sidecar that refuses ten a second of somebody else says nothing of one that was closed."""
    counted = {"connect_authz.rbac.denied": 1}
    denied = changes.envoy("destination sidecar", counters=counted, **traffic)(healthy())

    assert named(denied)[1] == cause


@pytest.mark.parametrize(
    "change",
    [
        lambda e: seen.with_measured(e, THERE=HEAVY),
        changes.remote_mode,
        lambda e: replace(e, unseen={"source gateway": "no answer within 4 s"}),
        changes.other_instance("timeout_tls"),
        changes.gateway_pod(measures.DESTINATION_POD),
    ],
    ids=["loss", "mode remote", "a gateway that could not be read", "another instance hangs", "another gateway hangs"],
)
def test_a_request_that_its_gateway_may_have_lost_is_not_called_dropped_before_it(change: changes.Change) -> None:
    """A handshake that was luckier says nothing where each connection goes another way, or where loss decides."""
    begun = {f"cluster.{FAR}.upstream_cx_total": 1}
    lost = changes.counted(change(healthy()), sidecar=begun, gateway={f"cluster.{seen.NEAR}.upstream_cx_total": 1})

    assert "packets_dropped" not in codes(diagnose(seen.with_request(lost, **NO_REPLY)))


@pytest.mark.parametrize("measured", [measures.OTHER, measures.DESTINATION_POD], ids=["instance", "gateway"])
def test_a_handshake_that_met_the_one_of_several_that_hangs_tells_nothing_of_the_way(measured: str) -> None:
    """The one from inside met another."""
    hangs = Measured("timeout_tls", failed=1)
    evidence = changes.measured(AT_REMOTE_GATEWAY=hangs, THROUGH=hangs)(healthy())
    evidence = changes.of_several(evidence, measured, "ok", "timeout_tls")

    assert codes(diagnose(evidence)) & {"handshake_blocked", "packets_dropped"} == set()


@pytest.mark.parametrize(
    ("measured", "ends", "code"),
    [
        (measures.SOURCE_POD, {"AT_REMOTE_GATEWAY": "timeout_tls", "THROUGH": "timeout_tls"}, "handshake_blocked"),
        (measures.DESTINATION_POD, {"AT_SIDECAR": "timeout_tls", "THROUGH": "timeout_tls"}, ""),
        (measures.OTHER, {}, "instance_unreachable"),
    ],
    ids=["the way", "the sidecar", "an instance"],
)
def test_what_lies_beyond_a_gateways_pods_is_not_called_theirs(measured: str, ends: dict[str, str], code: str) -> None:
    """Handshakes with them end at the destination's sidecar."""
    evidence = changes.measured(**{name: Measured(reason, failed=1) for name, reason in ends.items()})(healthy())
    for prefix in {measures.SOURCE_POD, measures.DESTINATION_POD, measured}:
        evidence = changes.of_several(evidence, prefix, "ok" if measured == measures.OTHER else "reset", "timeout_tls")

    assert named(evidence) == (("broken", code) if code else ("unknown", ""))


def test_what_the_prober_could_not_do_is_nobodys_fault() -> None:
    """It had no certificate yet."""
    evidence = changes.of_several(healthy(), measures.OTHER, "no_identity", "not_permitted")

    assert named(changes.of_several(evidence, measures.SOURCE_POD, "ok", "no_identity")) == ("healthy", "")


@pytest.mark.parametrize("fault", ["ssl.connection_error", "ssl.fail_verify_error"])
@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ({"status": 500, "head": "HTTP/1.1 500 Internal Server Error"}, "service_errors"),
        (NO_REPLY, "service_slow"),
        ({"ended": "closed", "status": 0, "head": ""}, "service_closes"),
    ],
    ids=["errors", "hangs", "closes"],
)
def test_a_strangers_handshake_is_not_the_sources(fault: str, ends: dict[str, Any], code: str) -> None:
    """A scanner that speaks no TLS, or a client whose certificate has run out, counts at the same listener."""
    sidecar = healthy().destination.sidecar
    assert sidecar
    answered = {"upstream_cx_rx_bytes_total"} if code != "service_errors" else set()
    counters = {name: n for name, n in sidecar.counters.items() if not any(part in name for part in answered)}
    counters |= {f"listener.10.42.0.5_20000.{fault}": 1}
    evidence = seen.with_proxy(healthy(), "destination sidecar", counters=counters)

    assert named(seen.with_request(evidence, **ends)) == ("broken", code)


@pytest.mark.parametrize(
    ("known", "dialled"),
    [
        ((seen.AKS,), (("203.0.113.99", 443),)),
        ((seen.AKS, ("203.0.113.99", 443)), (seen.AKS, ("203.0.113.99", 443))),
    ],
    ids=["an old address", "one of two"],
)
def test_a_gateway_that_goes_elsewhere_loses_nothing_that_others_bring_there(
    known: tuple[tuple[str, int], ...], dialled: tuple[tuple[str, int], ...]
) -> None:
    """The probes tried the first address that the servers know."""
    cluster = EnvoyCluster(seen.NEAR, tuple((*at, "") for at in dialled))
    lost = seen.with_views(changes.leaving_vanishes(healthy()), {"gateways": {"aks": known}}, {})

    assert "packets_dropped" not in codes(
        diagnose(seen.with_proxy(lost, "source gateway", clusters={seen.NEAR: cluster}))
    )


@pytest.mark.parametrize("prefix", ["v2.", "failover-target~0~"])
def test_an_overflow_of_any_target_of_the_chain_is_this_paths(prefix: str) -> None:
    """A subset's and a failover's clusters have names of their own; under steady load others' count too."""
    name = f"cluster.{prefix}{FAR}.upstream_cx_overflow"
    busy = {"counters": {name: 3}, "totals": {name: 36000}, "uptime_s": 3600.0}

    assert named(changes.envoy("source sidecar", counters={name: 3})(healthy())) == ("broken", "connection_limit")
    assert named(changes.envoy("source sidecar", **busy)(healthy())) == ("broken", "connection_limit")


def test_heavy_loss_is_no_dead_backend() -> None:
    """So few get through that hardly one is left to have been sent again."""
    for failed, resent in ((37, 2), (33, 3), (30, 3)):
        heavy = Measured("timeout_connect", sent=40, failed=failed, resent=resent)
        assert named(changes.measured(THERE=heavy)(healthy())) == ("broken", "packet_loss")


def test_filtered_echoes_are_no_black_hole() -> None:
    """Where no echo at all is answered, their size was never tried."""
    unanswered = Measured("timeout_reply", "no answer from the target within 20 hops")
    hangs = changes.measured(MTU=unanswered, AT_REMOTE_GATEWAY=Measured("timeout_tls"))(healthy())

    assert named(hangs) == ("broken", "handshake_blocked")
    assert "mtu_black_hole" not in codes(diagnose(hangs))


def test_a_service_that_no_handshake_came_to_does_not_close() -> None:
    """Envoy connects to its service as soon as it is connected to, before it knows by whom."""
    refused = changes.estranged({f"cluster.{FAR}.ssl.fail_verify_error": 1}, {})(healthy())

    assert named(refused) == ("unknown", "")
    assert diagnose(refused).first_broken == "remote sidecar"


def test_anothers_overflow_is_not_this_paths() -> None:
    """An Envoy has other upstreams."""
    source = healthy().source.sidecar
    assert source
    counters = dict(source.counters) | {"cluster.search.default.aks.internal.x.upstream_cx_overflow": 1}

    assert named(changes.envoy("source sidecar", counters=counters)(healthy())) == ("unknown", "")


def test_a_gateway_that_the_path_does_not_go_by_is_not_missed() -> None:
    """In mesh gateway mode remote the source's own gateway need not be in the catalog."""
    assert named(seen.with_views(changes.remote_mode(healthy()), {"lan_gateways": ()}, {})) == ("unknown", "")


def test_what_ejects_at_a_gateway_comes_before_its_not_knowing_the_service() -> None:
    """It knows the service, and left its endpoint out."""
    down = seen.closed(seen.with_destination(healthy(), pod=DEAD, sidecar=None))
    ejected = EnvoyCluster(FAR, (("10.42.0.5", 20000, "failed_outlier_check"),))

    assert named(seen.with_proxy(down, "destination gateway", clusters={FAR: ejected})) == ("broken", "sidecar_down")


@pytest.mark.parametrize("status", [404, 429])
def test_an_envoys_own_refusal_is_not_healthy(status: int) -> None:
    """The service got nothing; which Envoy refused is not known."""
    refused = seen.with_request(healthy(), status=status, head=f"HTTP/1.1 {status} No")
    found = diagnose(seen.with_proxy(refused, "destination sidecar", counters={}))

    assert (found.verdict, found.first_broken) == ("unknown", None)
    assert named(refused) == ("healthy", "")


def test_where_a_connection_that_is_only_begun_ends() -> None:
    """It has not come to the other side."""
    begun = changes.counted(
        healthy(),
        sidecar={f"cluster.{FAR}.upstream_cx_total": 1},
        gateway={f"cluster.{seen.NEAR}.upstream_cx_total": 1},
    )

    assert diagnose(seen.with_request(begun, **NO_REPLY)).first_broken == "network"


def test_a_request_of_which_no_envoy_told_ends_nowhere() -> None:
    """That nothing was counted says something only where counters were read."""
    unread = seen.with_source(seen.with_destination(healthy(), sidecar=None, gateway=None), sidecar=None, gateway=None)

    assert diagnose(seen.closed(unread)).first_broken is None
