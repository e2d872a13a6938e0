"""Probes on their schedules: open loop, so that a slow answer never delays the next question.

Each start has a due time that depends on nothing but the schedule. A start that comes late says by how much; one that
can't come (the limit of probes under way is reached, or a whole interval went by) is counted as skipped, never caught
up in a burst. So latency is never measured only when the target is quick (coordinated omission).
"""

from __future__ import annotations

import hashlib
import heapq
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import count as count_up

from meshkit.probes.io import Io
from meshkit.probes.probe import Probe
from meshkit.probes.sample import Record, Sample

UNDER_WAY_LIMIT = 4000
"""Of the 28,000 source ports and the descriptors that a container usually has."""

STARTS_PER_TURN = 64
"""Then answers are looked at, however many starts are due."""

LATE_LIMIT_S = 1.0
"""A start later than this is skipped: after a stall, everything would start at once and measure the crowd."""

IDLE_S = 0.25
"""How often ``stop`` is asked while nothing happens."""

Sink = Callable[[Probe, Sample], None]
Skip = Callable[[Probe, int], None]


def _uncounted(_probe: Probe, _starts: int) -> None:
    """The tally is enough."""


@dataclass
class Tally:
    """How the schedule was kept: starts made, the largest lateness in seconds, and starts that did not come."""

    started: int = 0
    skipped: int = 0
    latest_s: float = 0.0


class Turn:
    """A probe that has its turn ``left`` more times."""

    __slots__ = ("left", "probe")

    def __init__(self, probe: Probe, left: float) -> None:
        self.probe = probe
        self.left = left


class Engine:
    """Runs probes until told to stop; ``sink`` gets every sample as it ends, ``skip`` the starts that did not come.

    Neither may block.
    """

    def __init__(self, io: Io, sink: Sink, *, skip: Skip = _uncounted, under_way_limit: int = UNDER_WAY_LIMIT) -> None:
        self._io = io
        self._sink = sink
        self._skip = skip
        self._limit = under_way_limit
        self._due: list[tuple[float, int, Turn]] = []
        self._turns: dict[str, Turn] = {}
        self._numbers = count_up()
        self.tally = Tally()

    def add(self, probes: Iterable[Probe], *, count: int | None = None) -> None:
        """Schedule probes from now on, also while others run: those keep their due times."""
        begin = time.monotonic()
        for probe in probes:
            turn = self._turns[probe.id] = Turn(probe, math.inf if count is None else count)
            first = begin + (offset_s(probe) if count is None else 0.0)
            heapq.heappush(self._due, (first, next(self._numbers), turn))

    def remove(self, identifiers: Iterable[str]) -> None:
        """Start these no more; what is under way ends as it would."""
        for identifier in identifiers:
            turn = self._turns.pop(identifier, None)
            if turn is not None:
                turn.left = 0

    def run(
        self,
        probes: Iterable[Probe] = (),
        *,
        count: int | None = None,
        for_s: float | None = None,
        stop: Callable[[], bool] = bool,
    ) -> Tally:
        """Each probe ``count`` times, or for a time in seconds, or until ``stop``; then what is under way ends."""
        loop, due = self._io.loop, self._due
        end = time.monotonic() + for_s if for_s is not None else math.inf
        self.add(probes, count=count)
        while (due or loop.under_way) and not stop():
            now = time.monotonic()
            if now >= end:
                due.clear()
            for _ in range(STARTS_PER_TURN):
                if not due or due[0][0] > now:
                    break
                self._take_turn(now)
                now = time.monotonic()
            if due or loop.under_way:
                following = due[0][0] if due else math.inf
                loop.turn(min(following, now + IDLE_S, end if now < end else math.inf))
        due.clear()
        self._turns.clear()
        return self.tally

    def _take_turn(self, now: float) -> None:
        """Start the probe that is due first, and put it back unless it was the last time."""
        when, number, turn = self._due[0]
        if turn.left > 0:
            turn.left -= 1
            following = self._start(turn, when, now)
            if turn.left > 0:
                heapq.heapreplace(self._due, (following, number, turn))
                return
        heapq.heappop(self._due)

    def _start(self, turn: Turn, when: float, now: float) -> float:
        """Start a probe that is due, unless it is too late or too many are under way; returns its next due time.

        Its last turn is never too late: a probe that is asked for once is made.
        """
        probe = turn.probe
        missed = int((now - when) / probe.interval_s)
        due = when + missed * probe.interval_s
        late_s = now - due
        dropped = self._io.loop.under_way >= self._limit or (late_s > LATE_LIMIT_S and turn.left > 0)
        if missed or dropped:
            self.tally.skipped += missed + dropped
            self._skip(probe, missed + dropped)
        if dropped:
            return due + probe.interval_s
        self.tally.started += 1
        self.tally.latest_s = max(self.tally.latest_s, late_s)
        record = Record()
        steps = probe.target.observe(self._io, record)
        done = partial(self._done, probe, time.time(), late_s)
        self._io.loop.spawn(steps, record, now + probe.timeout_s, done)
        return due + probe.interval_s

    def _done(self, probe: Probe, at: float, late_s: float, record: Record) -> None:
        self._sink(probe, record.sample(probe.id, at, late_s))


def offset_s(probe: Probe) -> float:
    """A probe's place within its interval: fixed by its name, so that neither agents nor probes start in step."""
    digest = hashlib.sha256(probe.id.encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 * probe.interval_s
