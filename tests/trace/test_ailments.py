"""Findings of many traces become one list: worst first, each once, without refusals, checks where nothing says more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes import changes
from fakes import evidence as seen
from fakes.evidence import healthy
from meshkit.model import CheckResult, Verdict
from meshkit.trace.ailments import Ailment, Checked, Examination, gathered, of_traces
from meshkit.trace.diagnosis import Diagnosis, diagnose

DOWN = {"gateway_ready": 0, "gateway": None}


def down(route: str = "") -> Diagnosis:
    """The remote gateway is down."""
    found = diagnose(seen.closed(seen.with_destination(healthy(), **DOWN)))
    return replace(found, route=route or found.route)


def checked(verdict: Verdict, *codes: str) -> Checked:
    """A check that ended so."""
    return Checked(CheckResult("gateways", "mesh gateways are ready", verdict, "0 of 1", "look"), frozenset(codes))


def test_each_once_with_all_its_paths() -> None:
    """The same finding on two paths is one ailment."""
    found = gathered([down("a to b"), down("c to b")], [], [])

    assert [(ailment.code, ailment.paths) for ailment in found] == [("gateway_down", ("a to b", "c to b"))]


def test_worst_first() -> None:
    """What breaks before what harms, what breaks more paths before what breaks one, notes last."""
    harmed = diagnose(seen.with_source(healthy(), gateway_desired=2))
    one = diagnose(changes.critical(healthy()))
    found = gathered([harmed, one, down("a to b"), down("c to b")], [], [checked("warn")])

    assert [ailment.code for ailment in found] == ["gateway_down", "health_critical", "gateway_degraded", "check"]


def test_a_refusal_is_no_ailment() -> None:
    """That no intention allows the probes is how a mesh begins."""
    assert list(of_traces([diagnose(changes.denied("deny")(healthy()))])) == []


def test_what_only_would_explain_gives_way() -> None:
    """Without an endpoint because nobody is registered: the second is the ailment."""
    evidence = changes.views(None, {"instances": (), "sidecars": ()})(healthy())
    evidence = seen.with_proxy(evidence, "source sidecar", clusters={})

    assert [ailment.code for ailment in of_traces([diagnose(evidence)])] == ["destination_not_registered"]


@pytest.mark.parametrize(
    ("verdict", "codes", "expected"),
    [
        ("fail", (), ["gateway_down", "check"]),
        ("fail", ("gateway_down",), ["gateway_down"]),
        ("fail", ("gateway_not_known",), ["gateway_down", "check"]),
        ("warn", (), ["gateway_down", "check"]),
        ("pass", (), ["gateway_down"]),
        ("skip", (), ["gateway_down"]),
    ],
)
def test_a_check_is_left_out_where_a_cause_says_more(
    verdict: Verdict, codes: tuple[str, ...], expected: list[str]
) -> None:
    """One that was not made is unseen, which the observation tells."""
    assert [ailment.code for ailment in gathered([down()], [], [checked(verdict, *codes)])] == expected


@pytest.mark.parametrize(
    ("weight", "well"), [("breaks", False), ("fallback", False), ("degrades", True), ("note", True)]
)
def test_well_is_without_what_breaks(weight: str, well: bool) -> None:  # noqa: FBT001 - a column of the table
    """The exit code goes by it."""
    ailment = Ailment("x", weight, "network", "aks", "f", "t", "r")  # type: ignore[arg-type]
    assert Examination("mesh", (ailment,), (), (), 1.0).well is well
