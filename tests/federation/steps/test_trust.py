"""Trust: made once and kept, replaced when due, and each secret only where it belongs."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.consul import names
from meshkit.federation import runner
from meshkit.federation.steps import trust
from meshkit.pki import inspect, profiles

YEAR = timedelta(days=365)


def server_certificate(mesh: FakeFederation, datacenter: str) -> str:
    """The fingerprint of the server certificate that a cluster holds."""
    return inspect.inspect(value(mesh, datacenter, names.SERVER_CERT, "tls.crt")).fingerprint


def value(mesh: FakeFederation, datacenter: str, secret: str, key: str) -> str:
    """One value of a cluster's Secret."""
    found = mesh.clusters[datacenter].find(Ref("Secret", secret, "consul"))
    assert found, f"{datacenter} has no secret {secret}"
    return base64.b64decode(found["data"][key]).decode()


def secrets_in(mesh: FakeFederation, datacenter: str) -> set[str]:
    """Names of the Secrets in a datacenter's namespace."""
    return {s["metadata"]["name"] for s in mesh.clusters[datacenter].list("Secret", "consul")}


def test_secrets_only_where_they_belong(mesh: FakeFederation) -> None:
    """The bootstrap token is in the primary alone, the replication token in secondaries alone."""
    everywhere = {names.CA, names.SERVER_CERT, names.GOSSIP} | {
        secret for name, secret in names.TOKENS.items() if name not in ("bootstrap", "replication")
    }
    assert secrets_in(mesh, "aks") == everywhere | {names.TOKENS["bootstrap"]}
    assert secrets_in(mesh, "eks") == everywhere | {names.TOKENS["replication"]}


def test_the_ca_key_is_in_no_cluster(mesh: FakeFederation) -> None:
    """No object of any cluster has a private key but the server's own."""
    for cluster in mesh.clusters.values():
        keys = [
            secret["metadata"]["name"]
            for secret in cluster.list("Secret")
            for data in secret["data"].values()
            if b"PRIVATE KEY" in base64.b64decode(data)
        ]
        assert keys == [names.SERVER_CERT]
    authority = (mesh.state.path / "authority.pem").read_text().partition("PRIVATE KEY-----\n")[2][:60]
    assert authority
    assert authority not in value(mesh, "aks", names.SERVER_CERT, "tls.key")


def test_one_ca_and_one_gossip_key(mesh: FakeFederation) -> None:
    """All datacenters trust the same CA and have the same gossip key; their server certificates differ."""
    assert value(mesh, "aks", names.CA, "tls.crt") == value(mesh, "eks", names.CA, "tls.crt")
    assert value(mesh, "aks", names.GOSSIP, "key") == value(mesh, "eks", names.GOSSIP, "key")
    assert server_certificate(mesh, "aks") != server_certificate(mesh, "eks")


@pytest.mark.parametrize(
    ("age", "replaced"),
    [
        pytest.param(YEAR / 2, False, id="at half of its life it stays"),
        pytest.param(YEAR * 0.66, False, id="shortly before two thirds it stays"),
        pytest.param(YEAR * 0.67, True, id="shortly after two thirds it is replaced"),
        pytest.param(YEAR * 1.5, True, id="after its end it is replaced"),
    ],
)
def test_renewal(mesh: FakeFederation, age: timedelta, *, replaced: bool) -> None:
    """A server certificate is replaced when two thirds of its life are over; the CA stays."""
    before, authority = server_certificate(mesh, "eks"), value(mesh, "eks", names.CA, "tls.crt")
    mesh.clock.advance(age.total_seconds())
    changes = trust.plan(mesh.context())
    assert {c.action for c in changes} == ({"replace"} if replaced else set())
    assert {c.datacenter for c in changes} == ({"aks", "eks"} if replaced else set())
    trust.act(mesh.context())
    assert (server_certificate(mesh, "eks") != before) is replaced
    assert value(mesh, "eks", names.CA, "tls.crt") == authority
    assert trust.plan(mesh.context()) == ()


def test_a_renewed_certificate_rolls_the_servers(mesh: FakeFederation) -> None:
    """Servers read their certificate at start only, so a new one must show as a change of their release."""
    mesh.clock.advance(YEAR.total_seconds() * 0.8)
    results = {result.name: result for result in runner.run(mesh.context())}
    assert [c.what for c in results["datacenters"].changes] == ["helm release consul", "helm release consul"]


def test_certificate_whose_names_are_no_longer_those_of_the_profile(mesh: FakeFederation) -> None:
    """A certificate of another datacenter, or of an older profile, is replaced though it is young."""
    other = mesh.state.server_certificate("aks")
    assert other
    mesh.state.save_server_certificate("eks", *other)
    (change,) = trust.plan(mesh.context())
    assert (change.action, change.datacenter) == ("replace", "eks")
    assert change.why == "its names are not those of profile and values"
    trust.act(mesh.context())
    assert trust.plan(mesh.context()) == ()


