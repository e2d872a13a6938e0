"""The ladder: which rung is broken, and what each costs."""

from __future__ import annotations

import pytest

from meshkit.probes.ladder import RUNGS, Ladder, ladders
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary


def rung(name: str, *, reasons: dict[str, int] | None = None, rtt_s: float | None = None) -> Summary:
    """One rung from aks to eks."""
    summary = Summary(Series("aks", "eks", "gateway", name), 0.0, 60.0, reasons or {})
    if rtt_s is not None:
        summary.add(Sample("p", 0.0, "ok", phases={"setup": 3 * rtt_s}, rtt_s=rtt_s, rtt_source="kernel"))
    return summary


@pytest.mark.parametrize(
    ("failing", "broken"),
    [
        pytest.param((), "", id="none"),
        pytest.param(("gateway", "rpc", "mesh"), "gateway", id="the lowest of several"),
        pytest.param(("mesh",), "mesh", id="the highest alone"),
        pytest.param(tuple(RUNGS), "network", id="all"),
    ],
)
def test_the_first_rung_that_lets_nothing_through_is_the_broken_one(failing: tuple[str, ...], broken: str) -> None:
    rungs = {name: rung(name, reasons={"refused": 5} if name in failing else {"ok": 1, "reset": 4}) for name in RUNGS}
    assert Ladder("aks", "eks", rungs).broken == broken


def test_a_rung_without_samples_is_not_called_broken() -> None:
    assert (
        Ladder("aks", "eks", {"network": rung("network"), "mesh": rung("mesh", reasons={"reset": 1})}).broken == "mesh"
    )


def test_the_mesh_adds_what_its_median_is_above_the_networks() -> None:
    ladder = Ladder("aks", "eks", {"network": rung("network", rtt_s=0.070), "mesh": rung("mesh", rtt_s=0.072)})
    assert ladder.network_s == pytest.approx(0.070, rel=0.01)
    assert ladder.mesh_adds_s == pytest.approx(0.002, rel=0.01)
    assert ladder.setup_s == pytest.approx(0.216, rel=0.01)


@pytest.mark.parametrize("missing", ["network", "mesh"])
def test_without_one_of_both_nothing_is_said_of_what_the_mesh_adds(missing: str) -> None:
    rungs = {name: rung(name, rtt_s=0.07) for name in ("network", "mesh") if name != missing}
    assert Ladder("aks", "eks", rungs).mesh_adds_s is None


def test_there_is_a_ladder_for_each_ordered_pair_and_none_for_services() -> None:
    there, back = Series("aks", "eks", "gateway", "network"), Series("eks", "aks", "gateway", "network")
    service = Series("aks", "gke", "web", "checkout")
    found = ladders({s: Summary(s, 0.0, 1.0) for s in (back, service, there)}, {("aks", "eks"): 0.05})
    assert [(ladder.source, ladder.destination, ladder.floor_s) for ladder in found] == [
        ("aks", "eks", 0.05),
        ("eks", "aks", None),
    ]
