"""Killed at any write, the next run ends in the same federation: same CA, same gossip key, same tokens."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Literal

import pytest

from fakes.faults import Killed, Killer
from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.consul import names
from meshkit.federation import runner
from meshkit.federation.change import Change


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeFederation:
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(tmp_path / "state"))
    return FakeFederation()


def count_writes(world: FakeFederation) -> int:
    """How many writes a first run makes when nothing goes wrong."""
    killer = Killer(at_write=0)
    runner.run(world.context(killer=killer))
    return killer.writes


def held(world: FakeFederation) -> dict[str, str]:
    """What the clusters hold and must go on holding after any kill."""
    found = {}
    for dc in world.federation.datacenters:
        for name, key in ((names.CA, "tls.crt"), (names.GOSSIP, "key"), (names.TOKENS["mesh-gateway"], "token")):
            secret = world.clusters[dc.name].find(Ref("Secret", name, dc.namespace))
            if secret:
                found[f"{dc.name}/{name}"] = base64.b64decode(secret["data"][key]).decode()
    return found


def changed(world: FakeFederation) -> tuple[Change, ...]:
    """What one more run would change, verification aside."""
    planned = runner.plan(world.context())
    return tuple(change for _, changes in planned for change in changes if change.action != "verify")


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_kill_at_every_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: Literal["before", "after"]
) -> None:
    """Whichever write is the last of a killed run, the next one completes what it left and makes nothing anew."""
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(tmp_path / "whole"))
    writes = count_writes(FakeFederation())
    assert writes > 20
    for place in range(1, writes + 1):
        monkeypatch.setenv("MESHKIT_STATE_DIR", str(tmp_path / f"{moment}-{place}"))
        world = FakeFederation()
        with pytest.raises(Killed):
            runner.run(world.context(killer=Killer(place, moment)))
        before, authority = held(world), world.state.authority()
        runner.run(world.context())
        after = held(world)
        assert len(after) == 6, f"write {place}"
        assert after.items() >= before.items(), f"write {place}"
        assert authority is None or world.state.authority() is not None
        assert authority is None or after[f"eks/{names.CA}"] == authority.certificate_pem, f"write {place}"
        assert changed(world) == (), f"write {place}"


def test_kill_twice(world: FakeFederation) -> None:
    """A run that is killed while it mends what a killed run left is no different."""
    for place in (12, 4):
        with pytest.raises(Killed):
            runner.run(world.context(killer=Killer(place, "after")))
    before = held(world)
    assert before
    runner.run(world.context())
    assert held(world).items() >= before.items()
    assert changed(world) == ()


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "failed"])
@pytest.mark.parametrize("release", [names.CONSUL_RELEASE, names.PROBE_RELEASE])
def test_helm_killed_inside_an_install(world: FakeFederation, release: str, status: str) -> None:
    """A release that Helm could not finish is finished, and the datacenter keeps its data."""
    runner.run(world.context())
    before = held(world)
    world.wan.helms["eks"].leave(release, "consul", status)
    runner.run(world.context())
    found = world.wan.helms["eks"].release(release, "consul")
    assert found is not None
    assert found.status == "deployed"
    assert held(world) == before
    assert changed(world) == ()


def test_a_link_that_was_cut_heals(world: FakeFederation) -> None:
    """A run against a cut link waits, and the link coming back while it waits is enough."""
    world.wan.cut("aks", "eks")
    world.clock.at(20, lambda: world.wan.heal("aks", "eks"))
    runner.run(world.context())
    assert world.clock.slept_s >= 20


def test_a_third_cluster_joins_a_federation(world: FakeFederation) -> None:
    """Growing keeps the secrets of those that were there and gives the newcomer the same."""
    runner.run(world.context())
    before = held(world)
    world.add_cluster("gke")
    world.grow(("aks", "eks", "gke"))
    runner.run(world.context())
    after = held(world)
    assert after.items() >= before.items()
    assert after[f"gke/{names.GOSSIP}"] == before[f"aks/{names.GOSSIP}"]
    assert after[f"gke/{names.CA}"] == before[f"aks/{names.CA}"]
    assert changed(world) == ()
