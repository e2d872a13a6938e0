"""Evidence of a path that works, from eks/frontend to aks/backend, and ways to change one thing of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fakes.clock import START
from meshkit.trace import measures
from meshkit.trace.evidence import (
    Chain,
    ChainTarget,
    ConsulView,
    Evidence,
    HealthCheck,
    Instance,
    Measured,
    Pod,
    Request,
    Rule,
    Side,
    Upstream,
)
from meshkit.trace.hops import Party, Route
from meshkit.trace.proxy import EnvoyCluster, Leaf, Proxy

ROUTE = Route(Party("eks", "frontend"), Party("aks", "backend"))
DOMAIN = "11111111-2222-3333-4444-555555555555.consul"
FAR, NEAR = f"backend.default.aks.internal.{DOMAIN}", f"aks.internal.{DOMAIN}"
SHAKEN = f"cluster.{FAR}.ssl.handshake"
AKS, EKS = ("203.0.113.1", 443), ("203.0.113.2", 443)
CRITICAL = (HealthCheck("app answers", "critical", "connection refused"),)
TIMEOUT = Measured("timeout_connect", failed=40, sent=40)
REFUSED = Measured("refused", failed=1)


def leaf(service: str, datacenter: str) -> Leaf:
    """A certificate in the middle of its life."""
    spiffe = f"spiffe://{DOMAIN}/ns/default/dc/{datacenter}/svc/{service}"
    return Leaf(spiffe, START - timedelta(hours=36), START + timedelta(hours=36))


def instance(name: str, address: str, port: int, **more: Any) -> Instance:
    """A catalog entry."""
    return Instance(name, f"{name}-node", address, port, **more)


def cluster(name: str, address: str, port: int) -> EnvoyCluster:
    """An Envoy cluster with one healthy endpoint."""
    return EnvoyCluster(name, ((address, port, ""),))


def proxy(name: str, clusters: Mapping[str, EnvoyCluster], counters: Mapping[str, int], **more: Any) -> Proxy:
    """An Envoy that passed the request on."""
    return Proxy(name, f"{name}-pod", clusters=clusters, counters=counters, **more)


def counted(name: str) -> dict[str, int]:
    """Counters of one connection to a cluster."""
    return {f"cluster.{name}.upstream_cx_total": 1, f"cluster.{name}.upstream_cx_rx_bytes_total": 65}


def gateway_pod(address: str) -> Pod:
    """A pod of a mesh gateway."""
    return Pod("gateway", "consul", address, ready=True, ports=(8443,))


def source() -> Side:
    """eks: the secondary."""
    upstream = Upstream("backend", "aks", "127.0.0.1", 9000, "local")
    view = ConsulView(
        leader="10.42.1.9:8300",
        instances=(instance("frontend", "10.42.1.5", 8080),),
        sidecars=(instance("frontend-proxy", "10.42.1.5", 20000, local=("127.0.0.1", 8080), upstreams=(upstream,)),),
        peers=(instance("backend-proxy", "10.42.0.5", 20000),),
        chain=Chain(targets=(ChainTarget("backend", "", "aks", passing=1),)),
        rule=Rule("allow", "frontend", "backend"),
        gateways={"aks": (AKS,), "eks": (EKS,)},
        lan_gateways=(("10.43.1.1", 443),),
        wan={"consul-server-0.aks": "alive", "consul-server-0.eks": "alive"},
        trust_domain=DOMAIN,
        roots=frozenset({"c"}),
        gateway_mode="local",
    )
    sidecar = proxy(
        "frontend-proxy",
        {FAR: cluster(FAR, "10.43.1.1", 443)},
        counted(FAR) | {"listener.127.0.0.1_9000.downstream_cx_total": 1, SHAKEN: 1},
        leaf=leaf("frontend", "eks"),
        trusted=frozenset({"c"}),
        listeners={
            "public_listener:10.42.1.5:20000": ("10.42.1.5", 20000),
            "backend:127.0.0.1:9000": ("127.0.0.1", 9000),
        },
    )
    return Side(
        "eks",
        "eks",
        "consul",
        skew_s=0.1,
        gateway_desired=1,
        gateway_ready=1,
        gateway_pods=(gateway_pod("10.42.1.4"),),
        gateway_address=EKS,
        gateway_service=("10.43.1.1", 443),
        consul=view,
        pod=Pod("frontend", "shop", "10.42.1.5", ready=True),
        sidecar=sidecar,
        gateway=proxy("mesh-gateway", {NEAR: cluster(NEAR, *AKS)}, counted(NEAR)),
        ca="ab",
        gossip="ab",
    )


def destination() -> Side:
    """aks: the primary."""
    view = ConsulView(
        leader="10.42.0.9:8300",
        instances=(instance("backend", "10.42.0.5", 8080),),
        sidecars=(instance("backend-proxy", "10.42.0.5", 20000, local=("127.0.0.1", 8080)),),
        chain=Chain(targets=(ChainTarget("backend", "", "aks"),)),
        rule=Rule("allow", "frontend", "backend"),
        gateways={"aks": (AKS,), "eks": (EKS,)},
        lan_gateways=(("10.43.0.1", 443),),
        wan={"consul-server-0.aks": "alive", "consul-server-0.eks": "alive"},
        trust_domain=DOMAIN,
        roots=frozenset({"c"}),
        gateway_mode="local",
    )
    sidecar = proxy(
        "backend-proxy",
        {"local_app": cluster("local_app", "127.0.0.1", 8080)},
        counted("local_app") | {"tcp.public_listener.downstream_cx_total": 1, "connect_authz.rbac.allowed": 1},
        leaf=leaf("backend", "aks"),
        trusted=frozenset({"c"}),
        listeners={"public_listener:10.42.0.5:20000": ("10.42.0.5", 20000)},
    )
    listening = frozenset({("127.0.0.1", 8080), ("10.42.0.5", 20000), ("127.0.0.1", 19000)})
    return Side(
        "aks",
        "aks",
        "consul",
        primary=True,
        skew_s=-0.2,
        gateway_desired=1,
        gateway_ready=1,
        gateway_pods=(gateway_pod("10.42.0.4"),),
        gateway_address=AKS,
        gateway_service=("10.43.0.1", 443),
        consul=view,
        pod=Pod("backend", "shop", "10.42.0.5", ready=True, listening=listening),
        sidecar=sidecar,
        gateway=proxy("mesh-gateway", {FAR: cluster(FAR, "10.42.0.5", 20000)}, counted(FAR)),
        ca="ab",
        gossip="ab",
    )


def healthy() -> Evidence:
    """Everything was seen, and all is well."""
    near, far = Measured("ok", rtt_s=0.0001, total_s=0.003), Measured("ok", rtt_s=0.07, total_s=0.07, sent=40)
    names = (measures.SOURCE_GATEWAY, measures.DESTINATION_GATEWAY)
    measured = dict.fromkeys((*names, *(name + measures.POD for name in names), measures.SIDECAR), near)
    measured |= {measures.THERE: far, measures.BACK: far, measures.MTU: Measured("ok", answers=("mtu 1500",))}
    measured |= {name: Measured("ok", total_s=0.15) for name in measures.HANDSHAKES}
    request = Request("meshkit-trace-1", "answered", 0.3, 200, "HTTP/1.1 200 OK", 9000)
    return Evidence(ROUTE, START, source(), destination(), request, measured)


def with_source(evidence: Evidence, **changes: Any) -> Evidence:
    """Another source's side."""
    return replace(evidence, source=replace(evidence.source, **changes))


