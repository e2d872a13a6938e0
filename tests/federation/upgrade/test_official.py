"""An upgrade of the official chart: the chart's version is what changes, one datacenter after the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes.federation import OFFICIAL, FakeFederation, official_chart, officially
from meshkit.errors import CombinedError, MeshkitError
from meshkit.events import Note
from meshkit.federation import describe, drift, runner
from meshkit.federation.context import Context
from meshkit.federation.upgrade import plan, roll
from meshkit.federation.upgrade.target import Target

NEW = Target("2.0.3", "2.0.3")


@pytest.fixture
def mesh(tmp_path: Path) -> FakeFederation:
    """Federated with 1.9.11; the repository has 2.0.3 too."""
    newer = official_chart(tmp_path, "2.0.3", "2.0.3")
    made = FakeFederation()
    made.federation = replace(officially(made.federation), chart_path="")
    for helm in made.wan.helms.values():
        helm.repository = {"1.9.11": OFFICIAL, "2.0.3": newer}
    runner.run(made.context())
    return made


def context(mesh: FakeFederation) -> Context:
    identity = mesh.state.identity()
    assert identity
    mesh.federation = identity.federation
    return mesh.context()


def charts(mesh: FakeFederation) -> dict[str, str]:
    """The version of the chart that each cluster's release was made from."""
    found = {name: helm.chart("consul", "consul") for name, helm in mesh.wan.helms.items()}
    return {name: chart.version if chart else "" for name, chart in found.items()}


def test_chart_by_chart(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secondary keeps its chart until the primary is proven; afterwards the chart is the federation's."""
    seen: list[dict[str, str]] = []
    prove = roll.verify.prove
    monkeypatch.setattr(roll.verify, "prove", lambda *given: (seen.append(charts(mesh)), prove(*given)))
    opened = context(mesh)
    moves = plan.plan(opened, NEW)
    assert [(m.before.chart, m.target.chart) for m in moves] == [("1.9.11", "2.0.3")] * 2
    roll.roll(opened, moves)
    assert seen == [{"aks": "2.0.3", "eks": "1.9.11"}, {"aks": "2.0.3", "eks": "2.0.3"}]
    after = context(mesh).federation
    assert after.chart_version == "2.0.3"
    assert {(dc.chart_version, dc.consul_version) for dc in after.datacenters} == {("", "2.0.3")}
    assert drift.drift(mesh.context(), after.primary) == ()
    assert Note("sidecars of pods that run keep their version until those pods restart") in mesh.events


def test_federate_in_the_midst_of_it(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run between a failed upgrade and the next try changes nothing of either side."""
    opened = context(mesh)
    moves = plan.plan(opened, NEW)
    with monkeypatch.context() as broken:
        broken.setattr(mesh.clusters["eks"], "answer", lambda *_: (503, ""))
        with pytest.raises(MeshkitError, match="aks is unwell"):
            roll.roll(opened, moves)
    known = context(mesh).federation
    mesh.federation = describe.resolve(replace(known, chart="", chart_version=""), known, {})
    runner.run(mesh.context())
    assert charts(mesh) == {"aks": "2.0.3", "eks": "1.9.11"}
    again = context(mesh)
    roll.roll(again, plan.plan(again, NEW))
    assert charts(mesh) == {"aks": "2.0.3", "eks": "2.0.3"}


def test_a_chart_that_can_not_be_had(mesh: FakeFederation) -> None:
    """It is pulled before anything is touched, and what the repository says is told."""
    for helm in mesh.wan.helms.values():
        del helm.repository["2.0.3"]
    with pytest.raises(CombinedError, match="nothing was changed") as raised:
        plan.plan(context(mesh), NEW)
    assert "has no chart consul 2.0.3" in raised.value.errors[0].message
    assert charts(mesh) == {"aks": "1.9.11", "eks": "1.9.11"}


def test_values_that_the_new_chart_refuses(mesh: FakeFederation) -> None:
    """So is what the new chart says to the values that there are."""
    mesh.wan.helms["eks"].refuses = "connectInject.enabled must be true"
    with pytest.raises(CombinedError, match="nothing was changed") as raised:
        plan.plan(context(mesh), NEW)
    assert "eks: the chart refuses its values: connectInject.enabled must be true" in raised.value.errors[0].message
