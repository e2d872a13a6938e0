"""Which rule decides: it is asked of the service that a chain leads to."""

from __future__ import annotations

from typing import Any

import pytest

from meshkit.federation.tracing import planes
from meshkit.trace.evidence import Chain, ChainTarget, Rule
from meshkit.trace.hops import Party, Route

ROUTE = Route(Party("eks", "frontend"), Party("aks", "backend"))
ENTRIES = [
    {"Kind": "service-intentions", "Name": "backend", "Sources": [{"Name": "frontend", "Action": "allow"}]},
    {"Kind": "service-intentions", "Name": "closed", "Sources": [{"Name": "frontend", "Action": "deny"}]},
]


def leads(*services: str, failover: str = "") -> Chain:
    """A chain with these targets."""
    spare = (ChainTarget(failover, "", "gcp", failover=True),) if failover else ()
    return Chain(targets=(*(ChainTarget(service, "", "aks") for service in services), *spare))


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"discovery chain": leads("backend")}, Rule("allow", "frontend", "backend")),
        ({"discovery chain": leads("backend", failover="closed")}, Rule("allow", "frontend", "backend")),
        ({"discovery chain": leads("closed")}, Rule("deny", "frontend", "closed", "closed")),
        ({"discovery chain": leads("other"), "intentions' default": False}, Rule("deny", target="other")),
        ({"discovery chain": leads("other")}, None),
        ({"discovery chain": leads("backend", "closed")}, None),
        ({}, Rule("allow", "frontend", "backend")),
        ({"intentions": None}, None),
    ],
    ids=["itself", "fails over", "redirected", "by default", "not told", "split", "no chain", "no intentions"],
)
def test_the_rule_that_decides(answers: dict[str, Any], expected: Rule | None) -> None:
    """What is not known decides nothing."""
    assert planes._rule({"intentions": ENTRIES} | answers, ROUTE) == expected
