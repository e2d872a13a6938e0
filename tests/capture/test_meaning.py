"""What a connection is for, by the names that Consul makes."""

from __future__ import annotations

import pytest

from capture.traffic import TRUST
from meshkit.capture import meaning
from meshkit.capture.hello import AWAITED, CUT, NOT_TLS, Hello
from meshkit.capture.meaning import Meaning

SAID = {
    f"backend.default.aks.internal.{TRUST}": ("service", "service backend in aks"),
    f"backend.shop.aks.internal.{TRUST}": ("service", "service backend.shop in aks"),
    f"v2.backend.default.aks.internal.{TRUST}": ("service", "service backend (subset v2) in aks"),
    f"backend.shop.team.aks.internal-v1.{TRUST}": ("service", "service backend.shop.team in aks"),
    f"v2.backend.shop.team.aks.internal-v1.{TRUST}": ("service", "service backend.shop.team (subset v2) in aks"),
    f"aks.internal.{TRUST}": ("gateway", "gateway of aks"),
    f"team.aks.internal-v1.{TRUST}": ("gateway", "gateway of aks"),
    f"backend.default.default.partner.external.{TRUST}": ("peer", "service backend of peer partner"),
    f"geo.default.aks.query.{TRUST}": ("query", "query geo in aks"),
    f"server.aks.peering.{TRUST}": ("peering", "peering with aks"),
    f"BACKEND.default.AKS.internal.{TRUST}": ("service", "service BACKEND in AKS"),
    f"server.default.aks.internal.{TRUST}": ("service", "service server in aks"),
    "server.aks.consul": ("server", "servers of aks, no Consul protocol"),
    "www.example.com": ("other", "name www.example.com"),
    "": ("no name", "TLS without a name"),
}


@pytest.mark.parametrize(("name", "said"), SAID.items(), ids=[name or "none" for name in SAID])
def test_a_name_without_a_protocol(name: str, said: tuple[str, str]) -> None:
    found = meaning.of_hello(Hello(name))
    assert (found.kind, found.label) == said


@pytest.mark.parametrize(
    ("name", "protocol", "label"),
    [
        ("consul-server-0.server.aks.consul", "consul/wan-gossip/packet", "WAN gossip to aks"),
        ("consul-server-0.server.aks.consul", "consul/wan-gossip/stream", "WAN gossip to aks"),
        ("server.aks.consul", "consul/rpc-multi", "server RPC in aks"),
        ("consul-server-0.server.aks.mesh.example", "consul/rpc-single", "server RPC in aks"),
        ("server.aks.consul", "consul/rpc-grpc", "server RPC in aks"),
        ("server.aks.consul", "h2", "servers of aks, no Consul protocol"),
    ],
)
def test_servers_are_told_apart_by_the_protocol(name: str, protocol: str, label: str) -> None:
    assert meaning.of_hello(Hello(name, (protocol,))).label == label


def test_parts_of_a_service() -> None:
    found = meaning.of_hello(Hello(f"v2.backend.shop.team.aks.internal-v1.{TRUST}"))
    assert found == Meaning("service", "aks", "backend", "shop", "team", "v2")


@pytest.mark.parametrize(
    ("state", "from_begin", "label"),
    [
        (NOT_TLS, True, "not TLS"),
        (CUT, True, "hello not captured whole"),
        (AWAITED, True, "no hello"),
        (AWAITED, False, "open before the capture"),
    ],
)
def test_without_a_hello(state: str, from_begin: bool, label: str) -> None:  # noqa: FBT001 - a table's column
    assert meaning.of_state(state, from_begin=from_begin).label == label
