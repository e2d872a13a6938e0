"""Departure: a datacenter goes, the others stay one mesh and forget it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from fakes.faults import Killed, Killer
from fakes.federation import FakeFederation
from fakes.kube import FakeCluster
from meshkit.backends.base import Consul
from meshkit.errors import DeadlineError, MeshkitError, UnreachableError, UsageError
from meshkit.federation import departure, facts, runner, teardown
from meshkit.federation.change import Change
from meshkit.federation.departure import Departure


@pytest.fixture
def three() -> FakeFederation:
    """Three federated clusters."""
    made = FakeFederation(("aks", "eks", "gke"))
    runner.run(made.context())
    return made


def leave(world: FakeFederation, *names: str, lost: bool = False, killer: Killer | None = None) -> None:
    """One run of the command; what the state directory knows afterwards is what the next run starts from."""
    context = world.context(killer=killer)
    try:
        departure.leave(context, departure.find(context.federation, names or ("gke",), context.state), lost=lost)
    finally:
        identity = world.state.identity()
        assert identity
        world.federation = identity.federation


def members(world: FakeFederation, name: str) -> set[str]:
    """Datacenters that the servers of one know in the WAN."""
    return {member.datacenter for member in world.context().consul(name).wan_members()}


def changed(world: FakeFederation) -> Sequence[Change]:
    found = runner.plan(world.context())
    return [change for _, changes in found for change in changes if change.action != "verify"]


def test_leave(three: FakeFederation) -> None:
    """Its cluster is as before, the others forget it, and the description lets go of it."""
    leave(three)
    assert three.clusters["gke"].everything() == FakeCluster("gke").everything()
    assert [dc.name for dc in three.federation.datacenters] == ["aks", "eks"]
    assert members(three, "aks") == members(three, "eks") == {"aks", "eks"}
    assert three.state.server_certificate("gke") is None
    marker = facts.read_marker(three.clusters["aks"], "consul")
    assert marker
    assert [dc.name for dc in marker.layout] == ["aks", "eks"]
    assert changed(three) == []


def test_lost_cluster(three: FakeFederation) -> None:
    """A cluster that is gone for good is not asked, and the others forget it."""
    three.clusters["gke"].faults.unreachable = True
    three.wan.cut("gke", "aks")
    three.wan.cut("gke", "eks")
    asked = three.clusters["gke"].faults.calls
    leave(three, lost=True)
    assert three.clusters["gke"].faults.calls == asked
    assert members(three, "aks") == members(three, "eks") == {"aks", "eks"}


def test_unreachable_cluster(three: FakeFederation) -> None:
    """When its cluster does not answer nothing changes, and the flag that does without is named."""
    three.clusters["gke"].faults.unreachable = True
    with pytest.raises(UnreachableError, match="gke: the API server cannot be reached") as raised:
        leave(three)
    assert raised.value.hint == "if the cluster is gone for good: meshkit leave gke --lost"
    identity = three.state.identity()
    assert identity
    assert len(identity.federation.datacenters) == 3


@pytest.mark.parametrize("place", [1, 4, 8, 14, 17, 19])
def test_killed_half_way(three: FakeFederation, place: int) -> None:
    """Wherever a run is killed, the same command finishes it."""
    with pytest.raises(Killed):
        leave(three, killer=Killer(place))
    leave(three)
    assert three.state.server_certificate("gke") is None
    assert three.clusters["gke"].everything() == FakeCluster("gke").everything()
    assert changed(three) == []


def test_two_lost_clusters(three: FakeFederation) -> None:
    """Clusters that are lost at the same time leave together: neither is asked to forget the other."""
    for name in ("eks", "gke"):
        three.clusters[name].faults.unreachable = True
        three.wan.cut(name, "aks")
    asked = [three.clusters[name].faults.calls for name in ("eks", "gke")]
    leave(three, "gke", "eks", lost=True)
    assert [three.clusters[name].faults.calls for name in ("eks", "gke")] == asked
    assert [dc.name for dc in three.federation.datacenters] == ["aks"]
    assert members(three, "aks") == {"aks"}
    assert changed(three) == []


def test_no_leader_for_a_moment(three: FakeFederation) -> None:
    """Servers that just elect a leader are waited for."""
    three.wan.cut("gke", "aks")
    three.wan.cut("gke", "eks")
    context, opened = three.context(), list[str]()

    def consul(name: str) -> Consul:
        opened.append(name)
        if opened.count(name) == 1:
            raise UnreachableError(f"{name}: no Consul server has a leader yet")
        return context.consul(name)

    teardown.forget_in_mesh(replace(context, consul=consul), (three.federation.datacenters[2],))
    assert sorted(set(opened)) == ["aks", "eks"]
    assert members(three, "aks") == members(three, "eks") == {"aks", "eks"}


def test_the_others_can_not_be_settled(three: FakeFederation) -> None:
    """When the last steps fail the same command finishes them, and only then is the datacenter unknown."""
    three.wan.cut("aks", "eks")
    with pytest.raises(DeadlineError):
        leave(three)
    three.wan.heal("aks", "eks")
    leave(three)
    assert changed(three) == []
    with pytest.raises(UsageError, match="no datacenter gke"):
        leave(three)


def test_comes_back(three: FakeFederation) -> None:
    """A datacenter that left can join again."""
    leave(three)
    three.grow(("aks", "eks", "gke"))
    runner.run(three.context())
    assert changed(three) == []


@pytest.mark.parametrize(
    ("name", "line", "hint"),
    [
        pytest.param(
            "azure", "no datacenter azure in federation mesh", "there are: aks, eks", id="an unknown datacenter"
        ),
        pytest.param(
            "aks",
            "aks is the primary and can't leave: tokens and intentions live there",
            "meshkit destroy ends the whole federation",
            id="the primary",
        ),
    ],
)
def test_who_can_not_leave(world: FakeFederation, name: str, line: str, hint: str) -> None:
    """Refused by name, with what there is instead."""
    with pytest.raises(UsageError) as raised:
        departure.find(world.federation, (name,), world.state)
    assert (raised.value.message, raised.value.hint) == (line, hint)


@pytest.mark.parametrize("lost", ["federation.json", "authority.pem"])
def test_needs_the_state_directory(three: FakeFederation, lost: str) -> None:
    """Without the federation's state the others could not be settled again, so nothing begins."""
    (three.state.path / lost).unlink()
    before = three.clusters["gke"].everything()
    with pytest.raises(MeshkitError, match="a datacenter leaves from the machine that holds the federation's state"):
        departure.leave(three.context(), Departure(("gke",), three.federation.secondaries[1:]), lost=False)
    assert three.clusters["gke"].everything() == before
