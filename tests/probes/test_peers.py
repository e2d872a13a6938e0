"""Who is believed about a target, and what follows."""

from __future__ import annotations

import pytest

from meshkit.probes import peers
from meshkit.probes.outcome import Judgement
from meshkit.probes.probe import Series
from meshkit.probes.summary import Summary


def seen(source: str, *, ok: int = 0, failed: int = 0, late: int = 0, skipped: int = 0) -> Summary:
    """What one agent has of the one target."""
    reasons = {reason: count for reason, count in (("ok", ok), ("timeout_connect", failed)) if count}
    return Summary(Series(source, "eks", "web", "mesh"), 0.0, 60.0, reasons, late=late, skipped=skipped)


def unable(source: str) -> Summary:
    """What one agent has that could not probe."""
    return Summary(Series(source, "eks", "web", "mesh"), 0.0, 60.0, {"no_identity": 9})


@pytest.mark.parametrize(
    ("views", "standing", "sources"),
    [
        pytest.param([seen("aks", ok=9), seen("gke", ok=9)], "up", (), id="all reach it"),
        pytest.param([seen("aks", failed=9), seen("gke", ok=9)], "path down", ("aks",), id="one alone does not"),
        pytest.param(
            [seen("aks", failed=9), seen("gke", failed=9)], "target down", ("aks", "gke"), id="none reaches it"
        ),
        pytest.param([seen("aks", failed=9)], "unknown", ("aks",), id="a single agent can't tell path from target"),
        pytest.param([seen("aks", ok=9)], "up", (), id="a single agent can tell that it is up"),
        pytest.param([seen("aks", ok=1, failed=8), seen("gke", ok=9)], "up", (), id="a loss is not a cut"),
        pytest.param(
            [seen("aks", failed=4), seen("aks", ok=5), seen("gke", ok=9)], "up", (), id="windows of one agent add up"
        ),
        pytest.param(
            [seen("aks", failed=9), seen("gke", ok=9, late=9)], "unknown", ("aks",), id="a late agent has no say for it"
        ),
        pytest.param(
            [seen("aks", ok=9), seen("gke", failed=9, skipped=9)],
            "up",
            (),
            id="an agent that skips has no say against it",
        ),
        pytest.param([seen("aks", failed=9), seen("gke")], "unknown", ("aks",), id="without samples there is no say"),
        pytest.param([unable("aks"), seen("gke", ok=9)], "up", (), id="a prober's own fault is not the path's"),
        pytest.param([seen("aks", failed=9), unable("gke")], "unknown", ("aks",), id="nor does it bear out another's"),
    ],
)
def test_a_target_stands_as_those_who_are_well_see_it(
    views: list[Summary], standing: str, sources: tuple[str, ...]
) -> None:
    assert peers.judge(views, peers.sick(views)) == (Judgement("eks", "web", "mesh", standing, sources),)  # type: ignore[arg-type]


def test_targets_are_judged_one_by_one() -> None:
    other = Summary(Series("aks", "eks", "db", "mesh"), 0.0, 60.0, {"refused": 3})
    found = peers.judge([seen("aks", ok=3), seen("gke", ok=3), other], {})
    assert [(j.service, j.standing) for j in found] == [("db", "unknown"), ("web", "up")]


@pytest.mark.parametrize(
    ("view", "sick"),
    [
        pytest.param(seen("aks", ok=100, late=5), False, id="a twentieth late is within reason"),
        pytest.param(seen("aks", ok=100, late=6), True, id="more is not"),
        pytest.param(seen("aks", ok=94, skipped=6), True, id="nor are skipped starts"),
        pytest.param(seen("aks", skipped=3), True, id="all skipped"),
        pytest.param(seen("aks"), False, id="nothing to do"),
    ],
)
def test_an_agent_is_sick_when_it_does_not_keep_its_own_schedule(view: Summary, sick: bool) -> None:  # noqa: FBT001
    assert ("aks" in peers.sick([view])) is sick


def test_sickness_is_told_with_its_figures() -> None:
    assert peers.sick([seen("aks", ok=4, late=3, skipped=2)]) == {"aks": "3 of 6 starts late, 2 skipped"}


def test_all_sick_means_that_nobody_knows() -> None:
    views = [seen("aks", failed=9, late=9), seen("gke", ok=9, late=9)]
    assert peers.judge(views, peers.sick(views)) == ()
