"""The plan and the result, for people and for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from meshkit.federation.change import Change
from meshkit.federation.runner import StepResult
from meshkit.model import Datacenter, Federation
from meshkit.report import plan

FEDERATION = Federation("mesh", (Datacenter("aks", "a", primary=True), Datacenter("eks", "e", gateway_port=8443)))
VERIFY = ("verify", (Change("verify", "2 requests"),))
STEPS = (
    ("preflight", ()),
    ("trust", (Change("create", "CA"), Change("replace", "server certificate", "eks", "it ended on 2026-01-01"))),
    ("gateways", (Change("await", "address of the mesh gateway", "eks"),)),
    ("datacenters", (Change("update", "helm release consul", "aks", "it is failed"),)),
    VERIFY,
)
RESULTS = (StepResult("preflight", 0.4211, ()), StepResult("trust", 1.2, (Change("create", "CA"),)))


def test_text(golden: Callable[[str, str], None]) -> None:
    """One line per change, grouped by step; steps without changes are left out."""
    golden("plan.txt", plan.as_text(FEDERATION, STEPS) + "\n")


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        pytest.param((("trust", ()), VERIFY), True, id="verification changes nothing"),
        pytest.param((("gateways", (Change("await", "address"),)),), True, id="waiting changes nothing"),
        pytest.param(STEPS, False, id="a change is a change"),
    ],
)
def test_nothing_to_change(steps: plan.Steps, *, said: bool) -> None:
    """The plan says so when a run would write nothing."""
    assert ("nothing to change" in plan.as_text(FEDERATION, steps)) is said


def test_json() -> None:
    """Every step is there, with what it would change."""
    found = json.loads(json.dumps(plan.as_json(FEDERATION, STEPS)))
    assert (found["federation"], found["primary"], found["datacenters"]) == ("mesh", "aks", ["aks", "eks"])
    assert [step["name"] for step in found["steps"]] == [name for name, _ in STEPS]
    assert found["steps"][1]["changes"][1] == {
        "action": "replace",
        "what": "server certificate",
        "datacenter": "eks",
        "why": "it ended on 2026-01-01",
    }


def test_result(golden: Callable[[str, str], None]) -> None:
    """What stands, where, and what to do next; an address that is not known is not made up."""
    golden("result.txt", plan.result_as_text(FEDERATION, RESULTS, {"aks": "203.0.113.1"}) + "\n")


def test_result_as_json() -> None:
    """Seconds per step and together, to the millisecond."""
    found = json.loads(json.dumps(plan.result_as_json(FEDERATION, RESULTS, {"aks": "203.0.113.1"})))
    assert [dc["gateway"]["address"] for dc in found["datacenters"]] == ["203.0.113.1", ""]
    assert [step["seconds"] for step in found["steps"]] == [0.421, 1.2]
    assert found["seconds"] == 1.621
