"""Installations of the official chart that were made and federated by hand become meshkit's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hashicorp import byhand
from hashicorp.pair import NAMESPACE, PRIMARY, Official, settles

from meshkit.pki.authority import CERTIFICATE_END, Authority

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
    _, _, key = installed.dump(None).partition(CERTIFICATE_END)
    body = {"metadata": {"name": CA_KEY}, "stringData": {"tls.key": key.decode().lstrip()}}
    document = json.dumps({"apiVersion": "v1", "kind": "Secret"} | body)
    official.kubectl(official.contexts[PRIMARY], "-n", NAMESPACE, "apply", "-f", "-", text=document)

    official.meshkit(*words)
    official.kubectl(official.contexts[PRIMARY], "-n", NAMESPACE, "delete", "secret", CA_KEY)
    # Servers installed by hand did not linger: for a while gossip calls those in their place failed, and takes it back.
    settles(lambda: official.complaints() == [], "every check to pass")
    official.see_each_other(official.secret(official.contexts[PRIMARY], byhand.BOOTSTRAP, "token"))
    assert official.changes_again() == []
