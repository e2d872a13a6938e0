"""Two federated clusters with eks/frontend and aks/backend in them, and all that a trace reads of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from fakes import envoy
from fakes.consul import TRUST_DOMAIN
from fakes.federation import FakeFederation
from fakes.kube import FakeCluster
from meshkit.backends.base import Manifest, Reply
from meshkit.consul import config_entries
from meshkit.consul.config_entries import Intention
from meshkit.consul.names import GATEWAY_SELECTOR
from meshkit.federation import runner
from meshkit.federation.tracing.gather import Trace
from meshkit.trace import measures
from meshkit.trace.evidence import Evidence
from meshkit.trace.hops import Party, Route

ROUTE = Route(Party("eks", "frontend"), Party("aks", "backend"))
FAR, NEAR = f"backend.default.aks.internal.{TRUST_DOMAIN}", f"aks.internal.{TRUST_DOMAIN}"
SOCKETS = ["  sl  local_address rem_address st", "   0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 00000000"]
ANSWER = Reply(b"HTTP/1.1 200 OK\r\n\r\nbackend", ended=False, took_s=0.3)
EVERYWHERE = ("0.0.0.0", 8443)  # noqa: S104 - as Envoy writes it
SIDECAR_LINE = "   1: 0500190A:4E20 00000000:0000 0A 0:0 0:0 00000000"


@dataclass
class Shop:
    """The federation with the two services."""

    mesh: FakeFederation

    def cluster(self, name: str) -> FakeCluster:
        """One of the two."""
        return self.mesh.clusters[name]

    def trace(self) -> Evidence:
        """What a trace sees."""
        return Trace(self.mesh.context(), ROUTE)()

    def gateway(self, name: str) -> str:
        """The pod of a cluster's mesh gateway."""
        return str(self.cluster(name).list("Pod", "consul", selector=GATEWAY_SELECTOR)[0]["metadata"]["name"])


@pytest.fixture
def shop() -> Shop:
    """All is well, and every agent answers that it is."""
    mesh = FakeFederation()
    runner.run(mesh.context())
    made = Shop(mesh)
    allow = config_entries.with_intention(None, Intention("frontend", "backend", "allow"))
    mesh.context().consul("aks").write_config_entry(allow)
    upstream = {"DestinationName": "backend", "Datacenter": "aks", "LocalBindPort": 9000}
    _place(made, "eks", "frontend", "10.25.1.5", [upstream])
    _place(made, "aks", "backend", "10.25.0.5", [])
    _envoys(made)
    for name in ("aks", "eks"):
        made.cluster(name).agents.answers = lambda name=name: _answers(made, name)
    made.cluster("eks").loopback.replies["frontend"] = ANSWER
    made.cluster("aks").loopback.tables["backend"] = [*SOCKETS, SIDECAR_LINE]
    return made


def _place(shop: Shop, datacenter: str, name: str, address: str, upstreams: list[Manifest]) -> None:
    """A pod with its catalog entries."""
    containers = [{"name": "app"}, {"name": "envoy"}]
    states = [{"name": each["name"], "ready": True} for each in containers]
    ready = [{"type": "Ready", "status": "True"}]
    shop.cluster(datacenter).put(
        {
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"containers": containers},
            "status": {"podIP": address, "phase": "Running", "conditions": ready, "containerStatuses": states},
        }
    )
    node, proxy = {"Node": f"{name}-node", "Address": address}, {"LocalServicePort": 8080, "Upstreams": upstreams}
    service = {"ID": name, "Service": name, "Address": address, "Port": 8080}
    sidecar = {"ID": f"{name}-proxy", "Service": f"{name}-proxy", "Address": address, "Port": 20000, "Proxy": proxy}
    health = shop.mesh.wan.store(datacenter).health
    health[name, False] = [{"Node": node, "Service": service, "Checks": []}]
    health[name, True] = [{"Node": node, "Service": sidecar, "Checks": []}]
    gateway = {"Service": {"TaggedAddresses": {"lan": {"Address": "10.43.0.10", "Port": 443}}}}
    health["mesh-gateway", False] = [{"Node": {}, **gateway}]


def _envoys(shop: Shop) -> None:
    identity = f"spiffe://{TRUST_DOMAIN}/ns/default/dc"
    shop.cluster("eks").loopback.admin = {
        "frontend": envoy.pages(
            "frontend-proxy",
            clusters={FAR: ("10.43.0.10", 443)},
            listeners={
                "public_listener:10.25.1.5:20000": ("10.25.1.5", 20000),
                "backend?dc=aks:127.0.0.1:9000": ("127.0.0.1", 9000),
            },
            spiffe=f"{identity}/eks/svc/frontend",
        ),
        shop.gateway("eks"): envoy.pages(
            "mesh-gateway", clusters={NEAR: ("203.0.113.1", 443)}, listeners={"all": EVERYWHERE}
        ),
    }
    shop.cluster("aks").loopback.admin = {
        "backend": envoy.pages(
            "backend-proxy",
            clusters={"local_app": ("127.0.0.1", 8080)},
            listeners={"public_listener:10.25.0.5:20000": ("10.25.0.5", 20000)},
            spiffe=f"{identity}/aks/svc/backend",
        ),
        shop.gateway("aks"): envoy.pages(
            "mesh-gateway", clusters={FAR: ("10.25.0.5", 20000)}, listeners={"all": EVERYWHERE}
        ),
    }


def _answers(shop: Shop, name: str) -> Iterator[bytes]:
    """Every probe of the agent's last request is well."""
    request = shop.cluster(name).agents.requests[-1]
    windows: list[Any] = []
    for probe in request["probes"]:
        window = {"series": probe["series"], "begin": 1.0, "width_s": 0.5, "reasons": {"ok": 1}}
        if probe["series"]["probe"] == measures.MTU:
            window["answers"] = ["mtu 1500"]
        windows.append(window)
    yield json.dumps({"windows": windows}).encode()
    yield json.dumps({"end": {}}).encode()
