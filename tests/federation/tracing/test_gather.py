"""A trace sees what there is, and says of everything else why it does not: it never raises and never guesses."""

from __future__ import annotations

import socket
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3

from fakes import envoy
from fakes.clock import START
from fakes.servers import CertificateFiles, kubeconfig, raw_server
from federation.tracing.conftest import ROUTE, SOCKETS, Shop
from meshkit.backends import kube as kube_module
from meshkit.backends.base import Consul, Ref, Reply
from meshkit.backends.kube import KubeClient
from meshkit.consul import names
from meshkit.consul.names import GATEWAY_SELECTOR
from meshkit.errors import ForbiddenError, UnreachableError
from meshkit.federation.tracing import measure
from meshkit.federation.tracing.gather import Trace
from meshkit.federation.tracing.measure import CLUSTER_NAME
from meshkit.trace import clocks, measures
from meshkit.trace.diagnosis import diagnose
from meshkit.trace.evidence import Evidence


class Silent:
    """Consul's servers, of which every question is refused."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*_: Any, **__: Any) -> None:
            raise UnreachableError(f"eks: {name}: gone")

        return ask


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


@pytest.mark.parametrize(("hung", "other"), [("aks", "eks"), ("eks", "aks")])
def test_an_api_server_that_hangs_is_asked_for_the_planes_alone(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hung: str, other: str
) -> None:
    """Whichever side's: no probe, pod or handshake is tried there, and each is unseen with its reason."""
    monkeypatch.setattr(kube_module, "TIMEOUT", urllib3.Timeout(connect=0.05, read=0.05))
    context, taken = shop.mesh.context(), list[socket.socket]()

    def consul(name: str) -> Consul:
        if name == hung:
            raise UnreachableError(f"{name}: not to be forwarded to")
        return context.consul(name)

    with raw_server(b"", taken) as url:
        silent = KubeClient("aks", kubeconfig(tmp_path / "config", url, CertificateFiles(tmp_path).certificate))
        seen = Trace(replace(context, kube={**context.kube, hung: silent}, consul=consul), ROUTE)()

    looked_at = ("cluster", "CA", "gossip key", "DNS settings")
    side = "source" if hung == ROUTE.source.datacenter else "destination"
    assert len(taken) == len(looked_at)
    assert {seen.unseen[f"{side}, {hung} {name}"] for name in looked_at} == {
        "aks: the API server did not answer within 0.05 s"
    }
    assert {why for name, why in seen.unseen.items() if name.startswith(f"{hung}: ")} == {measure.AWAY}
    assert shop.cluster(other).agents.requests


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


