"""Windows under clocks that go on, jump and go back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.probes.agent.windows import FORGOTTEN_S, Windows
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample

SERIES = Series("aks", "eks", "web", "mesh")
OK, LOST = Sample("p", 0.0, "ok"), Sample("p", 0.0, "timeout_connect")


class Clock:
    """A wall clock that can be set, and a steady one that can't."""

    def __init__(self, wall: float = 1_800_000_010.0) -> None:
        self.wall, self.steady = wall, 50.0

    def windows(self, width_s: float = 60.0) -> Windows:
        """Windows by this clock."""
        return Windows(width_s, wall=lambda: self.wall, steady=lambda: self.steady)

    def go(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.steady += seconds


def test_windows_end_at_multiples_of_their_width_by_the_wall_clock() -> None:
    clock = Clock()
    windows = clock.windows()
    clock.go(49.9)
    assert not windows.full
    clock.go(0.2)
    assert windows.full
    windows.add(SERIES, OK)
    (first,) = windows.close()
    assert (first.begin, first.width_s) == (1_800_000_010.0, pytest.approx(50.1))
    assert windows.begin == pytest.approx(1_800_000_060.1)


@given(st.lists(st.tuples(st.floats(-1e8, 1e8), st.floats(0.01, 200.0)), max_size=30))
def test_whatever_the_wall_clock_does_windows_end_in_time_and_have_a_width(steps: list[tuple[float, float]]) -> None:
    clock = Clock()
    windows = clock.windows()
    for jump, passing in steps:
        clock.wall = max(0.0, clock.wall + jump)
        opened = windows._opened
        windows.add(SERIES, OK)
        clock.go(passing)
        assert windows.full or clock.steady - opened <= 60.0
        if windows.full:
            (closed,) = windows.close()
            assert closed.width_s == pytest.approx(clock.steady - opened, abs=0.002)
            assert closed.width_s > 0


def test_a_series_is_seen_by_its_open_window_once_that_has_enough_samples() -> None:
    clock = Clock()
    windows = clock.windows()
    for _ in range(5):
        windows.add(SERIES, OK)
    clock.go(60)
    windows.close()
    windows.add(SERIES, LOST)
    (before,) = windows.view()
    assert (before.failed, before.sent) == (1, 6)
    windows.add(SERIES, LOST)
    windows.add(SERIES, LOST)
    (now,) = windows.view()
    assert (now.failed, now.sent) == (3, 3)


def test_a_series_without_samples_is_forgotten_in_time_and_when_it_is_no_longer_probed() -> None:
    clock = Clock()
    windows = clock.windows()
    windows.add(SERIES, OK)
    clock.go(60)
    windows.close()
    clock.go(60)
    assert windows.close() == []
    assert len(windows.view()) == 1
    clock.go(FORGOTTEN_S)
    windows.close()
    assert windows.view() == []
    windows.add(SERIES, OK)
    windows.close()
    windows.forget([])
    assert windows.view() == []


def test_a_series_that_is_no_longer_probed_has_no_say_by_its_open_window_and_is_stored_all_the_same() -> None:
    windows = Clock().windows()
    windows.add(SERIES, LOST)
    windows.forget([])
    assert windows.view() == []
    assert [summary.series for summary in windows.close()] == [SERIES]
    assert windows.view() == []
    windows.forget([SERIES])
    windows.add(SERIES, OK)
    assert len(windows.view()) == 1


def test_skipped_starts_count_though_no_sample_came() -> None:
    windows = Clock().windows()
    windows.skipped(SERIES, 4)
    (summary,) = windows.close()
    assert (summary.sent, summary.skipped) == (0, 4)
