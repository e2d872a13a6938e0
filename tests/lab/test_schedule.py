"""When packets leave, seen without a clock, a device or chance."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.lab.wan import Link
from meshkit.lab.wan.schedule import QUEUE_LIMIT, Direction, Schedule

DEVICE = 7


class Chance(random.Random):
    """Gives the numbers it was given, in turn: for ``random`` as they are, for ``uniform`` as places in the range."""

    def __init__(self, *numbers: float) -> None:
        super().__init__()
        self._numbers = list(numbers)

    def random(self) -> float:
        return self._numbers.pop(0)

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.random()


def test_a_packet_leaves_after_the_delay_and_not_before() -> None:
    """At 35 ms nothing is due a moment earlier, and everything then."""
    schedule, direction = Schedule(Chance()), Direction(Link(delay_s=0.035))
    schedule.offer(direction, b"packet", DEVICE, now=1.0)
    assert schedule.next_due() == pytest.approx(1.035)
    assert list(schedule.due(1.0349)) == []
    assert list(schedule.due(1.035)) == [(DEVICE, b"packet")]
    assert schedule.next_due() is None


def test_directions_do_not_wait_for_each_other() -> None:
    """A packet of a short link passes one of a long link that came before it."""
    schedule = Schedule(Chance())
    schedule.offer(Direction(Link(delay_s=0.2)), b"far", 1, now=0.0)
    schedule.offer(Direction(Link(delay_s=0.01)), b"near", 2, now=0.1)
    assert list(schedule.due(1.0)) == [(2, b"near"), (1, b"far")]


def test_a_packet_never_overtakes_one_of_the_same_direction() -> None:
    """The second draws 20 ms less jitter than the first and still leaves after it, at the same time."""
    schedule, direction = Schedule(Chance(1.0, 0.0)), Direction(Link(delay_s=0.03, jitter_s=0.01))
    schedule.offer(direction, b"1", DEVICE, now=0.0)
    schedule.offer(direction, b"2", DEVICE, now=0.001)
    assert list(schedule.due(0.0399)) == []
    assert list(schedule.due(0.0401)) == [(DEVICE, b"1"), (DEVICE, b"2")]


def test_jitter_over_the_delay_does_not_send_into_the_past() -> None:
    """The earliest a packet can leave is now."""
    schedule, direction = Schedule(Chance(0.0)), Direction(Link(delay_s=0.01, jitter_s=0.05))
    schedule.offer(direction, b"packet", DEVICE, now=5.0)
    assert schedule.next_due() == pytest.approx(5.0)


def test_loss_drops_what_chance_decides_and_counts_it() -> None:
    """Of draws below, at and above the share, only the one below is lost."""
    schedule, direction = Schedule(Chance(0.09, 0.1, 0.5)), Direction(Link(loss=0.1))
    for packet in (b"lost", b"at", b"above"):
        schedule.offer(direction, packet, DEVICE, now=0.0)
    assert [packet for _, packet in schedule.due(0.0)] == [b"at", b"above"]
    assert (direction.counters.lost, direction.counters.packets, direction.counters.bytes) == (1, 2, 7)


def test_a_cut_stops_packets_that_are_under_way() -> None:
    """As when a cable is pulled: what was sent before the cut does not arrive after it."""
    schedule, direction = Schedule(Chance()), Direction(Link(delay_s=0.1))
    schedule.offer(direction, b"under way", DEVICE, now=0.0)
    direction.link = Link(delay_s=0.1, cut=True)
    schedule.offer(direction, b"later", DEVICE, now=0.05)
    assert list(schedule.due(1.0)) == []
    assert direction.counters.cut == 2


def test_the_queue_is_bounded_and_drops_from_its_tail() -> None:
    """One over the limit is dropped and counted; after one has left there is room again."""
    schedule, direction = Schedule(Chance()), Direction(Link(delay_s=1.0))
    for _ in range(QUEUE_LIMIT + 1):
        schedule.offer(direction, b"p", DEVICE, now=0.0)
    assert direction.counters.queue == 1
    assert len(list(schedule.due(1.0))) == QUEUE_LIMIT
    schedule.offer(direction, b"p", DEVICE, now=1.0)
    assert direction.counters.queue == 1


@given(
    st.lists(st.tuples(st.floats(0, 0.02), st.floats(0, 1)), min_size=1, max_size=50),
    st.floats(0, 0.1),
    st.floats(0, 0.1),
)
def test_any_jitter_keeps_order_and_bounds(steps: list[tuple[float, float]], delay_s: float, jitter_s: float) -> None:
    """Every packet leaves, in order, no later than the longest delay of those before it allows."""
    schedule = Schedule(Chance(*(place for _, place in steps)))
    direction = Direction(Link(delay_s=delay_s, jitter_s=jitter_s))
    now = 0.0
    for number, (gap, _) in enumerate(steps):
        now += gap
        schedule.offer(direction, bytes([number]), DEVICE, now)
        assert now <= direction.last_due <= now + delay_s + jitter_s + 1e-9
    assert [packet[0] for _, packet in schedule.due(now + delay_s + jitter_s + 1)] == list(range(len(steps)))
