"""Each cause is named by the evidence that shows it, at its hop, and by no other: a table of one change each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from fakes import evidence as seen
from fakes.clock import START
from fakes.evidence import CRITICAL, FAR, NEAR, REFUSED, TIMEOUT, healthy
from meshkit.trace import measures
from meshkit.trace.causes import CATALOGUE, CATEGORIES, by_code
from meshkit.trace.diagnosis import diagnose
from meshkit.trace.evidence import Chain, ChainTarget, EnvoyCluster, Evidence, Measured, Pod, Rule, Upstream

Change = Callable[[Evidence], Evidence]


@dataclass(frozen=True)
class Case:
    """What is changed of a healthy path, and what must be named."""

    code: str
    hop: str
    change: Change
    verdict: str = "broken"

    def __str__(self) -> str:
        """For pytest."""
        return f"{self.code} at {self.hop}"


def _views(source: dict[str, object] | None = None, destination: dict[str, object] | None = None) -> Change:
    return lambda e: seen.closed(seen.with_views(e, source or {}, destination or {}))


def _denied(action: str, source: str = "", destination: str = "") -> Change:
    rule = Rule(action, source, destination)
    return _views({"rule": rule}, {"rule": rule})


def _proxy(place: str, **changes: object) -> Change:
    return lambda e: seen.closed(seen.with_proxy(e, place, **changes))


def _sidecar(**changes: object) -> Change:
    """The destination's sidecar, registered otherwise."""

    def change(evidence: Evidence) -> Evidence:
        view = evidence.destination.consul
        assert view
        assert view.sidecars
        return seen.closed(seen.with_views(evidence, {}, {"sidecars": (replace(view.sidecars[0], **changes),)}))

    return change


def _listening(*places: tuple[str, int]) -> Change:
    """The destination's pod, listening otherwise."""

    def change(evidence: Evidence) -> Evidence:
        assert evidence.destination.pod
        envoys = {("10.42.0.5", 20000), ("127.0.0.1", 19000)}
        pod = replace(evidence.destination.pod, listening=frozenset(envoys | set(places)))
        return seen.closed(seen.with_destination(evidence, pod=pod))

    return change


def _chain(**changes: object) -> Change:
    return _views({"chain": Chain(**({"default": False} | changes))})


def _cut(*, source: bool | None, destination: bool | None) -> Change:
    def change(evidence: Evidence) -> Evidence:
        evidence = seen.with_measured(evidence, THERE=TIMEOUT, BACK=TIMEOUT)
        evidence = seen.with_source(evidence, half_open=source)
        return seen.with_request(seen.with_destination(evidence, half_open=destination), ended="timeout", head="")

    return change


def _measured(**changes: Measured) -> Change:
    return lambda e: seen.closed(seen.with_measured(e, **changes))


def _passes(change: Change) -> Change:
    """The same, while the request passes."""
    return lambda e: replace(change(e), request=healthy().request)


def _critical(evidence: Evidence) -> Evidence:
    view = evidence.destination.consul
    assert view
    assert view.instances
    ill = tuple(replace(entry, checks=CRITICAL) for entry in view.instances)
    return seen.closed(seen.with_views(evidence, {}, {"instances": ill}))


def _leaf(place: str, **changes: object) -> Change:
    def change(evidence: Evidence) -> Evidence:
        side = evidence.source if place.startswith("source") else evidence.destination
        assert side.sidecar
        assert side.sidecar.leaf
        return seen.closed(seen.with_proxy(evidence, place, leaf=replace(side.sidecar.leaf, **changes)))

    return change


def _no_upstream(evidence: Evidence) -> Evidence:
    view = evidence.source.consul
    assert view
    assert view.sidecars
    other = (replace(view.sidecars[0], upstreams=(Upstream("other", "aks", "127.0.0.1", 9000),)),)
    return replace(seen.with_views(evidence, {"sidecars": other}, {}), request=None)


def _mode_none(evidence: Evidence) -> Evidence:
    view = evidence.source.consul
    assert view
    assert view.sidecars
    upstream = replace(view.sidecars[0].upstreams[0], mode="")
    changed = (replace(view.sidecars[0], upstreams=(upstream,)),)
    return seen.closed(seen.with_views(evidence, {"sidecars": changed, "gateway_mode": ""}, {}))