def test_a_source_that_may_not_be_spoken_to_is_not_seen(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """No leave to forward in its namespace alone: no request is sent, that is told, and no hop is called broken."""
    eks = shop.cluster("eks")

    def guarded(look: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(pod: str, namespace: str, *rest: Any) -> Any:
            if namespace == "shop":
                raise ForbiddenError(f"eks: user cannot create resource pods/portforward in namespace {namespace}")
            return look(pod, namespace, *rest)

        return refuse

    for name in ("loopback_get", "loopback_send"):
        monkeypatch.setattr(eks, name, guarded(getattr(eks, name)))

    seen = shop.trace()

    assert seen.request is None
    assert "pods/portforward" in seen.unseen["tagged request"]
    assert "pods/portforward" in seen.unseen["source sidecar"]
    assert seen.source.gateway
    assert named(seen) == ("unknown", "", "")


@pytest.mark.parametrize(
    ("gateway", "cause"),
    [
        pytest.param(True, ("broken", "envoy_hangs"), id="the gateway's admin answers"),
        pytest.param(False, ("unknown", ""), id="nobody does"),
    ],
)
def test_a_silent_source_hangs_where_others_can_be_spoken_to(
    shop: Shop,
    gateway: bool,  # noqa: FBT001 - a column
    cause: tuple[str, str],
) -> None:
    """Else it may be the way to the cluster's pods."""
    loopback = shop.cluster("eks").loopback
    loopback.replies["frontend"] = Reply(b"", ended=False, took_s=3.0)
    del loopback.admin["frontend"]
    if not gateway:
        loopback.admin.clear()

    assert named(shop.trace())[:2] == cause


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


def test_each_envoys_clock_is_read(shop: Shop) -> None:
    """By the date of its admin's answers, which the faked Envoys of aks have four days ahead."""
    shop.cluster("aks").loopback.date = START + timedelta(days=4)

    seen = shop.trace()

    assert seen.destination.sidecar
    assert seen.source.sidecar
    assert abs((seen.destination.sidecar.skew_s or 0) - 4 * 86400) < clocks.SKEW_S
    assert abs(seen.source.sidecar.skew_s or 0) < clocks.SKEW_S


def test_an_admin_without_a_date_has_no_clock(shop: Shop) -> None:
    """What it counted is there all the same."""
    shop.cluster("aks").loopback.date = None

    seen = shop.trace()

    assert seen.destination.sidecar
    assert seen.destination.sidecar.skew_s is None


def test_a_name_is_looked_up_as_the_source_would(shop: Shop) -> None:
    """The destination's own with --by-name, else any; and the cluster's own names beside it."""
    Trace(shop.mesh.context(), ROUTE, by_name=True)()
    shop.trace()

    asked = [
        probe["target"]["name"]
        for request in shop.cluster("eks").agents.requests
        for probe in request["probes"]
        if probe["series"]["probe"] in (measures.DNS, measures.CLUSTER_DNS)
    ]
    assert asked == ["backend.service.aks.consul.", CLUSTER_NAME, "consul.service.aks.consul.", CLUSTER_NAME]


def test_every_instance_is_tried(shop: Shop) -> None:
    """One that Consul would not send to is not, and neither is the same address twice."""
    held = shop.mesh.wan.store("aks").health["backend", True]
    for address, status in (("10.25.0.6", "passing"), ("10.25.0.7", "critical"), ("10.25.0.5", "passing")):
        entry = deepcopy(held[0])
        entry["Service"]["Address"] = address
        entry["Checks"] = [{"Name": "app", "Status": status}]
        held.append(entry)

    seen = shop.trace()

    assert [name for name in seen.measured if name.startswith(measures.OTHER)] == [f"{measures.OTHER}10.25.0.6:20000"]


def test_gossip_keys_are_compared_by_digest(shop: Shop) -> None:
    """Both clusters hold the same, and the key is in no evidence."""
    seen = shop.trace()
    held = shop.mesh.context().state.secrets()

    assert held
    assert seen.source.gossip == seen.destination.gossip != ""
    assert held.gossip.reveal() not in repr(seen)


def test_another_gossip_key_is_named(shop: Shop) -> None:
    """Somebody has written a new one into one cluster."""
    cluster = shop.cluster("aks")
    secret = cluster.get(Ref("Secret", names.GOSSIP, "consul"))
    assert secret
    cluster.put(secret | {"data": {"key": "b3RoZXI="}})

    assert named(shop.trace()) == ("degraded", "gossip_key_differs", "planes")


@pytest.mark.parametrize(
    ("place", "text", "forwards"),
    [
        ("coredns", ".:53 {\n  kubernetes cluster.local\n}\n", False),
        ("coredns", ".:53 {\n  errors\n}\nconsul:53 {\n  forward . 10.43.0.9\n}\n", True),
        ("coredns", "consul {\n  forward . 10.43.0.9\n}\n", True),
        ("coredns", "consul.example:53 {\n  forward . 10.43.0.9\n}\n", False),
        ("coredns", ".:53 {\n  forward consul 10.43.0.9\n}\n", True),
        ("coredns", ".:53 {\n  # consul:53 {\n}\n", False),
        ("coredns", "example.com, dns://consul:53 {\n}\n", True),
        ("coredns-custom", "consul:53 {\n  errors\n}\n", True),
        ("kube-dns", '{"consul": ["10.43.0.9"]}', True),
        ("elsewhere", "consul:53 {\n}\n", False),
    ],
)
def test_whether_dns_is_meant_to_ask_consul(shop: Shop, place: str, text: str, forwards: bool) -> None:  # noqa: FBT001 - a column
    """By the server blocks and stub domains of the cluster's DNS."""
    shop.cluster("eks").put(
        {"kind": "ConfigMap", "metadata": {"name": place, "namespace": "kube-system"}, "data": {"Corefile": text}}
    )

    assert shop.trace().source.forwards is forwards


def test_a_selector_that_fits_no_gateway_is_named(shop: Shop) -> None:
    """Somebody renamed a label."""
    cluster = shop.cluster("aks")
    service = cluster.get(Ref("Service", names.GATEWAY_SERVICE, "consul"))
    assert service
    service["spec"]["selector"] = {"app": "gateway"}
    cluster.put(service)
    shop.cluster("eks").loopback.replies.clear()

    assert named(shop.trace()) == ("broken", "gateway_deselected", "remote gateway")


def test_a_transparent_sidecar_is_told_of(shop: Shop) -> None:
    """There is no port through which a request could be sent."""
    proxy = shop.mesh.wan.store("eks").health["frontend", True][0]["Service"]["Proxy"]
    proxy |= {"Upstreams": [], "Mode": "transparent"}

    assert "frontend-proxy is transparent" in shop.trace().unseen["tagged request"]


def test_servers_that_go_after_they_were_connected_to_are_away(shop: Shop) -> None:
    """No question is answered, so nothing is taken for their word: not a catalog without services either."""
    context = shop.mesh.context()

    seen = Trace(replace(context, consul=lambda _: Silent()), ROUTE)()

    assert seen.source.consul is None
    assert "gone" in seen.unseen["source, eks Consul"]
    assert named(seen)[1] == "servers_unreachable"


@pytest.mark.parametrize(("begun", "half_open"), [(3, False), (40, True)])
def test_a_few_half_open_connections_are_somebody_elses(shop: Shop, begun: int, half_open: bool) -> None:  # noqa: FBT001 - a column
    """Of the probes' forty some dozens arrive; servers and Envoys that tried on their own before leave a few."""
    row = "   1: 0600990A:20FB 0104630A:9C40 03 00000000:00000000 01:00000062 00000001     0"
    shop.cluster("aks").loopback.tables[shop.gateway("aks")] = [SOCKETS[0], *[row] * begun]
    trace = Trace(shop.mesh.context(), ROUTE)

    assert trace._half_open(shop.trace().destination) is half_open


def test_each_of_several_gateways_is_shaken_hands_with(shop: Shop) -> None:
    """By its pod's address, for each side; of one alone its Service tells enough."""
    found = shop.cluster("aks").list("Pod", "consul", selector=GATEWAY_SELECTOR)[0]
    labels, status = found["metadata"]["labels"], found["status"] | {"podIP": "10.25.0.9"}
    meta = {"name": "second", "namespace": "consul", "labels": labels}
    shop.cluster("aks").put({"kind": "Pod", "metadata": meta, "spec": found["spec"], "status": status})

    seen = shop.trace()

    tried = {name for name in seen.measured if name.startswith((measures.SOURCE_POD, measures.DESTINATION_POD))}
    assert tried == {f"{measures.DESTINATION_POD}{at}" for at in (found["status"]["podIP"], "10.25.0.9")}
