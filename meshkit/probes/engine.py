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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from meshkit.probes.io import Io
from meshkit.probes.probe import Probe
from meshkit.probes.sample import Record, Sample

UNDER_WAY_LIMIT = 4000
"""Of the 28,000 source ports and the descriptors that a container usually has."""

STARTS_PER_TURN = 64
"""Then answers are looked at, however many starts are due."""

IDLE_S = 0.25
"""How often ``stop`` is asked while nothing happens."""

Sink = Callable[[Probe, Sample], None]


@dataclass
class Tally:
    """How the schedule was kept: starts made, the largest lateness in seconds, and starts that did not come."""

    started: int = 0
    skipped: int = 0
    latest_s: float = 0.0


class Engine:
    """Runs probes until told to stop; ``sink`` gets every sample as it ends, and must not block."""

    def __init__(self, io: Io, sink: Sink, *, under_way_limit: int = UNDER_WAY_LIMIT) -> None:
        self._io = io
        self._sink = sink
        self._limit = under_way_limit
        self.tally = Tally()

    def run(
        self,
        probes: Sequence[Probe],
        *,
        count: int | None = None,
        for_s: float | None = None,
        stop: Callable[[], bool] = bool,
    ) -> Tally:
        """Each probe ``count`` times, or for a time in seconds, or until ``stop``; then what is under way ends."""
        loop, begin = self._io.loop, time.monotonic()
        end = begin + for_s if for_s is not None else math.inf
        left = [math.inf if count is None else count] * len(probes)
        due = [(begin + (offset_s(probe) if count is None else 0.0), place) for place, probe in enumerate(probes)]
        heapq.heapify(due)
        while due and not stop():
            now = time.monotonic()
            if now >= end:
                break
            for _ in range(STARTS_PER_TURN):
                when, place = due[0]
                if when > now:
                    break
                left[place] -= 1
                following = self._start(probes[place], when, now)
                if left[place] > 0:
                    heapq.heapreplace(due, (following, place))
                else:
                    heapq.heappop(due)
                    if not due:
                        break
                now = time.monotonic()
            loop.turn(min(due[0][0] if due else now, now + IDLE_S, end))
        while loop.under_way and not stop():
            loop.turn(time.monotonic() + IDLE_S)
        return self.tally

    def _start(self, probe: Probe, when: float, now: float) -> float:
        """Start a probe that is due, unless too many are under way; returns its next due time."""
        missed = int((now - when) / probe.interval_s)
        due = when + missed * probe.interval_s
        self.tally.skipped += missed
        if self._io.loop.under_way >= self._limit:
            self.tally.skipped += 1
            return due + probe.interval_s
        late_s = now - due
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