def with_destination(evidence: Evidence, **changes: Any) -> Evidence:
    """Another destination's side."""
    return replace(evidence, destination=replace(evidence.destination, **changes))


def with_views(evidence: Evidence, source: Mapping[str, Any], destination: Mapping[str, Any]) -> Evidence:
    """Other answers of the servers."""
    here, there = evidence.source.consul, evidence.destination.consul
    assert here
    assert there
    evidence = with_source(evidence, consul=replace(here, **source))
    return with_destination(evidence, consul=replace(there, **destination))


def with_measured(evidence: Evidence, **changes: Measured) -> Evidence:
    """Other measurements, by the name of their constant in ``trace.measures``."""
    return replace(evidence, measured=dict(evidence.measured) | {getattr(measures, k): v for k, v in changes.items()})


def with_request(evidence: Evidence, **changes: Any) -> Evidence:
    """Another end of the tagged request."""
    assert evidence.request
    return replace(evidence, request=replace(evidence.request, **changes))


def closed(evidence: Evidence) -> Evidence:
    """The request ended without an answer."""
    return with_request(evidence, ended="closed", status=0, head="")


def with_proxy(evidence: Evidence, place: str, **changes: Any) -> Evidence:
    """Another Envoy: ``source sidecar``, ``source gateway``, ``destination gateway``, ``destination sidecar``."""
    end, _, kind = place.partition(" ")
    side = evidence.source if end == "source" else evidence.destination
    found = replace(getattr(side, kind), **changes)
    return (with_source if end == "source" else with_destination)(evidence, **{kind: found})
