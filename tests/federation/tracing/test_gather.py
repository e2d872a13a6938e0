"""A trace sees what there is, and says of everything else why it does not: it never raises and never guesses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes import envoy
from federation.tracing.conftest import ROUTE, SOCKETS, Shop
from meshkit.errors import UnreachableError
from meshkit.federation.tracing.gather import Trace
from meshkit.trace import measures
from meshkit.trace.diagnosis import diagnose
from meshkit.trace.evidence import Evidence


def named(evidence: Evidence) -> tuple[str, str, str]:
    """Verdict, cause and hop."""
    found = diagnose(evidence)
    return found.verdict, found.cause.code if found.cause else "", found.first_broken or ""


def test_a_path_that_works_is_seen_whole(shop: Shop) -> None:
    """Both sides with pods, proxies and gateways, the request's answer, and every measurement."""
    seen = shop.trace()

    assert seen.unseen == {}
    assert seen.request
    assert (seen.request.ended, seen.request.status, seen.request.port) == ("answered", 200, 9000)
    assert [proxy and proxy.id for side in seen.sides for proxy in (side.sidecar, side.gateway)] == [
        "frontend-proxy",
        "mesh-gateway",
        "backend-proxy",
        "mesh-gateway",
    ]
    assert set(measures.ORDER) <= set(seen.measured)
    assert seen.destination.pod
    assert seen.destination.pod.listening == {("127.0.0.1", 8080), ("10.25.0.5", 20000)}


def test_the_request_carries_its_tag(shop: Shop) -> None:
    """In the user agent and as request id, to the upstream's host and the path that was asked for."""
    seen = Trace(shop.mesh.context(), ROUTE, "/healthz")()

    sent = shop.cluster("eks").loopback.sent[0].decode()
    assert seen.request
    assert sent.startswith("GET /healthz HTTP/1.1\r\nHost: backend\r\n")
    assert sent.count(seen.request.tag) == 2


def test_counters_are_those_of_the_request_alone(shop: Shop) -> None:
    """What a counter had before is not this request's."""
    pages = shop.cluster("aks").loopback.admin["backend"]
    name = "cluster.local_app.upstream_cx_total"
    pages[envoy.envoy.STATS] = envoy.stats({name: 41})

    def count() -> None:
        pages[envoy.envoy.STATS] = envoy.stats({name: 42})

    shop.cluster("eks").loopback.counted = count
    seen = shop.trace()

    assert seen.destination.sidecar
    assert (seen.destination.sidecar.counters[name], seen.destination.sidecar.totals[name]) == (1, 42)


def test_an_api_server_that_is_away_leaves_the_other_side(shop: Shop) -> None:
    """The destination's cluster is unseen with its reason; nothing is named that was not seen."""
    shop.cluster("aks").faults.unreachable = True
    shop.cluster("eks").loopback.replies.clear()

    seen = shop.trace()

    assert not seen.destination.reachable
    assert "cannot be reached" in seen.unseen["destination, aks cluster"]
    assert seen.source.sidecar
    assert named(seen)[0] in ("unknown", "broken")
    assert named(seen)[1] in ("", "servers_unreachable", "no_endpoint")


def test_servers_that_are_away_are_told(shop: Shop) -> None:
    """Kubernetes is seen, Consul is not."""
    context = shop.mesh.context()

    def away(name: str) -> None:
        raise UnreachableError(f"{name}: no Consul server has a leader yet")

    seen = Trace(replace(context, consul=away), ROUTE)()

    assert seen.source.consul is None
    assert seen.source.reachable
    assert "no Consul server" in seen.unseen["source, eks Consul"]
    assert named(seen)[0] == "unknown"


@pytest.mark.parametrize("page", ["", "not json", "[]", '{"configs": 1}'])
def test_an_admin_that_is_none_is_unseen(shop: Shop, page: str) -> None:
    """Whatever answers on its port."""
    pages = shop.cluster("aks").loopback.admin["backend"]
    for path in pages:
        pages[path] = page

    seen = shop.trace()

    assert seen.destination.sidecar is None
    assert "not Envoy's admin" in seen.unseen["destination sidecar"]


def test_a_silent_admin_is_unseen(shop: Shop) -> None:
    """The gateway's Envoy can't be read, and its hop says so."""
    del shop.cluster("aks").loopback.admin[shop.gateway("aks")]

    seen = shop.trace()

    assert seen.destination.gateway is None
    assert "does not answer" in seen.unseen["destination gateway"]
    hops = {hop.hop: hop for hop in diagnose(seen).hops}
    assert hops["remote gateway"].said == "its Envoy could not be read"


def test_a_missing_agent_is_unseen(shop: Shop) -> None:
    """Each measurement that it would have made is told."""
    shop.cluster("eks").agents.answers = lambda: iter([])

    seen = shop.trace()

    assert measures.THERE not in seen.measured
    assert "ended before the run did" in seen.unseen[f"eks: {measures.THERE}"]
    assert measures.BACK in seen.measured


def test_a_pod_without_cat_keeps_its_sockets(shop: Shop) -> None:
    """Where it listens stays unknown, so that nobody says that it does not."""
    shop.cluster("aks").loopback.tables.clear()

    seen = shop.trace()

    assert seen.destination.pod
    assert seen.destination.pod.listening is None
    assert "cat: not found" in seen.unseen["where the destination's pod listens"]


def test_a_request_that_can_not_be_sent_is_told(shop: Shop) -> None:
    """No leave to forward: the Envoys are unseen too, and the verdict is that nothing is known."""
    shop.cluster("eks").faults.forbid("create", "pods/portforward")

    seen = shop.trace()

    assert seen.request is None
    assert named(seen)[0] == "unknown"


def test_a_service_that_nobody_registered_is_named(shop: Shop) -> None:
    """Its own datacenter's catalog says so."""
    shop.mesh.wan.store("aks").health.clear()
    shop.cluster("eks").loopback.replies.clear()

    assert named(shop.trace()) == ("broken", "destination_not_registered", "lookup")


def test_a_port_that_nobody_listens_on_is_named(shop: Shop) -> None:
    """By the pod's sockets."""
    shop.cluster("aks").loopback.tables["backend"] = [SOCKETS[0], SOCKETS[1].replace("1F90", "2382")]
    shop.cluster("eks").loopback.replies.clear()

    assert named(shop.trace())[1] in ("wrong_port", "sidecar_down")
