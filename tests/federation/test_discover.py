"""Discover: a machine that did not make the federation finds it by its contexts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.errors import MeshkitError, UnreachableError, UsageError
from meshkit.federation import access, discover, runner
from meshkit.federation.state import State
from meshkit.model import Federation


def test_found_by_its_contexts(mesh: FakeFederation) -> None:
    """The contexts may be called anything here, and be named in any order."""
    kube = {"my-eks": mesh.clusters["eks"], "my-aks": mesh.clusters["aks"]}
    found = discover.discover(kube, "consul").federation
    assert [(dc.name, dc.context, dc.primary) for dc in found.datacenters] == [
        ("aks", "my-aks", True),
        ("eks", "my-eks", False),
    ]
    assert found.name == "mesh"


def test_an_address_of_the_users_own_is_found_too(world: FakeFederation) -> None:
    """Without it another laptop would look for the load balancer's address."""
    aks, eks = world.federation.datacenters
    own = replace(eks, gateway_address="192.0.2.10")
    world.federation = replace(world.federation, datacenters=(aks, own))
    runner.run(world.context())
    found = discover.discover(world.clusters, "consul").federation
    assert [dc.gateway_address for dc in found.datacenters] == ["", "192.0.2.10"]


def test_not_in_a_federation(world: FakeFederation) -> None:
    """A cluster without a marker is named, with the namespace that was looked at."""
    with pytest.raises(MeshkitError, match=r"^aks, eks: in no federation \(namespace consul\)$") as raised:
        discover.discover(world.clusters, "consul")
    assert "--namespace" in raised.value.hint


def test_datacenter_left_out(mesh: FakeFederation) -> None:
    """Half a federation can't be looked at; what is missing is named."""
    with pytest.raises(UsageError, match=r"^the federation mesh has more datacenters: eks$"):
        discover.discover({"aks": mesh.clusters["aks"]}, "consul")


def test_one_cluster_that_does_not_answer(mesh: FakeFederation) -> None:
    """It is the datacenter that no other context is, so the rest can be looked at at three in the morning."""
    mesh.clusters["eks"].faults.unreachable = True
    found = discover.discover({"my-aks": mesh.clusters["aks"], "my-eks": mesh.clusters["eks"]}, "consul")
    assert [(dc.name, dc.context) for dc in found.federation.datacenters] == [("aks", "my-aks"), ("eks", "my-eks")]


def test_what_is_left_of_a_federation(mesh: FakeFederation) -> None:
    """A destroy that was killed half way is finished: clusters that are done with, or not named, are no error."""
    mesh.clusters["aks"].remove(Ref("ConfigMap", "meshkit-federation", "consul"))
    for named in (("aks", "eks"), ("eks",)):
        kube = {name: mesh.clusters[name] for name in named}
        found = discover.discover(kube, "consul", partial=True)
        assert [dc.name for dc in found.federation.datacenters] == ["eks"]


def test_clusters_of_two_federations(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clusters of different federations are told apart by id, even if both are called the same."""
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(mesh.state.path.parent / "other"))
    other = FakeFederation(("gcp", "azure"))
    runner.run(other.context())
    with pytest.raises(UsageError, match="these clusters are in different federations: aks in mesh, gcp in mesh"):
        discover.discover({"aks": mesh.clusters["aks"], "gcp": other.clusters["gcp"]}, "consul")


def test_credentials_of_another_machine(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may read the primary's Secrets gets the same token and CA as the machine with the state directory."""
    here = access.credentials(mesh.state, mesh.federation, mesh.clusters)
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(mesh.state.path.parent / "none"))
    there = access.credentials(State("mesh"), mesh.federation, mesh.clusters)
    assert there == here
    assert here.token.reveal() not in repr(here)


def test_credentials_that_are_nowhere(world: FakeFederation) -> None:
    """Without a state directory and without the Secret, the error names cluster and Secret."""
    with pytest.raises(MeshkitError, match=r"^aks: secret meshkit-bootstrap-token is not there$"):
        access.credentials(world.state, Federation("mesh", world.federation.datacenters), world.clusters)


def test_the_ca_certificate_is_in_every_cluster(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is away keeps nobody from it."""
    here = mesh.state.ca_certificate()
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(mesh.state.path.parent / "none"))
    mesh.clusters["aks"].faults.unreachable = True
    eks = mesh.federation.secondaries[0]
    assert access.ca_certificate(State("mesh"), eks, mesh.clusters) == here


def test_a_token_that_only_a_cluster_that_is_away_has(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in no other, so the hint says what else would do."""
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(mesh.state.path.parent / "none"))
    mesh.clusters["aks"].faults.unreachable = True
    with pytest.raises(UnreachableError, match=r"^aks: the API server cannot be reached$") as raised:
        access.credentials(State("mesh"), mesh.federation, mesh.clusters)
    assert "the management token is in the primary's cluster" in raised.value.hint
