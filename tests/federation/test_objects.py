"""Meshkit's own objects: which Secrets a datacenter gets, and the Service that the official chart lacks."""

from __future__ import annotations

import json

import pytest

from meshkit.backends.base import Manifest
from meshkit.consul.names import TOKENS
from meshkit.federation import objects
from meshkit.federation.state import TOKEN_NAMES, FederationSecrets
from meshkit.model import Datacenter
from meshkit.pki.material import GossipKey, PrivateKey, Token

HELD = FederationSecrets(GossipKey.create(), {name: Token.create() for name in TOKEN_NAMES})


def server_settings(datacenter: Datacenter, service: Manifest | None) -> dict[str, object]:
    """What the servers read."""
    return dict(json.loads(objects.server_settings(datacenter, service)["data"]["meshkit.json"]))


@pytest.mark.parametrize(
    ("official", "primary", "expected"),
    [
        pytest.param(False, True, set(TOKENS) - {"replication"}, id="light, primary"),
        pytest.param(False, False, set(TOKENS) - {"bootstrap"}, id="light, secondary"),
        pytest.param(True, True, {"bootstrap", "replication", "probe"}, id="official, primary"),
        pytest.param(True, False, {"replication", "probe"}, id="official, secondary"),
    ],
)
def test_each_datacenter_gets_the_tokens_that_its_charts_read(
    *, official: bool, primary: bool, expected: set[str]
) -> None:
    """The management token is in the primary alone; what nobody reads is in no cluster."""
    made = objects.secrets(Datacenter("a", "a", primary=primary), "CA", ("C", PrivateKey("K")), HELD, official=official)
    found = {secret["metadata"]["name"] for secret in made}
    assert found & set(TOKENS.values()) == {TOKENS[name] for name in expected}


def test_the_servers_api_has_the_same_ports_with_both_charts() -> None:
    """The official chart's servers have gRPC elsewhere; what connects need not know which chart it is."""
    spec = objects.server_service(Datacenter("a", "a"))["spec"]
    assert {port["name"]: (port["port"], port["targetPort"]) for port in spec["ports"]} == {
        "https": (8501, 8501),
        "grpc-tls": (8503, 8502),
    }
    assert spec["selector"] == {"app": "consul", "component": "server"}


def test_servers_of_the_official_chart_do_not_leave_when_they_stop() -> None:
    """A primary that has left the WAN is not looked for by anyone, and a restart of it would end the federation."""
    assert server_settings(Datacenter("a", "a"), None) == {"leave_on_terminate": False}


@pytest.mark.parametrize(("servers", "expected"), [(1, "10.43.0.10"), (3, None)])
def test_an_only_server_is_known_by_an_address_that_outlives_its_pod(servers: int, expected: str | None) -> None:
    """Several servers would all be known by the one address of their Service."""
    service = {"spec": {"clusterIP": "10.43.0.10"}}
    assert server_settings(Datacenter("a", "a", servers=servers), service).get("advertise_addr_wan") == expected
