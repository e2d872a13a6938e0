"""Installations of the official chart that were made and federated by hand become meshkit's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hashicorp import byhand
from hashicorp.pair import DATACENTERS, NAMESPACE, PRIMARY, Official, settles

from meshkit.pki.authority import Authority

pytestmark = [pytest.mark.official, pytest.mark.slow]

CA_KEY = "consul-ca-key"
PORT = 8444
"""Of the gateways' load balancers: meshkit adds its own, and a lab's have all the same address."""


@pytest.fixture
def installed(official: Official) -> Iterator[Authority]:
    """Two installations that are federated, and whose CA's key is in neither cluster."""
    ca = byhand.authority()
    try:
        byhand.federate(official, ca, PORT)
        yield ca
    finally:
        official.meshkit("destroy", "--yes", check=False)
        byhand.remove(official)


def test_a_federation_made_by_hand_is_adopted(official: Official, installed: Authority) -> None:
    """Refused without the CA's key; with it taken over, and from then on a federation like any other."""
    words = ("federate", "--adopt", *official.names, *official.has.for_meshkit, "--yes")
    refused = official.meshkit(*words, check=False)
    assert refused.returncode == 1, refused.stderr
    assert "the CA's key is in none of the clusters" in refused.stderr
    _, _, key = installed.dump(None).decode().partition("-----END CERTIFICATE-----\n")
    body = {"metadata": {"name": CA_KEY}, "stringData": {"tls.key": key}}
    document = json.dumps({"apiVersion": "v1", "kind": "Secret"} | body)
    official.kubectl(official.contexts[PRIMARY], "-n", NAMESPACE, "apply", "-f", "-", text=document)

    official.meshkit(*words)
    official.kubectl(official.contexts[PRIMARY], "-n", NAMESPACE, "delete", "secret", CA_KEY)
    checks = json.loads(official.meshkit("check", "--output", "json").stdout)
    assert [check for check in checks if check["verdict"] != "pass"] == []
    token = official.secret(official.contexts[PRIMARY], byhand.BOOTSTRAP, "token")
    for datacenter in DATACENTERS:
        settles(
            lambda dc=datacenter: list(official.alive(dc, token).values()) == [True, True], f"{datacenter} to see both"
        )
    steps = official.federate()["steps"]
    changes = [change for step in steps for change in step["changes"]]
    assert [change for change in changes if change["action"] not in ("await", "verify")] == []
