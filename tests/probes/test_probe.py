"""Probes as they travel to agents."""

from __future__ import annotations

import json

import pytest

from meshkit.probes.mechanisms.tcp import TcpTarget
from meshkit.probes.probe import Probe, Series, from_wire

PROBE = Probe("p", Series("aks", "eks", "web", "network"), TcpTarget("10.0.0.1", 443), 5.0, 2.0, ("p99<120ms",))


def test_a_probe_survives_the_way_as_json() -> None:
    assert from_wire(json.loads(json.dumps(PROBE.as_wire()))) == PROBE


def test_a_series_reads_as_a_sentence() -> None:
    assert str(PROBE.series) == "aks to eks/web: network"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"mechanism": "smoke"}, id="a mechanism that there is not"),
        pytest.param({"target": {"host": "h", "port": 1, "colour": "red"}}, id="a key that the mechanism has not"),
        pytest.param({"target": {"host": "h"}}, id="a key that is missing"),
        pytest.param({"interval_s": "often"}, id="an interval that is no number"),
        pytest.param({"interval_s": None}, id="no interval"),
        pytest.param({"series": {"source": "aks"}}, id="a series without a destination"),
        pytest.param({"target": None}, id="no target"),
    ],
)
def test_what_is_no_probe_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_wire(PROBE.as_wire() | change)
