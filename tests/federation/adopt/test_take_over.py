"""Adoption as a whole, over clusters in which somebody else has installed Consul."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.federation import FakeFederation
from fakes.installations import Made, install, secret, values
from meshkit.backends.base import Ref
from meshkit.errors import MeshkitError
from meshkit.federation.adopt import installation, judge, take_over
from meshkit.federation.adopt.installation import Installation
from meshkit.federation.adopt.take_over import Source


@pytest.fixture
def world() -> FakeFederation:
    """Two clusters with an installation each, which share CA and gossip key."""
    made, theirs = FakeFederation(), Made()
    for name in ("aks", "eks"):
        install(made.clusters[name], made.wan.helms[name], theirs, values(name), with_key=name == "aks")
    return made


def look(world: FakeFederation) -> tuple[Installation, ...]:
    return tuple(installation.find(world.clusters[name], world.wan.helms[name]) for name in ("aks", "eks"))


def test_what_is_found(world: FakeFederation) -> None:
    """Chart, version, name and secrets, from where the chart's jobs put them."""
    aks, eks = look(world)
    assert (aks.datacenter, aks.version, aks.release, aks.prefix) == ("aks", "1.22.7", "consul", "consul")
    assert aks.chart
    assert aks.chart.version == "1.9.11"
    assert aks.trust.key_from == "secret consul-ca-key"
    assert eks.trust.key is None
    assert aks.trust.gossip == eks.trust.gossip is not None
    assert list(judge.problems((aks, eks), "aks")) == []


def test_secrets_where_values_say(world: FakeFederation) -> None:
    """In the documented way a secondary has them all in the primary's federation secret."""
    theirs = Made()
    held = {"caCert": theirs.authority.certificate_pem, "caKey": theirs.key_pem, "gossip": theirs.gossip.reveal()}
    secret(world.clusters["eks"], "consul-federation", held | {"replicationToken": theirs.bootstrap.reveal()})
    given = {
        "tls": {
            "caCert": {"secretName": "consul-federation", "secretKey": "caCert"},
            "caKey": {"secretName": "consul-federation", "secretKey": "caKey"},
        },
        "gossipEncryption": {"autoGenerate": False, "secretName": "consul-federation", "secretKey": "gossip"},
        "acls": {"replicationToken": {"secretName": "consul-federation", "secretKey": "replicationToken"}},
        "federation": {"enabled": True, "primaryDatacenter": "aks", "k8sAuthMethodHost": "https://10.0.0.1:6443"},
    }
    install(world.clusters["eks"], world.wan.helms["eks"], Made(), values("eks", **{"global": given}))
    _, eks = look(world)
    assert eks.trust.fingerprint == theirs.authority.fingerprint
    assert (eks.trust.gossip, eks.trust.replication) == (theirs.gossip, theirs.bootstrap)
    assert eks.primary_datacenter == "aks"
    assert take_over.primary_of(look(world), "") == "aks"
    assert take_over.describe(look(world), "mesh", "aks", Source()).datacenters[1].api_server == "https://10.0.0.1:6443"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param("none", "eks: there is no Consul to adopt", id="no Consul"),
        pytest.param(
            "two", "eks: there are 2 installations of Consul: consul/consul-server, other/consul-server", id="2"
        ),
    ],
)
def test_not_one(world: FakeFederation, spoil: str, says: str) -> None:
    """There must be exactly one installation in a cluster."""
    ref = Ref("StatefulSet", "consul-server", "consul")
    found = world.clusters["eks"].find(ref)
    assert found
    if spoil == "none":
        world.clusters["eks"].remove(ref)
    else:
        other: Any = {"name": "consul-server", "namespace": "other", "labels": found["metadata"]["labels"]}
        world.clusters["eks"].put(found | {"metadata": other})
    with pytest.raises(MeshkitError, match=says):
        look(world)
