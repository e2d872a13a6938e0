"""Whether installations can be one federation: each reason why not, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from fakes.installations import Made, values
from meshkit.backends.base import InstalledChart
from meshkit.consul.values import merge
from meshkit.federation.adopt import compare, judge
from meshkit.federation.adopt.installation import Installation, Trust
from meshkit.federation.facts import Marker
from meshkit.pki.material import GossipKey, PrivateKey

MADE, OTHER = Made(), Made()
TRUST = Trust(
    MADE.authority.certificate_pem,
    "secret consul-ca-cert",
    PrivateKey(MADE.key_pem),
    "secret consul-ca-key",
    MADE.gossip,
    MADE.bootstrap,
)
AKS = Installation(
    "aks", "consul", "consul", "consul", "1.22.7", 1, values("aks"), TRUST, InstalledChart("consul", "1.9.11", "1.22.7")
)
EKS = replace(AKS, context="eks", values=values("eks"), trust=replace(TRUST, key=None, key_from=""))
Change = Callable[[Installation], Installation]


def with_values(**more: Any) -> Change:
    return lambda one: replace(one, values=merge(one.values, more))


def with_trust(**more: Any) -> Change:
    return lambda one: replace(one, trust=replace(one.trust, **more))


def rsa_key() -> PrivateKey:
    key = rsa.generate_private_key(65537, 2048)
    form, encryption = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return PrivateKey(key.private_bytes(serialization.Encoding.PEM, form, encryption).decode())


def test_possible() -> None:
    """Same CA and gossip key, other names, TLS and ACLs on: nothing stands in the way."""
    assert list(judge.problems((AKS, EKS), "aks")) == []
    assert [row.fact for row in compare.rows((AKS, EKS)) if row.differs] == []


REASONS = {
    "both have the same name": (with_values(**{"global": {"datacenter": "aks"}}), "both are datacenter aks"),
    "a name that is not legal": (with_values(**{"global": {"datacenter": "EKS_1"}}), "EKS_1 is not legal"),
    "TLS is off": (with_values(**{"global": {"tls": {"enabled": False}}}), "eks: TLS is off"),
    "ACLs are off": (with_values(**{"global": {"acls": {"manageSystemACLs": False}}}), "eks: ACLs are off"),
    "another CA": (with_trust(ca=OTHER.authority.certificate_pem), "their CAs are different ones"),
    "no CA": (with_trust(ca=""), "eks: its CA certificate is in no Secret"),
    "a CA that can't be read": (with_trust(ca="-----BEGIN"), "eks: its CA certificate is in no Secret"),
    "another gossip key": (with_trust(gossip=GossipKey.create()), "their gossip keys are different ones"),
    "no gossip key": (with_trust(gossip=None), "eks: there is no gossip key"),
    "an unknown chart": (
        lambda one: replace(one, chart=InstalledChart("consul", "1.4.0", "1.18.0")),
        "its chart is consul 1.4.0, with which meshkit is not known to work",
    ),
    "no Helm release": (lambda one: replace(one, chart=None, values={}), "eks: Helm knows no release"),
    "another release name": (lambda one: replace(one, release="mesh", prefix="mesh-consul"), "its release is mesh"),
    "another domain": (with_values(**{"global": {"domain": "mesh"}}), "eks: its domain is mesh"),
    "secrets in Vault": (
        with_values(**{"global": {"secretsBackend": {"vault": {"enabled": True}}}}),
        "eks: its secrets are in Vault",
    ),
    "admin partitions": (with_values(**{"global": {"adminPartitions": {"enabled": True}}}), "it has admin partitions"),
    "servers elsewhere": (with_values(externalServers={"enabled": True}), "its servers are outside"),
    "versions too far apart": (lambda one: replace(one, version="1.18.3"), "1.22.7 and 1.18.3 are too far apart"),
    "meshkit's already": (
        lambda one: replace(one, marker=Marker("11111111", "shop", "eks", "")),
        "meshkit's already, in federation shop",
    ),
    "a primary that is not named": (
        with_values(**{"global": {"federation": {"enabled": True, "primaryDatacenter": "gke"}}}),
        "it follows the primary gke, which is not named",
    ),
}


@pytest.mark.parametrize(("change", "says"), REASONS.values(), ids=REASONS)
def test_refused(change: Change, says: str) -> None:
    """The reason names the cluster, and what to do."""
    found = list(judge.problems((AKS, change(EKS)), "aks"))
    assert says in "\n".join(problem.message for problem in found)
    assert all(problem.hint for problem in found)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(with_trust(key=None), "the CA's key is in none of the clusters", id="no key anywhere"),
        pytest.param(with_trust(key=rsa_key()), "not one that meshkit can sign with", id="a key of another kind"),
        pytest.param(with_trust(key=PrivateKey(OTHER.key_pem)), "not one that meshkit", id="the key of another CA"),
        pytest.param(with_trust(key=PrivateKey("rubbish")), "not one that meshkit can sign with", id="no key at all"),
        pytest.param(with_trust(bootstrap=None), "the management token is in no Secret", id="no management token"),
    ],
)
def test_what_the_primary_must_hold(change: Change, says: str) -> None:
    """Without the CA's key, or the management token, there is nothing to go on with."""
    found = list(judge.problems((change(AKS), EKS), "aks"))
    assert [says in problem.message for problem in found] == [True]


def test_the_primary_that_others_follow() -> None:
    """A federation that exists keeps its primary."""
    follows = with_values(**{"global": {"federation": {"enabled": True, "primaryDatacenter": "aks"}}})(EKS)
    assert list(judge.problems((AKS, follows), "aks")) == []
    (problem, *_) = judge.problems((AKS, follows), "eks")
    assert "--primary aks" in problem.hint


def test_no_row_shows_a_secret() -> None:
    """Gossip keys and tokens are compared by their hashes, or only said to be there."""
    shown = str(compare.rows((AKS, EKS)))
    secrets = [MADE.gossip.reveal(), MADE.bootstrap.reveal(), *MADE.key_pem.splitlines()[1:3]]
    assert not [secret for secret in secrets if secret in shown or secret[:12] in shown]
    assert compare.mark(MADE.gossip) in shown


def test_differences_are_marked() -> None:
    """What must be alike and is not, and names that must differ and do not."""
    other = replace(EKS, values=values("aks"), trust=replace(EKS.trust, gossip=OTHER.gossip))
    assert [row.fact for row in compare.rows((AKS, other)) if row.differs] == ["datacenter", "gossip key"]
