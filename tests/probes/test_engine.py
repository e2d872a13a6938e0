"""The schedule: open loop, whatever targets and this process do. Time is virtual unless a real loop is the point."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from meshkit.probes import engine
from meshkit.probes.engine import LATE_LIMIT_S, STARTS_PER_TURN, Engine, offset_s
from meshkit.probes.io import Io
from meshkit.probes.loop import MAIL, Steps
from meshkit.probes.probe import Probe
from meshkit.probes.sample import Record, Sample
from probes.once import SERIES


class World:
    """A clock and a loop in one: time passes only while the loop waits, and by ``stalls``."""

    def __init__(self) -> None:
        self.now, self.wall = 100.0, 1_000_000.0
        self.under_way = 0
        self.answer_s = 0.0
        self.stalls: dict[float, float] = {}
        self._answers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.wall + self.now

    def spawn(self, _steps: Steps, record: Record, _deadline: float, done: Callable[[Record], None]) -> None:
        self.under_way += 1
        self._count += 1
        heapq.heappush(self._answers, (self.now + self.answer_s, self._count, lambda: done(record)))

    def turn(self, until: float) -> None:
        first = self._answers[0][0] if self._answers else until
        self.now = max(self.now, min(until, first))
        for begin in [begin for begin in self.stalls if begin <= self.now]:
            self.now += self.stalls.pop(begin)
        while self._answers and self._answers[0][0] <= self.now:
            self.under_way -= 1
            heapq.heappop(self._answers)[2]()


@dataclass(frozen=True)
class Nothing:
    """Is never run: the virtual loop answers for it."""

    mechanism: ClassVar[str] = "nothing"

    def observe(self, _io: Any, _record: Record) -> Steps:
        yield 0, 0, 0.0


@dataclass
class Run:
    """An engine over a virtual world, and what it did."""

    world: World
    samples: list[Sample] = field(default_factory=list)
    skips: list[tuple[str, int]] = field(default_factory=list)

    def engine(self, **options: Any) -> Engine:
        io: Any = SimpleNamespace(loop=self.world)
        return Engine(
            io, lambda _, s: self.samples.append(s), skip=lambda p, n: self.skips.append((p.id, n)), **options
        )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    world = World()
    monkeypatch.setattr(engine, "time", world)
    return Run(world)


def probe(name: str = "p", interval_s: float = 1.0) -> Probe:
    return Probe(name, SERIES, Nothing(), interval_s=interval_s)


def test_starts_come_at_the_interval_however_long_the_answers_take(run: Run) -> None:
    run.world.answer_s = 3.7
    tally = run.engine().run([probe()], for_s=10)
    starts = sorted(sample.at for sample in run.samples)
    assert tally.started == len(starts) == 10
    assert [b - a for a, b in pairwise(starts)] == pytest.approx([1.0] * 9)
    assert (tally.skipped, tally.latest_s) == (0, pytest.approx(0))


def test_a_start_that_is_late_says_by_how_much(run: Run) -> None:
    run.world.stalls[101.5] = 0.8
    first = 100 + offset_s(probe(interval_s=1.0))
    tally = run.engine().run([probe()], for_s=5)
    late = [sample.late_s for sample in run.samples if sample.late_s > 0.001]
    assert len(late) == 1
    assert 0 < late[0] <= 0.8
    assert tally.latest_s == pytest.approx(late[0])
    assert first < 101


def test_after_a_stall_missed_starts_are_skipped_and_counted_never_caught_up(run: Run) -> None:
    run.world.stalls[105.0] = 60.0
    tally = run.engine().run([probe("one"), probe("two")], for_s=100)
    starts = sorted(sample.at for sample in run.samples)
    assert not [at for at in starts if 1_000_106 < at < 1_000_165]
    assert len([at for at in starts if 1_000_165 <= at < 1_000_166]) <= 4
    assert len([at for at in starts if 1_000_166 <= at < 1_000_176]) == pytest.approx(20, abs=2)
    assert tally.skipped == sum(starts for _, starts in run.skips)
    assert {name for name, _ in run.skips} == {"one", "two"}
    assert tally.started + tally.skipped == pytest.approx(200, abs=2)


def test_after_a_stall_only_what_was_due_lately_starts_at_once(run: Run) -> None:
    run.world.stalls[100.5] = 8.0
    probes = [probe(f"p{i}", 10.0) for i in range(1000)]
    tally = run.engine().run(probes, for_s=10)
    crowd = [sample for sample in run.samples if sample.late_s > 0.001]
    assert 50 < len(crowd) < 1000 / 10 * LATE_LIMIT_S * 1.5
    assert max(sample.late_s for sample in crowd) <= LATE_LIMIT_S
    assert tally.started + tally.skipped == 1000


def test_a_probe_asked_for_once_is_made_however_late(run: Run) -> None:
    run.world.stalls[100.0] = 5.0
    probes = [probe(f"p{i}", 0.2) for i in range(STARTS_PER_TURN + 5)]
    run.engine().run(probes, count=1)
    assert len(run.samples) == len(probes)


def test_no_more_than_the_limit_are_under_way_and_the_rest_is_skipped(run: Run) -> None:
    run.world.answer_s = 100.0
    tally = run.engine(under_way_limit=3).run([probe(f"p{i}") for i in range(5)], for_s=1.0)
    assert (tally.started, tally.skipped) == (3, 2)
    assert len(run.samples) == 3


def test_a_step_of_the_wall_clock_changes_no_schedule(run: Run) -> None:
    tally = run.engine().run([probe()], for_s=5, stop=lambda: setattr(run.world, "wall", 5.0) is not None)
    assert (tally.started, tally.skipped, tally.latest_s) == (5, 0, pytest.approx(0))


def test_offsets_spread_probes_over_their_interval_and_stay_the_same() -> None:
    offsets = [offset_s(probe(f"p{i}", 10.0)) for i in range(1000)]
    assert offsets == [offset_s(probe(f"p{i}", 10.0)) for i in range(1000)]
    tenths = [sum(n <= offset < n + 1 for offset in offsets) for n in range(10)]
    assert min(tenths) > 60


def test_a_removed_probe_starts_no_more_and_an_added_one_does(run: Run) -> None:
    made = run.engine()

    def stop() -> bool:
        if run.world.now >= 105 and "old" in made._turns:
            made.remove(["old", "never there"])
            made.add([probe("new")])
        return False

    made.run([probe("old")], for_s=10, stop=stop)
    names = [sample.probe for sample in run.samples]
    assert (names.count("old"), names.count("new")) == (5, pytest.approx(5, abs=1))


@dataclass(frozen=True)
class Silent:
    """Waits for a letter that never comes."""

    mechanism: ClassVar[str] = "silent"

    def observe(self, _io: Any, record: Record) -> Steps:
        record.enter("reply")
        yield MAIL, object(), 0.0


@dataclass(frozen=True)
class Instant:
    """Has its answer at once."""

    mechanism: ClassVar[str] = "instant"

    def observe(self, _io: Any, record: Record) -> Steps:
        record.enter("reply")
        record.leave()
        yield from ()


def test_a_target_that_never_answers_delays_no_other_on_the_real_loop() -> None:
    io, samples = Io(), list[Sample]()
    probes = [
        Probe("silent", SERIES, Silent(), interval_s=0.01, timeout_s=0.2),
        Probe("quick", SERIES, Instant(), interval_s=0.01, timeout_s=0.2),
    ]
    tally = Engine(io, lambda _, sample: samples.append(sample)).run(probes, count=10)
    io.close()
    reasons = [(sample.probe, sample.reason) for sample in samples]
    assert tally.started == 20
    assert reasons.count(("quick", "ok")) == reasons.count(("silent", "timeout_reply")) == 10
    assert reasons.index(("silent", "timeout_reply")) >= 10


def test_stop_ends_a_run_with_probes_under_way_and_closing_ends_those() -> None:
    io, samples = Io(), list[Sample]()
    made = Engine(io, lambda _, sample: samples.append(sample))
    made.run([Probe("silent", SERIES, Silent(), timeout_s=60)], count=1, stop=lambda: made.tally.started == 1)
    assert io.loop.under_way == 1
    assert not samples
    io.close()
