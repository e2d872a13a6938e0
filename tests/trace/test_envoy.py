"""Envoy's admin pages are read as Envoy writes them; what a page lacks is empty, never an error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from fakes import envoy as pages
from meshkit.trace import envoy
from meshkit.trace.proxy import Proxy

SPIFFE = "spiffe://1111.consul/ns/default/dc/aks/svc/web"


def read(**changes: Any) -> Proxy:
    """A proxy from pages of which some are replaced."""
    found = pages.pages("web-proxy", clusters={"local_app": ("127.0.0.1", 8080)}, spiffe=SPIFFE)
    texts = {name: json.dumps(value) for name, value in changes.items()}
    answers = envoy.Answers(
        envoy.document(texts.get("info", found[envoy.SERVER_INFO])),
        envoy.document(texts.get("certs", found[envoy.CERTS])),
        envoy.document(texts.get("clusters", found[envoy.CLUSTERS])),
        envoy.document(texts.get("config", found[envoy.CONFIG])),
    )
    counters = envoy.counters(found[envoy.STATS])
    return envoy.proxy("web", answers, counters, counters)


def listeners(*entries: Any) -> dict[str, Any]:
    """A config dump with these dynamic listeners."""
    return pages.config(entries, {})


def test_the_leaf_and_its_root() -> None:
    """The certificate with a SPIFFE ID, and the serial number of the root without leading zeros."""
    found = read()

    assert found.leaf
    assert (found.leaf.spiffe, found.leaf.service, found.leaf.trust_domain) == (SPIFFE, "web", "1111.consul")
    assert found.trusted == {"c"}


def test_the_connection_to_the_servers_has_no_mesh_certificate() -> None:
    """A CA without a SPIFFE ID is not a root of the mesh."""
    certs = {"certificates": [{"ca_cert": [{"serial_number": "7c", "subject_alt_names": []}], "cert_chain": []}]}
    found = read(certs=certs)

    assert (found.leaf, found.trusted) == (None, frozenset())


@pytest.mark.parametrize(
    ("health", "trouble"),
    [
        ({"eds_health_status": "HEALTHY"}, ""),
        ({}, ""),
        ({"eds_health_status": "UNHEALTHY"}, "unhealthy"),
        ({"eds_health_status": "HEALTHY", "failed_outlier_check": True}, "failed_outlier_check"),
    ],
)
def test_an_endpoint_says_what_is_wrong_with_it(health: dict[str, Any], trouble: str) -> None:
    """Envoy's own words, empty for one that gets traffic."""
    address = {"socket_address": {"address": "10.0.0.1", "port_value": 80}}
    hosts = [{"address": address, "health_status": health}]
    found = read(clusters={"cluster_statuses": [{"name": "x", "host_statuses": hosts}]}).clusters["x"]

    assert found.endpoints == (("10.0.0.1", 80, trouble),)
    assert bool(found.healthy) == (not trouble)


def test_a_rejected_update_is_told_with_envoys_words() -> None:
    """Of a listener; it stays configured with what it had before."""
    entry = {"name": "public_listener:1", "error_state": {"details": "no such filter"}}
    found = read(config=listeners(entry))

    assert found.rejected == ("public_listener:1: no such filter",)


def test_warming_and_sni() -> None:
    """A listener that warms is named; the names that a gateway's filter chains match are those it serves."""
    chain = {"filter_chain_match": {"server_names": ["*.aks.internal.x"]}}
    entry = {"name": "all", "warming_state": {}, "active_state": {"listener": {"filter_chains": [chain, {}]}}}
    found = read(config=listeners(entry))

    assert (found.warming, found.snis) == (("all",), ("*.aks.internal.x",))


def test_an_envoy_without_listeners_was_never_configured() -> None:
    """Its clusters of the bootstrap do not count."""
    assert not read(config={"configs": []}).configured
    assert read(config=listeners({"name": "all"})).configured


@pytest.mark.parametrize("answer", [{}, {"certificates": None}, {"configs": None}, {"cluster_statuses": None}])
def test_empty_pages_are_an_envoy_that_starts(answer: dict[str, Any]) -> None:
    """No page needs anything in it."""
    found = read(info=answer, certs=answer, clusters=answer, config=answer)

    assert (found.leaf, dict(found.clusters), found.configured) == (None, {}, False)


def test_envoys_own_counters_are_left_out() -> None:
    """Its readiness and admin are no requests; histograms are no counters."""
    text = pages.stats({"cluster.a.upstream_cx_total": 2, "cluster.self_admin.upstream_cx_total": 9, "http.admin.x": 1})

    assert envoy.counters(text) == {"cluster.a.upstream_cx_total": 2, "control_plane.connected_state": 0}


def test_what_grew() -> None:
    """New counters count from nothing, gauges that fell are left out."""
    assert envoy.grown({"a": 1, "b": 5, "c": 2}, {"a": 3, "b": 4, "c": 2, "d": 1}) == {"a": 2, "d": 1}


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "3"])
def test_what_is_no_object_is_refused(text: str) -> None:
    """Before anything is read of it."""
    with pytest.raises(ValueError, match=r".+"):
        envoy.document(text)


def test_response_flags_of_the_access_log() -> None:
    """Of lines since a moment, each once; Envoy's own log, older lines and requests without a flag are left out."""
    since = datetime(2026, 1, 1, 12, tzinfo=UTC)
    lines = (
        "[2026-01-01 12:00:00.000][1][warning][config] not JSON",
        '{"start_time": "2026-01-01T11:59:59.000Z", "response_flags": "NR"}',
        '{"start_time": "2026-01-01T12:00:01.000Z", "response_flags": "UF,URX"}',
        '{"start_time": "2026-01-01T12:00:02.000Z", "response_flags": "UF"}',
        '{"start_time": "2026-01-01T12:00:03.000Z", "response_flags": "-"}',
        '{"start_time": "2026-01-01T12:00:03.000Z", "response_flags": null}',
        '{"other": 1}',
        "[1]",
    )

    assert envoy.flags("\n".join(lines), since) == ("UF", "URX")


@pytest.mark.parametrize(
    ("info", "seconds"), [({"uptime_current_epoch": "3661s"}, 3661.0), ({"uptime_current_epoch": "x"}, 0.0), ({}, 0.0)]
)
def test_how_long_it_runs(info: dict[str, str], seconds: float) -> None:
    """As protobuf writes a duration; not known is 0, by which nothing is busy."""
    found = envoy.proxy("pod", envoy.Answers(info, {}, {}, {}), {}, {"cluster.a.upstream_cx_total": 10**6})

    assert found.uptime_s == seconds
    assert found.busy("upstream_cx_total") is (seconds > 0)
