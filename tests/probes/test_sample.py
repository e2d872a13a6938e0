"""Samples: what they say, and how they travel."""

from __future__ import annotations

import json

import pytest

from meshkit.probes import sample as samples
from meshkit.probes.sample import Record, Sample

FULL = Sample(
    "p",
    1_700_000_000.123456,
    "closed",
    "gone",
    {"connect": 0.01, "tls": 0.02},
    0.005,
    "kernel",
    1e-6,
    0.0001,
    0.002,
    1,
    {"status": 200},
)


@pytest.mark.parametrize("sample", [FULL, Sample("p", 1.0, "ok")], ids=["full", "bare"])
def test_a_sample_survives_the_way_as_json(sample: Sample) -> None:
    assert Sample.from_wire(json.loads(json.dumps(sample.as_wire()))) == sample


def test_what_is_empty_is_not_on_the_wire() -> None:
    assert set(Sample("p", 1.0, "ok").as_wire()) == {"probe", "at", "reason"}


@pytest.mark.parametrize("wire", [{}, {"probe": "p"}, {"probe": "p", "at": 1, "reason": "ok", "more": 1}])
def test_what_is_no_sample_is_refused(wire: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError)):
        Sample.from_wire(wire)


@pytest.mark.parametrize(
    ("error_s", "total_s", "suspect"),
    [
        pytest.param(0.0, 0.010, False, id="a loop that looked at once"),
        pytest.param(0.0009, 0.001, False, id="lateness below what anyone would notice"),
        pytest.param(0.0021, 0.010, True, id="lateness over a fifth of the whole"),
        pytest.param(0.0019, 0.010, False, id="lateness under a fifth of the whole"),
        pytest.param(0.010, 0.100, False, id="the same lateness on a long way"),
    ],
)
def test_user_space_times_are_suspect_when_much_of_them_may_be_lateness(
    error_s: float,
    total_s: float,
    suspect: bool,  # noqa: FBT001, a table's column
) -> None:
    assert Sample("p", 0.0, "ok", phases={"connect": total_s}, phase_error_s=error_s).suspect is suspect


def test_phases_add_up_when_entered_again_and_are_absent_when_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([1.0, 2.0, 4.0, 7.0])
    monkeypatch.setattr(samples, "monotonic", lambda: next(clock))
    record = Record()
    record.enter("connect")
    record.enter("transfer")
    record.enter("connect")
    record.leave()
    made = record.sample("p", 0.0, 0.0)
    assert made.phases == {"connect": 4.0, "transfer": 2.0}
    assert made.total_s == 6.0


@pytest.mark.parametrize("rtt_s", [0.0, -0.001])
def test_a_round_trip_of_nothing_is_no_measurement(rtt_s: float) -> None:
    record = Record()
    record.measured(rtt_s, "kernel", 1e-6)
    made = record.sample("p", 0.0, 0.0)
    assert made.rtt_s is None
    assert made.rtt_source == ""
