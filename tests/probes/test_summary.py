"""Summaries: what samples come to, that they merge, and that the wire keeps them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.probes.mechanisms.tcp import TcpTarget
from meshkit.probes.probe import LEAST_S, Probe, Series, from_wire
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary, merged

SERIES = Series("aks", "eks", "web", "mesh")
TIMES = st.floats(min_value=1e-6, max_value=100.0)
SAMPLES = st.builds(
    Sample,
    probe=st.just("p"),
    at=st.just(0.0),
    reason=st.sampled_from(("ok", "refused", "timeout_tls")),
    detail=st.sampled_from(("", "connect: Connection refused")),
    phases=st.dictionaries(st.sampled_from(("connect", "tls", "transfer")), TIMES),
    rtt_s=st.none() | TIMES,
    rtt_source=st.just("kernel"),
    rtt_error_s=st.floats(min_value=0, max_value=1e-3),
    phase_error_s=st.floats(min_value=0, max_value=1e-2),
    late_s=st.floats(min_value=0, max_value=1),
    retransmits=st.integers(min_value=0, max_value=3),
    facts=st.fixed_dictionaries({}, optional={"answers": st.just(["10.0.0.1"])})
    | st.just({"not_before": 1.0, "not_after": 2.0}),
)
MANY = st.lists(SAMPLES, max_size=40)


def _of(samples: list[Sample], begin: float = 0.0) -> Summary:
    summary = Summary(SERIES, begin, 60.0)
    for sample in samples:
        summary.add(sample)
    return summary


@given(MANY)
def test_the_wire_keeps_a_summary(samples: list[Sample]) -> None:
    wire = json.loads(json.dumps(_of(samples).as_wire()))
    back = Summary.from_wire(wire)
    assert json.loads(json.dumps(back.as_wire())) == wire
    assert back.sent == len(samples)


@given(MANY, MANY)
def test_two_windows_merged_count_what_one_would_have(one: list[Sample], other: list[Sample]) -> None:
    together, both = _of(one), _of(one + other)
    together.merge(_of(other, begin=60.0))
    for name in ("reasons", "resent", "late", "suspect", "latest_s", "rtt_error_s", "sent", "failed", "loss"):
        assert getattr(together, name) == getattr(both, name), name
    assert together.rtt.buckets == both.rtt.buckets
    assert together.total.buckets == both.total.buckets
    assert {name: n for name, (_, n) in together.phases.items()} == {name: n for name, (_, n) in both.phases.items()}
    assert (together.begin, together.width_s) == (0.0, 120.0)


@given(st.lists(MANY, min_size=1, max_size=4))
def test_merging_leaves_what_was_merged_as_it_was(windows: list[list[Sample]]) -> None:
    summaries = [_of(samples, begin=60.0 * place) for place, samples in enumerate(windows)]
    before = [summary.as_wire() for summary in summaries]
    assert merged(summaries)[SERIES].sent == sum(summary.sent for summary in summaries)
    assert [summary.as_wire() for summary in summaries] == before


def test_a_trace_that_ends_nowhere_keeps_how_far_it_came() -> None:
    summary = _of([Sample("p", 0.0, "timeout_reply", "no answer", facts={"answers": ["1 10.0.0.1 0.2 ms", "2 *"]})])
    assert summary.answers == ("1 10.0.0.1 0.2 ms", "2 *")


def test_the_newest_window_says_what_is_true_now_in_whatever_order_they_merge() -> None:
    old = _of([Sample("p", 0.0, "ok", facts={"not_before": 1.0, "not_after": 2.0, "answers": ["old"]})])
    new = _of([Sample("p", 0.0, "ok", facts={"not_before": 3.0, "not_after": 4.0, "answers": ["new"]})], begin=60.0)
    for one, other in ((old, new), (new, old)):
        found = Summary.from_wire(one.as_wire())
        found.merge(other)
        assert (found.certificate, found.answers) == ((3.0, 4.0), ("new",))


def test_a_failure_gives_no_latency_and_a_phase_not_reached_is_absent() -> None:
    summary = _of([Sample("p", 0.0, "timeout_tls", phases={"connect": 0.01})])
    assert (summary.latency.count, summary.phase_s("connect"), summary.phase_s("tls")) == (0, None, None)
    assert summary.latency.quantile(0.5) is None


def test_jitter_is_the_mean_difference_of_neighbours_and_a_loss_parts_them() -> None:
    ok = [Sample("p", 0.0, "ok", rtt_s=rtt_s, rtt_source="kernel") for rtt_s in (0.010, 0.014, 0.012, 0.050)]
    lost = Sample("p", 0.0, "timeout_connect")
    assert _of(ok[:3]).jitter_s == pytest.approx(0.003)
    assert _of([*ok[:3], lost, ok[3]]).jitter_s == pytest.approx(0.003)
    assert _of(ok[:1]).jitter_s is None


def test_loss_counts_packets_that_were_sent_again() -> None:
    again = Sample("p", 0.0, "ok", rtt_s=None, retransmits=1)
    assert _of([again, Sample("p", 0.0, "ok"), Sample("p", 0.0, "refused"), Sample("p", 0.0, "ok")]).loss == 0.5


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("series", {"source": "a"}, id="half a series"),
        pytest.param(
            "series", {"source": 1, "destination": "b", "service": "c", "probe": "d"}, id="a number as a name"
        ),
        pytest.param("reasons", {"ok": -1}, id="a negative count"),
        pytest.param("reasons", {"ok": "many"}, id="a count that is a text"),
        pytest.param("reasons", [1], id="reasons that are a list"),
        pytest.param("begin", "now", id="a time that is a text"),
        pytest.param("width_s", -1.0, id="a negative width"),
        pytest.param("width_s", math.inf, id="an endless window"),
        pytest.param("late", 1.5, id="half a late start"),
        pytest.param("certificate", [1], id="a certificate without an end"),
        pytest.param("answers", [1], id="an answer that is a number"),
        pytest.param("jitter", 3, id="jitter without its count"),
        pytest.param("phases", {"tls": 3}, id="a phase without its count"),
        pytest.param("colour", "red", id="an unknown key"),
    ],
)
def test_what_is_no_summary_is_refused(key: str, value: Any) -> None:
    wire = _of([Sample("p", 0.0, "ok")]).as_wire() | {key: value}
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        Summary.from_wire(wire)


@given(
    st.text(max_size=20),
    st.builds(TcpTarget, st.text(max_size=20), st.integers(min_value=0, max_value=65535)),
    st.floats(min_value=LEAST_S, max_value=86400),
    st.lists(st.text(max_size=10), max_size=3),
)
def test_the_wire_keeps_a_probe(name: str, target: TcpTarget, interval_s: float, expect: list[str]) -> None:
    probe = Probe(name, SERIES, target, interval_s, 1.0, tuple(expect))
    assert from_wire(json.loads(json.dumps(probe.as_wire()))) == probe


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"mechanism": "quic"}, "no mechanism quic", id="an unknown mechanism"),
        pytest.param({"mechanism": ["tcp"]}, "not a probe", id="a mechanism that is a list"),
        pytest.param(
            {"target": {"host": "h", "port": 1, "sni": "x"}}, "tcp has no sni", id="a field of another mechanism"
        ),
        pytest.param({"target": {"host": "h"}}, "port", id="a missing field"),
        pytest.param({"target": None}, "not a probe", id="no target"),
        pytest.param({"interval_s": 0}, "interval_s", id="without a pause"),
        pytest.param({"interval_s": math.nan}, "interval_s", id="an interval that is no number"),
        pytest.param({"timeout_s": -1}, "timeout_s", id="a negative timeout"),
        pytest.param({"timeout_s": "3s"}, "timeout_s", id="a timeout that is a text"),
        pytest.param({"series": {}}, "not a probe", id="no series"),
        pytest.param({"id": 3}, "id", id="an id that is a number"),
        pytest.param({"expect": [1]}, "expect", id="an expectation that is a number"),
        pytest.param({"expect": None}, "not a probe", id="expectations that are none"),
    ],
)
def test_what_is_no_probe_is_refused_in_one_line(change: dict[str, Any], said: str) -> None:
    wire = Probe("p", SERIES, TcpTarget("h", 1)).as_wire() | change
    with pytest.raises(ValueError, match=said) as refused:
        from_wire(wire)
    assert "\n" not in str(refused.value)