DEAD = Pod("backend", "shop", "10.42.0.5", ready=False, troubles=("envoy: CrashLoopBackOff",))
SUBSET = ChainTarget("backend", "v2", "aks", filter='Service.Meta.version == "v2"', passing=0)
NO_REPLY = {"ended": "timeout", "status": 0, "head": "", "took_s": 3.0}
UNCONFIGURED = {"configured": False, "clusters": {}, "counters": {}, "state": "INITIALIZING"}
NO_ENDPOINT = EnvoyCluster(FAR)
ON_POD = EnvoyCluster("local_app", (("10.42.0.5", 8080, ""),))
APP = {"cluster.local_app.upstream_cx_total": 1, "cluster.local_app.upstream_cx_connect_fail": 1}

CASES = (
    Case("source_not_registered", "lookup", _views({"instances": (), "sidecars": ()})),
    Case("source_sidecar_missing", "source sidecar", _views({"sidecars": ()})),
    Case("destination_not_registered", "lookup", _views(None, {"instances": (), "sidecars": ()})),
    Case("upstream_missing", "lookup", _no_upstream),
    Case("subset_missing", "lookup", _chain(targets=(SUBSET,))),
    Case("subset_missing", "lookup", _chain(error='service "backend" has no subset named "v2"')),
    Case("chain_invalid", "lookup", _chain(error="circular redirect")),
    Case("redirect_dead", "lookup", _chain(targets=(ChainTarget("backend", "", "gcp", passing=0),))),
    Case(
        "failover_dead",
        "lookup",
        _chain(
            targets=(ChainTarget("backend", "", "aks", passing=0), ChainTarget("backend", "", "gcp", failover=True))
        ),
    ),
    Case("sidecar_missing", "remote sidecar", _views(None, {"sidecars": ()})),
    Case(
        "sidecar_address_stale",
        "remote sidecar",
        lambda e: seen.closed(seen.with_destination(e, pod=None, sidecar=None)),
    ),
    Case("sidecar_down", "remote sidecar", lambda e: seen.closed(seen.with_destination(e, pod=DEAD, sidecar=None))),
    Case(
        "envoy_hangs",
        "remote sidecar",
        lambda e: replace(
            seen.with_measured(seen.with_destination(seen.closed(e), sidecar=None), AT_SIDECAR=Measured("timeout_tls")),
            unseen={"destination sidecar": "no answer"},
        ),
    ),
    Case("sidecar_wrong_port", "remote sidecar", _sidecar(port=20007)),
    Case("xds_never_configured", "remote gateway", _proxy("destination gateway", **UNCONFIGURED)),
    Case("xds_never_configured", "source sidecar", _proxy("source sidecar", **UNCONFIGURED)),
    Case("xds_rejected", "remote sidecar", _proxy("destination sidecar", rejected=("public_listener: bad filter",))),
    Case(
        "connection_limit",
        "source sidecar",
        _proxy("source sidecar", counters={f"cluster.{FAR}.upstream_cx_overflow": 1}),
    ),
    Case("gateway_mode_none", "source sidecar", _mode_none),
    Case(
        "endpoint_ejected",
        "source sidecar",
        _proxy("source sidecar", clusters={FAR: EnvoyCluster(FAR, (("10.43.1.1", 443, "failed_outlier_check"),))}),
    ),
    Case("no_endpoint", "source sidecar", _proxy("source sidecar", clusters={FAR: NO_ENDPOINT})),
    Case("xds_disconnected", "source sidecar", _passes(_proxy("source sidecar", connected=False)), "degraded"),
    Case("xds_warming", "remote sidecar", _passes(_proxy("destination sidecar", warming=("local_app",))), "degraded"),
    Case(
        "sidecar_unreachable",
        "remote sidecar",
        lambda e: seen.closed(seen.with_measured(seen.with_destination(e, sidecar=None), SIDECAR=REFUSED)),
    ),
    Case(
        "gateway_down", "remote gateway", lambda e: seen.closed(seen.with_destination(e, gateway_ready=0, gateway=None))
    ),
    Case("gateway_down", "source gateway", lambda e: seen.closed(seen.with_source(e, gateway_ready=0, gateway=None))),
    Case("gateway_not_known", "source gateway", _views({"gateways": {"eks": (seen.EKS,)}})),
    Case("gateway_wrong_address", "network", _views({"gateways": {"aks": (("203.0.113.9", 443),)}})),
    Case("gateway_wrong_inside_address", "source gateway", _views({"lan_gateways": (("10.43.1.99", 443),)})),
    Case("service_address_dead", "remote gateway", _measured(DESTINATION_GATEWAY=REFUSED, THERE=TIMEOUT, BACK=TIMEOUT)),
    Case(
        "packets_dropped",
        "source gateway",
        lambda e: seen.closed(
            replace(
                e,
                measured=dict(e.measured)
                | {measures.SOURCE_GATEWAY: TIMEOUT, measures.SOURCE_GATEWAY + measures.POD: TIMEOUT},
            )
        ),
    ),
    Case("packets_dropped", "remote sidecar", _measured(SIDECAR=TIMEOUT)),
    Case("gateway_no_route", "source gateway", _proxy("source gateway", clusters={})),
    Case("gateway_unknown_service", "remote gateway", _proxy("destination gateway", clusters={})),
    Case(
        "sni_unknown",
        "remote gateway",
        _proxy("destination gateway", counters={"listener.0.0.0.0_8443.no_filter_chain_match": 1}),
    ),
    Case(
        "gateway_degraded",
        "remote gateway",
        lambda e: seen.with_destination(e, gateway_ready=1, gateway_desired=2),
        "degraded",
    ),
    Case("link_cut", "network", _cut(source=False, destination=False)),
    Case("link_cut", "network", _cut(source=None, destination=None)),
    Case("link_cut_one_way", "network", _cut(source=True, destination=False)),
    Case("link_cut_one_way", "network", _cut(source=False, destination=True)),
    Case("gateway_port_blocked", "network", _measured(THERE=TIMEOUT)),
    Case("gateway_port_refused", "network", _measured(THERE=Measured("refused", failed=40, sent=40))),
    Case("packet_loss", "network", _passes(_measured(THERE=Measured("ok", sent=40, resent=3))), "degraded"),
    Case("packet_loss", "network", _measured(THERE=Measured("timeout_connect", sent=40, failed=5, resent=20))),
    Case(
        "mtu_black_hole",
        "network",
        lambda e: seen.with_request(
            seen.with_measured(e, MTU=Measured("ok", answers=("mtu 1400, larger packets vanish without a word",))),
            **NO_REPLY,
        ),
    ),
    Case(
        "mtu_black_hole",
        "network",
        _measured(MTU=Measured("timeout_reply"), AT_REMOTE_GATEWAY=Measured("timeout_tls")),
    ),
    Case("handshake_blocked", "network", _measured(AT_REMOTE_GATEWAY=Measured("timeout_tls"))),
    Case("leaf_expired", "remote sidecar", _leaf("destination sidecar", not_after=START - timedelta(hours=1))),
    Case("leaf_expired", "source sidecar", _leaf("source sidecar", not_after=START - timedelta(hours=1))),
    Case("leaf_not_yet_valid", "remote sidecar", _leaf("destination sidecar", not_before=START + timedelta(hours=1))),
    Case(
        "leaf_expiring",
        "remote sidecar",
        _passes(_leaf("destination sidecar", not_after=START + timedelta(hours=1))),
        "degraded",
    ),
    Case(
        "trust_domain_differs",
        "remote sidecar",
        _leaf("destination sidecar", spiffe="spiffe://other.consul/ns/default/dc/aks/svc/backend"),
    ),
    Case(
        "wrong_san",
        "remote sidecar",
        _leaf("destination sidecar", spiffe=f"spiffe://{seen.DOMAIN}/ns/default/dc/aks/svc/other"),
    ),
    Case("roots_differ", "remote sidecar", _views(None, {"roots": frozenset({"d"})})),
    Case("roots_differ", "remote sidecar", _proxy("destination sidecar", trusted=frozenset({"d"}))),
    Case("roots_differ", "remote sidecar", _measured(AT_SIDECAR=Measured("tls_untrusted"))),
    Case("server_ca_differs", "planes", lambda e: seen.closed(seen.with_source(e, ca="cd"))),
    Case("clock_skew", "planes", lambda e: seen.with_source(e, skew_s=900.0), "degraded"),
    Case("intention_deny", "remote sidecar", _denied("deny", "frontend", "backend")),
    Case("intention_deny_wildcard", "remote sidecar", _denied("deny", "*", "backend")),
    Case("intention_deny_wildcard", "remote sidecar", _denied("deny", "frontend", "*")),
    Case("intention_missing", "remote sidecar", _denied("deny", "*", "*")),
    Case("intention_missing", "remote sidecar", _denied("deny")),
    Case(
        "intention_permissions",
        "remote sidecar",
        lambda e: seen.with_request(
            _denied("permissions", "frontend", "backend")(e), ended="answered", status=403, head="RBAC: access denied"
        ),
    ),
    Case("intention_not_replicated", "remote sidecar", _views({"rule": Rule("deny", "*", "*")})),
    Case(
        "intention_not_applied",
        "remote sidecar",
        _proxy("destination sidecar", counters={"connect_authz.rbac.denied": 1}),
    ),
    Case("health_critical", "service", _critical),
    Case("wrong_port", "service", _listening(("::", 9090))),
    Case(
        "service_loopback_only",
        "service",
        _proxy("destination sidecar", clusters={"local_app": ON_POD}),
    ),
    Case("service_not_on_loopback", "service", _listening(("10.42.0.5", 8080))),
    Case("service_not_listening", "service", _listening()),
    Case(
        "service_closes", "service", _proxy("destination sidecar", counters={"cluster.local_app.upstream_cx_total": 1})
    ),
    Case("service_slow", "service", lambda e: seen.with_request(e, **NO_REPLY)),
    Case("service_slow", "service", lambda e: seen.with_request(e, took_s=2.5), "degraded"),
    Case(
        "service_errors", "service", lambda e: seen.with_request(e, status=503, head="HTTP/1.1 503 Service Unavailable")
    ),
    Case(
        "protocol_mismatch",
        "service",
        _proxy("destination sidecar", counters={"cluster.local_app.upstream_cx_protocol_error": 1}),
    ),
    Case("protocol_mismatch", "lookup", _chain(error="inconsistent protocols: http and tcp")),
    Case(
        "protocol_mismatch",
        "remote sidecar",
        _chain(protocol="http", targets=(ChainTarget("backend", "", "aks", passing=1),)),
    ),
    Case(
        "service_refuses",
        "service",
        lambda e: _proxy("destination sidecar", counters=APP)(
            seen.with_destination(e, pod=replace(healthy().destination.pod or DEAD, listening=None))
        ),
    ),
    Case("no_leader", "planes", _views(None, {"leader": ""})),
    Case("servers_unreachable", "planes", lambda e: seen.with_destination(e, consul=None), "degraded"),
    Case("token_lost", "planes", lambda e: seen.with_destination(e, lost_tokens=("mesh-gateway",)), "degraded"),
    Case("replication_stopped", "planes", _passes(_views({"replication": "ACL replication does not run"})), "degraded"),
    Case("wan_member_failed", "planes", _passes(_views({"wan": {"consul-server-0.aks": "failed"}})), "degraded"),
    Case("servers_apart", "planes", _passes(_views({"peers": None})), "degraded"),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_change_is_named(case: Case) -> None:
    """The code and the hop; the remedy is complete, and the evidence says something."""
    found = diagnose(case.change(healthy()))

    assert found.cause, [finding.code for finding in found.beside]
    assert (found.cause.code, found.first_broken, found.verdict) == (case.code, case.hop, case.verdict)
    assert "{" not in found.cause.remedy
    assert found.cause.text


def test_every_cause_has_a_case() -> None:
    """Notes aside, which are never the cause of anything."""
    notes = {cause.code for cause in CATALOGUE if cause.weight == "note"}
    assert {case.code for case in CASES} == {cause.code for cause in CATALOGUE} - notes


def test_a_healthy_path_has_no_finding() -> None:
    """Nothing is found in the evidence that all the cases start from."""
    found = diagnose(healthy())

    assert (found.verdict, found.cause, found.beside) == ("healthy", None, ())
    assert [hop.verdict for hop in found.hops] == ["passes"] * 7
    assert found.tried


def test_codes_are_unique_and_texts_are_plain() -> None:
    """One page per code; a fact is one lower-case sentence without a full stop."""
    codes = [cause.code for cause in CATALOGUE]
    assert len(set(codes)) == len(codes) >= 40
    assert all(by_code(code) for code in codes)
    for cause in CATALOGUE:
        for text in (cause.fact, cause.symptom, cause.evidence):
            assert text
            assert not text.endswith(".")
    assert all(CATEGORIES.values())


def test_the_name_of_the_near_gateway_cluster() -> None:
    """The evidence's own names are those that Envoy uses."""
    assert NEAR in (healthy().source.gateway or pytest.fail("no gateway")).clusters