def test_names_of_the_users_values(mesh: FakeFederation) -> None:
    """What the official chart's own job would have put into a certificate is issued, and again when it changes."""
    profile = profiles.load("server").sans(datacenter="eks", release="consul", namespace="consul")
    for dns, ip in ((["consul.example.com", "localhost"], ["::1", "2001:DB8::0:1"]), ([], []), (["*.example.com"], [])):
        tls = {"serverAdditionalDNSSANs": dns, "serverAdditionalIPSANs": ip}
        aks, eks = mesh.federation.datacenters
        eks = replace(eks, values={"global": {"tls": tls}})
        mesh.federation = replace(mesh.federation, datacenters=(aks, eks))
        (change,) = (change for change in trust.plan(mesh.context()) if change.action == "replace")
        assert (change.datacenter, change.why) == ("eks", "its names are not those of profile and values")
        trust.act(mesh.context())
        assert trust.plan(mesh.context()) == ()
        found = inspect.inspect(value(mesh, "eks", names.SERVER_CERT, "tls.crt")).sans
        assert found.dns == (*profile.dns, *(name for name in dns if name != "localhost"))
        assert found.ip == (*profile.ip, *(["2001:db8::1"] if ip else []))


@pytest.mark.parametrize("secret", sorted({names.CA, names.SERVER_CERT, names.GOSSIP, names.TOKENS["agent"]}))
@pytest.mark.parametrize("damage", ["deleted", "changed"])
def test_a_secret_is_put_back(mesh: FakeFederation, secret: str, damage: str) -> None:
    """A Secret that was deleted or changed in a cluster gets the value it had, from the state directory."""
    ref = Ref("Secret", secret, "consul")
    before = mesh.clusters["eks"].find(ref)
    assert before
    if damage == "deleted":
        mesh.clusters["eks"].remove(ref)
    else:
        mesh.clusters["eks"].patch(ref, {"data": dict.fromkeys(before["data"], "Zm9yZWlnbg==")})
    (change,) = trust.plan(mesh.context())
    expected = {"deleted": "create", "changed": "update"}[damage]
    assert (change.action, change.what, change.datacenter) == (expected, f"secret {secret}", "eks")
    trust.act(mesh.context())
    after = mesh.clusters["eks"].find(ref)
    assert after
    assert after["data"] == before["data"]


def test_labels_of_others_are_no_difference(mesh: FakeFederation) -> None:
    """What a policy engine or the API server adds to an object is left alone."""
    mesh.clusters["eks"].patch(
        Ref("Secret", names.GOSSIP, "consul"), {"metadata": {"labels": {"cost-center": "7"}}, "immutable": False}
    )
    assert trust.plan(mesh.context()) == ()


def test_namespace_of_meshkit_is_labelled(mesh: FakeFederation) -> None:
    """A namespace that federate made says so, and destroy may remove it."""
    namespace = mesh.clusters["aks"].find(Ref("Namespace", "consul"))
    assert namespace
    assert namespace["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "meshkit"}


def test_namespace_of_the_user_stays_as_it_is(world: FakeFederation) -> None:
    """A namespace that was there before gets no label of meshkit's, on no run."""
    made = world.clusters["aks"].put({"kind": "Namespace", "metadata": {"name": "consul", "labels": {"team": "sre"}}})
    for _ in range(2):
        trust.act(world.context())
        assert world.clusters["aks"].find(Ref("Namespace", "consul")) == made
    assert world.clusters["aks"].find(Ref("ConfigMap", "meshkit-federation", "consul"))


def test_marker_comes_before_any_secret(world: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a killed run leaves in a cluster, its marker says whose it is."""
    applied: list[str] = []
    cluster = world.clusters["eks"]
    plain = cluster.apply

    def apply(manifest: dict[str, object]) -> dict[str, object]:
        applied.append(str(manifest["kind"]))
        return plain(manifest)

    monkeypatch.setattr(cluster, "apply", apply)
    trust.act(world.context())
    assert applied[:2] == ["Namespace", "ConfigMap"]
    assert set(applied[2:]) == {"Secret"}


def test_plan_of_a_new_federation_makes_nothing(world: FakeFederation) -> None:
    """The plan names the CA and where it will be, and neither it nor anything else is made."""
    changes = trust.plan(world.context())
    assert changes[0].what == f"certificate authority, gossip key and tokens in {world.state.path}"
    assert [c.datacenter for c in changes] == ["", "aks", "eks"]
    assert not world.state.path.exists()


def test_description_changed(mesh: FakeFederation) -> None:
    """A description that changed is noted in the state directory and in every cluster's marker."""
    mesh.add_cluster("gke")
    mesh.grow(("aks", "eks", "gke"))
    found = [(c.action, c.what, c.datacenter) for c in trust.plan(mesh.context())]
    assert found == [
        ("update", f"description in {mesh.state.path}", ""),
        ("update", "configmap meshkit-federation", "aks"),
        ("update", "configmap meshkit-federation", "eks"),
        ("replace", "server certificate", "gke"),
    ]
