"""Each cause is named by the evidence that shows it, at its hop, and by no other: a table of one change each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes import changes
from fakes import evidence as seen
from fakes.cases import APP, DEAD, NO_ENDPOINT, NO_REPLY, ON_POD, SUBSET, UNCONFIGURED, Case
from fakes.cases_between import CASES as BETWEEN
from fakes.evidence import FAR, NEAR, REFUSED, healthy
from meshkit.trace.causes import CATALOGUE, CATEGORIES, by_code
from meshkit.trace.diagnosis import diagnose
from meshkit.trace.evidence import ChainTarget, Measured, Pod, Rule
from meshkit.trace.proxy import EnvoyCluster

UNSEEN_SOCKETS = Pod("backend", "shop", "10.42.0.5", ready=True)
PUBLIC_ALONE = {"public_listener:10.42.1.5:20000": ("10.42.1.5", 20000)}

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
        "redirect_dead",
        "lookup",
        changes.chain(
            targets=(ChainTarget("backend", "", "aks", passing=1), ChainTarget("renamed", "", "aks", passing=0))
        ),
    ),
    Case(
        "redirect_dead",
        "lookup",
        changes.passes(
            changes.chain(
                targets=(ChainTarget("backend", "", "aks", passing=1), ChainTarget("renamed", "", "aks", passing=0))
            )
        ),
        verdict="degraded",
    ),
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
        lambda e: seen.with_measured(seen.closed(seen.with_destination(e, pod=None, sidecar=None)), SIDECAR=REFUSED),
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
    Case(
        "envoy_hangs",
        "remote gateway",
        lambda e: replace(
            seen.with_measured(
                seen.with_destination(seen.closed(e), gateway=None), AT_OWN_GATEWAY=REFUSED, AT_REMOTE_GATEWAY=REFUSED
            ),
            unseen={"destination gateway": "no answer within 4 s"},
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
        "xds_rejected",
        "source sidecar",
        changes.passes(
            changes.envoy(
                "source sidecar", rejected=("backend?dc=aks:127.0.0.1:8080: cannot bind",), listeners=PUBLIC_ALONE
            )
        ),
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
        lambda e: seen.closed(
            seen.with_measured(seen.with_destination(e, sidecar=None, pod=UNSEEN_SOCKETS), SIDECAR=REFUSED)
        ),
    ),
    Case(
        "gateway_down", "remote gateway", lambda e: seen.closed(seen.with_destination(e, gateway_ready=0, gateway=None))
    ),
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
    Case(
        "service_slow",
        "service",
        lambda e: seen.with_request(
            seen.with_proxy(e, "destination sidecar", counters={"cluster.local_app.upstream_cx_tx_bytes_total": 134}),
            **NO_REPLY,
        ),
    ),
    Case(
        "connection_limit",
        "remote sidecar",
        changes.envoy(
            "destination sidecar", counters={"connection_limit.inbound_connection_limit.limited_connections": 1}
        ),
    ),
    Case("instance_unreachable", "remote sidecar", changes.passes(changes.other_instance("refused")), "degraded"),
    Case("instance_unreachable", "remote sidecar", changes.other_instance("timeout_connect")),
    Case("cluster_dns_down", "lookup", changes.dns("timeout_reply", cluster="timeout_reply"), "degraded"),
    Case("cluster_dns_down", "lookup", changes.dns("timeout_reply", cluster="timeout_reply", by_name=True)),
    Case("dns_not_forwarded", "lookup", changes.dns("dns_failed"), "degraded"),
    Case("dns_not_forwarded", "lookup", changes.dns("name_not_found", forwards=False, by_name=True)),
    Case("dns_not_forwarded", "lookup", changes.dns("timeout_reply", by_name=True)),
    Case("service_slow", "service", lambda e: seen.with_request(e, took_s=2.5), "degraded"),
    Case(
        "service_slow",
        "service",
        lambda e: seen.with_request(
            seen.with_proxy(e, "destination sidecar", counters={"cluster.local_app.upstream_cx_tx_bytes_total": 134}),
            status=504,
            head="HTTP/1.1 504 Gateway Timeout upstream request timeout",
        ),
    ),
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


@pytest.mark.parametrize("case", [*CASES, *BETWEEN], ids=str)
def test_one_change_is_named(case: Case) -> None:
    """The code and the hop; the remedy is complete, and the evidence says something."""
    case.holds()


def test_every_cause_has_a_case() -> None:
    """Notes aside, which are never the cause of anything."""
    notes = {cause.code for cause in CATALOGUE if cause.weight == "note"}
    assert {case.code for case in (*CASES, *BETWEEN)} | notes == {cause.code for cause in CATALOGUE}


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
