"""Values: what meshkit decides gives way, all else stays as the user has it."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.installations import values
from meshkit.consul.values import consul_values
from meshkit.federation.adopt import kept
from meshkit.model import Datacenter, Federation

FEDERATION_SECRET = {
    "type": "secret",
    "name": "consul-federation",
    "load": True,
    "items": [{"key": "serverConfigJSON", "path": "config.json"}],
}
OTHER = {"type": "configMap", "name": "theirs", "load": False}


def test_users_choices_stay() -> None:
    """Injection, resources and the rest are the user's."""
    theirs = values("aks", server={"resources": {"limits": {"memory": "1Gi"}}}, ui={"enabled": True})
    found = kept.of(theirs).values
    assert found["connectInject"] == {"enabled": True, "default": True}
    assert found["server"] == {"resources": {"limits": {"memory": "1Gi"}}}
    assert found["ui"] == {"enabled": True}


def test_what_meshkit_decides() -> None:
    """Names, trust and federation are taken out, each is told, and nothing empty is left."""
    found = kept.of(values("aks"))
    assert found.values == {
        "global": {"tls": {"enableAutoEncrypt": False}},
        "connectInject": found.values["connectInject"],
    }
    assert found.dropped == (
        "global.name",
        "global.datacenter",
        "global.tls.enabled",
        "global.gossipEncryption",
        "global.acls.manageSystemACLs",
        "server.replicas",
    )


@pytest.mark.parametrize(
    ("volumes", "left"),
    [
        pytest.param([FEDERATION_SECRET], [], id="the federation secret"),
        pytest.param([OTHER, FEDERATION_SECRET], [OTHER], id="beside a volume of the user's"),
        pytest.param([OTHER], [OTHER], id="only the user's"),
    ],
)
def test_federation_secret(volumes: list[dict[str, Any]], left: list[dict[str, Any]]) -> None:
    """Its file names gateways as they once were, and Consul would add them to meshkit's."""
    found = kept.of({"server": {"extraVolumes": volumes}})
    assert found.values["server"]["extraVolumes"] == left
    assert bool(found.dropped) == (volumes != left)


def test_nothing_that_meshkit_needs_is_overridden() -> None:
    """With the user's values over meshkit's own, trust and federation are meshkit's."""
    theirs = values(
        "eks",
        **{
            "global": {
                "tls": {"caCert": {"secretName": "consul-federation", "secretKey": "caCert"}},
                "federation": {"enabled": True, "createFederationSecret": True, "primaryDatacenter": "other"},
            },
            "meshGateway": {"enabled": True, "wanAddress": {"source": "Service", "port": 443}},
        },
    )
    aks = Datacenter("aks", "aks", primary=True)
    eks = Datacenter("eks", "eks", api_server="https://eks:6443", values=kept.of(theirs).values)
    federation = Federation("mesh", (aks, eks), "hashicorp", chart_version="1.9.11")
    found = consul_values(federation, eks, {"aks": "203.0.113.1", "eks": "203.0.113.2"}, "ab" * 32)
    assert found["global"]["tls"]["caCert"] == {"secretName": "meshkit-ca", "secretKey": "tls.crt"}
    assert found["global"]["federation"]["primaryDatacenter"] == "aks"
    assert "createFederationSecret" not in found["global"]["federation"]
    assert found["meshGateway"]["wanAddress"]["source"] == "Static"
    assert found["connectInject"]["default"] is True
