"""Each cause is named by the evidence that shows it, at its hop, and by no other: a table of one change each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from fakes import changes
from fakes import evidence as seen
from fakes.changes import Change
from fakes.clock import START
from fakes.evidence import FAR, NEAR, REFUSED, TIMEOUT, healthy
from meshkit.trace import measures
from meshkit.trace.causes import CATALOGUE, CATEGORIES, by_code
from meshkit.trace.diagnosis import diagnose
from meshkit.trace.evidence import ChainTarget, EnvoyCluster, Measured, Pod, Rule


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


DEAD = Pod("backend", "shop", "10.42.0.5", ready=False, troubles=("envoy: CrashLoopBackOff",))
SUBSET = ChainTarget("backend", "v2", "aks", filter='Service.Meta.version == "v2"', passing=0)
HEAVY = Measured("timeout_connect", sent=40, failed=5, resent=20)
NO_REPLY = {"ended": "timeout", "status": 0, "head": "", "took_s": 3.0}
UNCONFIGURED = {"configured": False, "clusters": {}, "counters": {}, "state": "INITIALIZING"}
NO_ENDPOINT = EnvoyCluster(FAR)
ON_POD = EnvoyCluster("local_app", (("10.42.0.5", 8080, ""),))
APP = {"cluster.local_app.upstream_cx_total": 1, "cluster.local_app.upstream_cx_connect_fail": 1}

CASES = (
    Case("source_not_registered", "lookup", changes.views({"instances": (), "sidecars": ()})),
    Case("source_sidecar_missing", "source sidecar", changes.views({"sidecars": ()})),
    Case("destination_not_registered", "lookup", changes.views(None, {"instances": (), "sidecars": ()})),
    Case("upstream_missing", "lookup", changes.no_upstream),
    Case("subset_missing", "lookup", changes.chain(targets=(SUBSET,))),
    Case("subset_missing", "lookup", changes.chain(error='service "backend" has no subset named "v2"')),
    Case("chain_invalid", "lookup", changes.chain(error="circular redirect")),
    Case("redirect_dead", "lookup", changes.chain(targets=(ChainTarget("backend", "", "gcp", passing=0),))),
    Case(
        "failover_dead",
        "lookup",
        changes.chain(
            targets=(ChainTarget("backend", "", "aks", passing=0), ChainTarget("backend", "", "gcp", failover=True))
        ),
    ),
    Case("sidecar_missing", "remote sidecar", changes.views(None, {"sidecars": ()})),
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
    Case("sidecar_wrong_port", "remote sidecar", changes.sidecar(port=20007)),
    Case("xds_never_configured", "remote gateway", changes.envoy("destination gateway", **UNCONFIGURED)),
    Case("xds_never_configured", "source sidecar", changes.envoy("source sidecar", **UNCONFIGURED)),
    Case(
        "xds_rejected",
        "remote sidecar",
        changes.envoy("destination sidecar", rejected=("public_listener: bad filter",)),
    ),
    Case(
        "connection_limit",
        "source sidecar",
        changes.envoy("source sidecar", counters={f"cluster.{FAR}.upstream_cx_overflow": 1}),
    ),
    Case("gateway_mode_none", "source sidecar", changes.no_gateway_mode),
    Case(
        "endpoint_ejected",
        "source sidecar",
        changes.envoy(
            "source sidecar", clusters={FAR: EnvoyCluster(FAR, (("10.43.1.1", 443, "failed_outlier_check"),))}
        ),
    ),
    Case("no_endpoint", "source sidecar", changes.envoy("source sidecar", clusters={FAR: NO_ENDPOINT})),
    Case(
        "xds_disconnected",
        "source sidecar",
        changes.passes(changes.envoy("source sidecar", connected=False)),
        "degraded",
    ),
    Case(
        "xds_warming",
        "remote sidecar",
        changes.passes(changes.envoy("destination sidecar", warming=("local_app",))),
        "degraded",
    ),
    Case(
        "sidecar_unreachable",
        "remote sidecar",
        lambda e: seen.closed(seen.with_measured(seen.with_destination(e, sidecar=None), SIDECAR=REFUSED)),
    ),
    Case(
        "gateway_down", "remote gateway", lambda e: seen.closed(seen.with_destination(e, gateway_ready=0, gateway=None))
    ),
    Case("gateway_down", "source gateway", lambda e: seen.closed(seen.with_source(e, gateway_ready=0, gateway=None))),
    Case("gateway_not_known", "source gateway", changes.views({"gateways": {"eks": (seen.EKS,)}})),
    Case("gateway_wrong_address", "network", changes.views({"gateways": {"aks": (("203.0.113.9", 443),)}})),
    Case("gateway_wrong_inside_address", "source gateway", changes.views({"lan_gateways": (("10.43.1.99", 443),)})),
    Case(
        "service_address_dead",
        "remote gateway",
        changes.measured(DESTINATION_GATEWAY=REFUSED, THERE=TIMEOUT, BACK=TIMEOUT),
    ),
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
    Case(
        "packets_dropped",
        "source gateway",
        lambda e: seen.with_request(seen.with_proxy(e, "source gateway", counters={}), **NO_REPLY),
    ),
    Case(
        "packets_dropped",
        "remote sidecar",
        lambda e: seen.with_proxy(
            changes.measured(AT_OWN_GATEWAY=Measured("timeout_tls"))(e), "destination sidecar", counters={}
        ),
    ),
    Case("packets_dropped", "remote sidecar", changes.measured(SIDECAR=TIMEOUT)),
    Case("gateway_no_route", "source gateway", changes.envoy("source gateway", clusters={})),
    Case("gateway_unknown_service", "remote gateway", changes.envoy("destination gateway", clusters={})),
    Case(
        "sni_unknown",
        "remote gateway",
        changes.envoy("destination gateway", counters={"listener.0.0.0.0_8443.no_filter_chain_match": 1}),
    ),
    Case(
        "gateway_degraded",
        "remote gateway",
        lambda e: seen.with_destination(e, gateway_ready=1, gateway_desired=2),
        "degraded",
    ),
    Case("link_cut", "network", changes.cut(source=False, destination=False)),
    Case("link_cut", "network", changes.cut(source=None, destination=None)),
    Case("link_cut_one_way", "network", changes.cut(source=True, destination=False)),
    Case("link_cut_one_way", "network", changes.cut(source=False, destination=True)),
    Case("gateway_port_blocked", "network", changes.measured(THERE=TIMEOUT)),
    Case("gateway_port_refused", "network", changes.measured(THERE=Measured("refused", failed=40, sent=40))),
    Case(
        "packet_loss", "network", changes.passes(changes.measured(THERE=Measured("ok", sent=40, resent=3))), "degraded"
    ),
    Case("packet_loss", "network", changes.passes(changes.measured(THERE=HEAVY)), "degraded"),
    Case("packet_loss", "network", changes.measured(THERE=HEAVY)),
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
        changes.measured(MTU=Measured("timeout_reply"), AT_REMOTE_GATEWAY=Measured("timeout_tls")),
    ),
    Case("handshake_blocked", "network", changes.measured(AT_REMOTE_GATEWAY=Measured("timeout_tls"))),
    Case("leaf_expired", "remote sidecar", changes.leaf("destination sidecar", not_after=START - timedelta(hours=1))),
    Case("leaf_expired", "source sidecar", changes.leaf("source sidecar", not_after=START - timedelta(hours=1))),
    Case(
        "leaf_not_yet_valid",
        "remote sidecar",
        changes.leaf("destination sidecar", not_before=START + timedelta(hours=1)),
    ),
    Case(
        "leaf_expiring",
        "remote sidecar",
        changes.passes(changes.leaf("destination sidecar", not_after=START + timedelta(hours=1))),
        "degraded",
    ),
    Case(
        "trust_domain_differs",
        "remote sidecar",
        changes.leaf("destination sidecar", spiffe="spiffe://other.consul/ns/default/dc/aks/svc/backend"),
    ),
    Case(
        "wrong_san",
        "remote sidecar",
        changes.leaf("destination sidecar", spiffe=f"spiffe://{seen.DOMAIN}/ns/default/dc/aks/svc/other"),
    ),
    Case("roots_differ", "remote sidecar", changes.views(None, {"roots": frozenset({"d"})})),
    Case("roots_differ", "remote sidecar", changes.envoy("destination sidecar", trusted=frozenset({"d"}))),
    Case("roots_differ", "remote sidecar", changes.measured(AT_SIDECAR=Measured("tls_untrusted"))),
    Case("server_ca_differs", "planes", lambda e: seen.closed(seen.with_source(e, ca="cd"))),
    Case("clock_skew", "planes", lambda e: seen.with_source(e, skew_s=900.0), "degraded"),
    Case("intention_deny", "remote sidecar", changes.denied("deny", "frontend", "backend")),
    Case("intention_deny_wildcard", "remote sidecar", changes.denied("deny", "*", "backend")),
    Case("intention_deny_wildcard", "remote sidecar", changes.denied("deny", "frontend", "*")),
    Case("intention_missing", "remote sidecar", changes.denied("deny", "*", "*")),
    Case("intention_missing", "remote sidecar", changes.denied("deny")),
    Case(
        "intention_permissions",
        "remote sidecar",
        lambda e: seen.with_request(
            changes.denied("permissions", "frontend", "backend")(e),
            ended="answered",
            status=403,
            head="RBAC: access denied",
        ),
    ),
    Case("intention_not_replicated", "remote sidecar", changes.views({"rule": Rule("deny", "*", "*")})),
    Case(
        "intention_not_applied",
        "remote sidecar",
        changes.envoy("destination sidecar", counters={"connect_authz.rbac.denied": 1}),
    ),
    Case("health_critical", "service", changes.critical),
    Case("wrong_port", "service", changes.listening(("::", 9090))),
    Case(
        "service_loopback_only",
        "service",
        changes.envoy("destination sidecar", clusters={"local_app": ON_POD}),
    ),
    Case("service_not_on_loopback", "service", changes.listening(("10.42.0.5", 8080))),
    Case("service_not_listening", "service", changes.crashing),
    Case("service_not_listening", "service", changes.listening()),
    Case(
        "service_closes",
        "service",
        changes.envoy("destination sidecar", counters={"cluster.local_app.upstream_cx_total": 1}),
    ),
    Case("service_slow", "service", lambda e: seen.with_request(e, **NO_REPLY)),
    Case("service_slow", "service", lambda e: seen.with_request(e, took_s=2.5), "degraded"),
    Case(
        "service_errors", "service", lambda e: seen.with_request(e, status=503, head="HTTP/1.1 503 Service Unavailable")
    ),
    Case(
        "protocol_mismatch",
        "service",
        changes.envoy("destination sidecar", counters={"cluster.local_app.upstream_cx_protocol_error": 1}),
    ),
    Case("protocol_mismatch", "lookup", changes.chain(error="inconsistent protocols: http and tcp")),
    Case(
        "protocol_mismatch",
        "remote sidecar",
        changes.chain(protocol="http", targets=(ChainTarget("backend", "", "aks", passing=1),)),
    ),
    Case(
        "service_refuses",
        "service",
        lambda e: changes.envoy("destination sidecar", counters=APP)(
            seen.with_destination(e, pod=replace(healthy().destination.pod or DEAD, listening=None))
        ),
    ),
    Case("no_leader", "planes", changes.views(None, {"leader": ""})),
    Case("servers_unreachable", "planes", lambda e: seen.with_destination(e, consul=None), "degraded"),
    Case("token_lost", "planes", lambda e: seen.with_destination(e, lost_tokens=("mesh-gateway",)), "degraded"),
    Case(
        "replication_stopped",
        "planes",
        changes.passes(changes.views({"replication": "ACL replication does not run"})),
        "degraded",
    ),
    Case(
        "wan_member_failed",
        "planes",
        changes.passes(changes.views({"wan": {"consul-server-0.aks": "failed"}})),
        "degraded",
    ),
    Case("servers_apart", "planes", changes.passes(changes.views({"peers": None})), "degraded"),
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
