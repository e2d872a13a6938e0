"""Trials: shared by runs at the same time, left by none for long, and never in the way of what the user says."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.consul import FakeConsul
from fakes.federation import FakeFederation
from meshkit.consul import config_entries
from meshkit.consul.config_entries import DEFAULT_DENY, Intention
from meshkit.errors import MeshkitError
from meshkit.federation import compare_and_set, segmentation, trial

AKS, EKS = "mesh-probe-aks", "mesh-probe-eks"
BOTH = {Intention(AKS, EKS, "allow"), Intention(EKS, AKS, "allow")}


API, RESOURCES = "through the API", "as resources"


@pytest.fixture(params=[API, RESOURCES])
def mesh(request: pytest.FixtureRequest, mesh: FakeFederation) -> FakeFederation:
    """A federation that keeps its intentions in either way."""
    if request.param == RESOURCES:
        mesh.control()
    return mesh


def intentions(mesh: FakeFederation) -> set[Intention]:
    """What is there, but for the default."""
    return set(segmentation.listed(mesh.context())) - {DEFAULT_DENY}


def allow(mesh: FakeFederation, lasts_s: float = 60.0) -> str:
    """A run that has begun; its holder."""
    context = mesh.context()
    hold = trial.for_run(context, lasts_s)
    trial.allow(context, context.federation.pairs, hold)
    return hold.holder


def test_they_are_no_entries_of_the_users(mesh: FakeFederation) -> None:
    consul = mesh.context().consul("aks")
    before = trial.users_entries(consul)
    allow(mesh)
    assert intentions(mesh) == BOTH
    assert trial.users_entries(consul) == before
    found = consul.config_entries(config_entries.INTENTIONS)
    assert trial.tried(found, mesh.federation.pairs) == mesh.federation.pairs


def test_a_run_that_ends_leaves_another_what_it_needs(mesh: FakeFederation) -> None:
    first, second = allow(mesh), allow(mesh)
    trial.remove(mesh.context(), first)
    assert intentions(mesh) == BOTH
    trial.remove(mesh.context(), second)
    assert intentions(mesh) == set()


def test_what_a_killed_run_left_is_taken_away_by_the_next_after_its_time(mesh: FakeFederation) -> None:
    allow(mesh, lasts_s=60.0)
    trial.remove(mesh.context(), allow(mesh))
    assert intentions(mesh) == BOTH
    mesh.clock.advance(60.0 + trial.MARGIN_S)
    trial.remove(mesh.context(), allow(mesh))
    assert intentions(mesh) == set()


def test_a_run_without_an_end_holds_for_a_day(mesh: FakeFederation) -> None:
    allow(mesh, lasts_s=float("inf"))
    mesh.clock.advance(trial.ENDLESS_S)
    trial.remove(mesh.context(), trial.VERIFICATION)
    assert intentions(mesh) == BOTH
    mesh.clock.advance(trial.MARGIN_S)
    trial.remove(mesh.context(), trial.VERIFICATION)
    assert intentions(mesh) == set()


@pytest.mark.parametrize("action", ["allow", "deny"])
def test_what_the_user_says_in_the_meantime_stays(mesh: FakeFederation, action: Any) -> None:
    holder = allow(mesh)
    theirs = Intention(AKS, EKS, action)
    assert segmentation.write(mesh.context(), theirs) is True
    trial.remove(mesh.context(), holder)
    assert intentions(mesh) == {theirs}
    assert segmentation.write(mesh.context(), theirs) is False


@pytest.mark.parametrize("action", ["allow", "deny"])
def test_what_the_user_said_before_is_not_replaced(mesh: FakeFederation, action: Any) -> None:
    """Not even when it came after the run had looked which pairs nothing decides."""
    theirs = Intention(AKS, EKS, action)
    segmentation.write(mesh.context(), theirs)
    holder = allow(mesh)
    assert intentions(mesh) == {theirs, Intention(EKS, AKS, "allow")}
    trial.remove(mesh.context(), holder)
    assert intentions(mesh) == {theirs}


@pytest.mark.parametrize("mesh", [API], indirect=True)
@pytest.mark.parametrize("method", ["write_config_entry", "delete_config_entry"])
def test_what_somebody_writes_at_the_same_moment_is_kept(
    mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """While trials are written, and while they are taken away."""
    theirs = Intention("web", EKS, "deny")
    plain, waiting = getattr(FakeConsul, method), [theirs]

    def overtaken(self: FakeConsul, *args: Any, **options: Any) -> Any:
        if waiting:
            segmentation.write(mesh.context(), waiting.pop())
        return plain(self, *args, **options)

    monkeypatch.setattr(FakeConsul, method, overtaken)
    trial.remove(mesh.context(), allow(mesh))
    assert waiting == []
    assert intentions(mesh) == {theirs}


@pytest.mark.parametrize("mesh", [API], indirect=True)
def test_always_overtaken(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up, and says by what."""
    tries: list[int | None] = []

    def lost(_: FakeConsul, entry: dict[str, Any], *, cas: int | None = None) -> bool:
        del entry
        tries.append(cas)
        return False

    monkeypatch.setattr(FakeConsul, "write_config_entry", lost)
    with pytest.raises(MeshkitError, match=f"the intentions to {EKS}, {AKS} are changed by others all the time"):
        allow(mesh)
    assert tries == [0] * 2 * compare_and_set.ATTEMPTS


def test_nothing_else_is_written_again(mesh: FakeFederation) -> None:
    segmentation.write(mesh.context(), Intention("web", "api", "allow"))
    consul = mesh.context().consul("aks")
    before = [e for e in consul.config_entries(config_entries.INTENTIONS) if e["Name"] in ("api", "*")]
    trial.remove(mesh.context(), allow(mesh))
    assert list(consul.config_entries(config_entries.INTENTIONS)) == sorted(before, key=lambda e: e["Name"])


def test_a_pair_is_of_two_datacenters(mesh: FakeFederation) -> None:
    (aks, _) = mesh.federation.datacenters
    with pytest.raises(MeshkitError, match="needs two datacenters"):
        trial.allow(mesh.context(), [(aks, aks)], trial.for_federate(mesh.context()))
