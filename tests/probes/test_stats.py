"""Sketches against exact quantiles, and the Wilson interval against published values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.probes.stats import Sketch, wilson

SECONDS = st.floats(min_value=1e-9, max_value=1e4)
MANY = st.lists(SECONDS, min_size=1, max_size=200)


def _of(values: list[float]) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


@given(MANY, st.floats(min_value=0.0, max_value=1.0))
def test_any_quantile_is_within_a_thousandth_of_the_exact_one(values: list[float], q: float) -> None:
    exact = sorted(values)[max(1, math.ceil(q * len(values))) - 1]
    assert _of(values).quantile(q) == pytest.approx(exact, rel=0.00101)


@given(MANY)
def test_count_minimum_maximum_and_mean_are_exact(values: list[float]) -> None:
    sketch = _of(values)
    assert (sketch.count, sketch.least, sketch.most) == (len(values), min(values), max(values))
    assert sketch.mean == pytest.approx(sum(values) / len(values))


@given(MANY, MANY)
def test_a_merge_is_the_sketch_of_all_values(one: list[float], other: list[float]) -> None:
    merged, both = _of(one), _of(one + other)
    merged.merge(_of(other))
    assert (merged.count, merged.least, merged.most, merged.buckets) == (
        both.count,
        both.least,
        both.most,
        both.buckets,
    )
    assert merged.total == pytest.approx(both.total)


@given(MANY)
def test_the_wire_keeps_counts_and_a_nanosecond(values: list[float]) -> None:
    sketch = _of(values)
    back = Sketch.from_wire(sketch.as_wire())
    assert (back.count, back.buckets) == (sketch.count, sketch.buckets)
    assert (back.least, back.most) == pytest.approx((sketch.least, sketch.most), abs=1e-9)
    assert Sketch.from_wire(back.as_wire()) == back


def test_without_values_there_is_no_quantile_no_mean_and_an_empty_wire() -> None:
    sketch = Sketch()
    assert (sketch.quantile(0.5), sketch.mean, sketch.as_wire()) == (None, None, {})
    assert Sketch.from_wire({}) == sketch


@pytest.mark.parametrize(
    ("wire"),
    [
        pytest.param({"sum": 1, "min": 1, "max": 1}, id="no buckets"),
        pytest.param({"sum": 1, "min": 1, "max": 1, "buckets": [1]}, id="a bucket without its count"),
        pytest.param({"sum": 1, "min": 1, "max": 1, "buckets": [1, -1]}, id="a negative count"),
        pytest.param({"sum": 1, "min": 1, "max": 1, "buckets": ["1", 1]}, id="a bucket that is no number"),
        pytest.param({"sum": 1, "min": 1, "max": 1, "buckets": [10**9, 1]}, id="a bucket beyond any float"),
        pytest.param({"sum": 1, "min": 1, "max": 1, "buckets": [1, 0.5]}, id="half a value"),
        pytest.param({"sum": math.nan, "min": 1, "max": 1, "buckets": [1, 1]}, id="a sum that is no number"),
    ],
)
def test_what_is_no_sketch_is_refused(wire: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Sketch.from_wire(wire)


@pytest.mark.parametrize(
    ("events", "trials", "low", "high"),
    [
        pytest.param(0, 10, 0.0, 0.2775, id="none of ten"),
        pytest.param(10, 10, 0.7225, 1.0, id="all of ten"),
        pytest.param(81, 263, 0.2553, 0.3662, id="Newcombe 1998, table I: 81 of 263"),
        pytest.param(15, 148, 0.0624, 0.1605, id="Newcombe 1998, table I: 15 of 148"),
        pytest.param(0, 20, 0.0, 0.1611, id="Newcombe 1998, table I: 0 of 20"),
        pytest.param(1, 29, 0.0061, 0.1718, id="Newcombe 1998, table I: 1 of 29"),
    ],
)
def test_the_wilson_interval_has_its_published_values(events: int, trials: int, low: float, high: float) -> None:
    assert wilson(events, trials) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(min_value=0, max_value=1000), st.integers(min_value=0, max_value=1000))
def test_the_interval_holds_the_rate_and_stays_between_0_and_1(one: int, other: int) -> None:
    events, trials = min(one, other), max(one, other)
    low, high = wilson(events, trials)
    assert 0 <= low <= high <= 1
    if trials:
        assert low - 1e-12 <= events / trials <= high + 1e-12


def test_without_trials_any_rate_is_possible() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_none_lost_begins_at_exactly_nothing_and_all_lost_ends_at_exactly_all() -> None:
    assert {wilson(0, trials)[0] for trials in range(1, 500)} == {0.0}
    assert {wilson(trials, trials)[1] for trials in range(1, 500)} == {1.0}
