"""Schedules: installed everywhere, used by every agent, taken away with what they needed, and never half known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.consul import config_entries
from meshkit.errors import MeshkitError, UsageError
from meshkit.federation import releases, runner, segmentation, trial
from meshkit.federation.probing import schedules
from meshkit.probes.wanted import SERVICE, Wanted

LADDER = Wanted("clouds", every_s=10.0)
NIGHTLY = Wanted("nightly", every_s=3600.0)


def intentions(mesh: FakeFederation) -> set[str]:
    found = config_entries.intentions(mesh.context().consul("aks").config_entries(config_entries.INTENTIONS))
    return {f"{i.source}>{i.destination}" for i in found}


def release(mesh: FakeFederation, name: str) -> object:
    return mesh.wan.helms[name].release(schedules.SCHEDULE_RELEASE, "consul")


def test_a_schedule_is_installed_in_every_cluster_and_can_be_read_back(mesh: FakeFederation) -> None:
    assert [change.action for change in schedules.plan(mesh.context(), (LADDER,))] == ["create", "create"]
    schedules.deploy(mesh.context(), (LADDER,))
    found = schedules.installed(mesh.context())
    assert {name: schedule.wanted for name, schedule in found.items()} == {"aks": (LADDER,), "eks": (LADDER,)}
    assert [probe.series.probe for probe in found["aks"].probes] == ["network", "gateway", "rpc", "mesh"]
    assert schedules.plan(mesh.context(), (LADDER,)) == ()


def test_what_is_slow_is_a_cronjob_that_enters_the_mesh_by_the_probes_service(mesh: FakeFederation) -> None:
    schedules.deploy(mesh.context(), (LADDER, NIGHTLY))
    values = mesh.wan.helms["aks"].values(schedules.SCHEDULE_RELEASE, "consul")
    assert len(values["probes"]) == len(values["jobs"][0]["probes"]) == 4
    (job,) = values["jobs"]
    assert job["name"] == "nightly"
    (mesh_rung,) = [probe for probe in job["probes"] if probe["series"]["probe"] == "mesh"]
    assert mesh_rung["target"] == {"host": "mesh-probe", "port": 9102}
    assert {entry.name for entry in schedules.installed(mesh.context())["aks"].wanted} == {"clouds", "nightly"}


def test_an_entry_has_its_own_probes_whatever_others_are_called(mesh: FakeFederation) -> None:
    schedules.deploy(mesh.context(), (Wanted("a", every_s=3600.0), Wanted("a/b", every_s=3600.0)))
    values = mesh.wan.helms["aks"].values(schedules.SCHEDULE_RELEASE, "consul")
    found = {job["name"]: [probe["id"] for probe in job["probes"]] for job in values["jobs"]}
    assert {name: len(ids) for name, ids in found.items()} == {"a": 4, "a/b": 4}
    assert not set(found["a"]) & set(found["a/b"])


def test_no_secret_is_in_the_values(mesh: FakeFederation) -> None:
    schedules.deploy(mesh.context(), (LADDER, NIGHTLY))
    secrets = mesh.state.secrets()
    assert secrets
    text = json.dumps(mesh.wan.helms["aks"].values(schedules.SCHEDULE_RELEASE, "consul"))
    assert not any(token.reveal() in text for token in secrets.tokens.values())


def test_intentions_last_as_long_as_the_schedule_and_only_its_own_go(mesh: FakeFederation) -> None:
    segmentation.write(mesh.context(), config_entries.Intention("web", "mesh-probe-eks", "allow"))
    before = intentions(mesh)
    schedules.deploy(mesh.context(), (LADDER,))
    assert intentions(mesh) == before | {"mesh-probe-aks>mesh-probe-eks", "mesh-probe-eks>mesh-probe-aks"}
    assert schedules.remove(mesh.context())
    assert intentions(mesh) == before
    assert release(mesh, "aks") is None
    assert not schedules.remove(mesh.context())


@pytest.mark.parametrize("action", ["allow", "deny"])
def test_what_the_user_says_of_a_scheduled_pair_outlives_the_schedule(mesh: FakeFederation, action: Any) -> None:
    schedules.deploy(mesh.context(), (LADDER,))
    theirs = config_entries.Intention("mesh-probe-aks", "mesh-probe-eks", action)
    segmentation.write(mesh.context(), theirs)
    schedules.deploy(mesh.context(), (LADDER,))
    schedules.remove(mesh.context())
    assert theirs in segmentation.listed(mesh.context())
    assert "mesh-probe-eks>mesh-probe-aks" not in intentions(mesh)


def test_what_the_next_schedule_does_not_need_goes(mesh: FakeFederation) -> None:
    before = intentions(mesh)
    schedules.deploy(mesh.context(), (LADDER,))
    schedules.deploy(mesh.context(), (replace(LADDER, sources=("aks",)),))
    assert intentions(mesh) == before | {"mesh-probe-aks>mesh-probe-eks"}
    schedules.deploy(mesh.context(), (replace(LADDER, rungs=("network",)),))
    assert intentions(mesh) == before


def test_what_the_schedule_before_needs_goes_only_once_the_next_is_in_use(
    mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules.deploy(mesh.context(), (LADDER,))
    before = intentions(mesh)
    ensure, during = releases.ensure, list[set[str]]()

    def watched(*args: Any) -> None:
        during.append(intentions(mesh))
        ensure(*args)

    monkeypatch.setattr(releases, "ensure", watched)
    schedules.deploy(mesh.context(), (replace(LADDER, rungs=("network",)),))
    assert before in during
    assert intentions(mesh) < before


def test_a_schedule_keeps_what_a_run_had_allowed_before_it(mesh: FakeFederation) -> None:
    """The run ends, and takes nothing away that the schedule has come to need."""
    context = mesh.context()
    before = intentions(mesh)
    with trial.allowed(context, context.federation.pairs, trial.for_run(context, 60.0)):
        schedules.deploy(mesh.context(), (LADDER,))
    assert intentions(mesh) == before | {"mesh-probe-aks>mesh-probe-eks", "mesh-probe-eks>mesh-probe-aks"}
    schedules.remove(mesh.context())
    assert intentions(mesh) == before


def test_federate_leaves_a_schedule_alone(mesh: FakeFederation) -> None:
    schedules.deploy(mesh.context(), (LADDER,))
    runner.run(mesh.context())
    assert schedules.plan(mesh.context(), (LADDER,)) == ()
    assert "mesh-probe-aks>mesh-probe-eks" in intentions(mesh)


def test_a_shorter_schedule_takes_the_place_of_the_one_before(mesh: FakeFederation) -> None:
    schedules.deploy(mesh.context(), (LADDER,))
    one_way = Wanted("clouds", sources=("aks",), rungs=("network",))
    schedules.deploy(mesh.context(), (one_way,))
    assert list(schedules.installed(mesh.context())) == ["aks"]
    assert release(mesh, "eks") is None


@pytest.mark.parametrize("away", ["aks", "eks"])
def test_one_cluster_that_is_away_keeps_no_other_from_its_schedule(mesh: FakeFederation, away: str) -> None:
    (other,) = {"aks", "eks"} - {away}
    mesh.clusters[away].faults.unreachable = True
    with pytest.raises(MeshkitError, match=away):
        schedules.deploy(mesh.context(), (LADDER,))
    assert release(mesh, other) is not None
    mesh.clusters[away].faults.unreachable = False
    schedules.deploy(mesh.context(), (LADDER,))
    mesh.clusters[away].faults.unreachable = True
    with pytest.raises(MeshkitError, match=away):
        schedules.remove(mesh.context())
    assert release(mesh, other) is None
    mesh.clusters[away].faults.unreachable = False
    assert schedules.remove(mesh.context())
    assert not any(">mesh-probe-" in text for text in intentions(mesh))


def test_a_schedule_by_something_else_is_refused_with_its_cluster(mesh: FakeFederation) -> None:
    schedules.deploy(mesh.context(), (LADDER,))
    mesh.clusters["eks"].patch(Ref("ConfigMap", schedules.SCHEDULE_RELEASE, "consul"), {"data": {"wanted.json": "{"}})
    with pytest.raises(MeshkitError, match="eks: its schedule was written by something else"):
        schedules.installed(mesh.context())


def test_agents_keep_no_certificate_of_another_service(mesh: FakeFederation) -> None:
    other = Wanted("s", SERVICE, ("aks",), ("eks",), target={"service": "mesh-probe-eks", "as": "web"})
    with pytest.raises(UsageError, match="no certificate of web"):
        schedules.plan(mesh.context(), (other,))


def _values(field: str, least: int, most: int) -> Iterator[int]:
    """The values of a crontab field: ``*``, ``3``, ``3-59/5``."""
    if field == "*":
        yield from range(least, most + 1)
        return
    bounds, _, step = field.partition("/")
    first, dash, last = bounds.partition("-")
    yield from range(int(first), (int(last) if dash else int(first)) + 1, int(step or 1))


@pytest.mark.parametrize(
    "every_s", [*(60.0 * n for n in schedules.MINUTES), *(3600.0 * n for n in (*schedules.HOURS, 24))]
)
def test_a_crontab_line_comes_round_evenly(every_s: float) -> None:
    for name in ("a", "clouds", "nightly", "x-1"):
        minute, hour, *rest = schedules.cron(every_s, name).split()
        assert rest == ["*", "*", "*"]
        times = sorted(60 * h + m for h in _values(hour, 0, 23) for m in _values(minute, 0, 59))
        gaps = {(b - a) % 1440 * 60.0 or 86400.0 for a, b in zip(times, [*times[1:], times[0]], strict=True)}
        assert gaps == {every_s}


@pytest.mark.parametrize("every_s", [300.5, 420.0, 2700.0, 5 * 3600.0, 86400.0 * 2])
def test_an_interval_that_cron_can_not_keep_is_refused(every_s: float) -> None:
    with pytest.raises(UsageError, match="evenly") as caught:
        schedules.cron(every_s, "odd")
    assert "12h" in caught.value.hint
