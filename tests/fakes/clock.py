"""Virtual time: a sleep costs nothing and moves the clock, in whichever thread it happens."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from meshkit.backends.clock import CancelledRunError

YIELD_S = 0.0001
"""Real time per sleep: without it a thread that polls can use up a whole timeout before another gets its turn."""

START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """``base.Clock`` with ``cancel``; ``slept_s`` and ``sleeps`` tell how much was waited."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._seconds = 0.0
        self._lock = threading.RLock()
        self._hooks: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._cancelled = False
        self.sleeps = 0

    @property
    def slept_s(self) -> float:
        """Seconds passed since the start, over all threads."""
        return self._seconds

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    def sleep(self, seconds: float) -> None:
        if self._cancelled:
            raise CancelledRunError("interrupted")
        self.sleeps += 1
        time.sleep(YIELD_S)
        self.advance(seconds)
        if self._cancelled:
            raise CancelledRunError("interrupted")

    def advance(self, seconds: float) -> None:
        """Let time pass without a sleeper, running the hooks that fall due at their own moments."""
        with self._lock:
            end = self._seconds + max(seconds, 0.0)
            while self._hooks and self._hooks[0][0] <= end:
                due, _, hook = heapq.heappop(self._hooks)
                self._seconds = max(self._seconds, due)
                hook()
            self._seconds = max(self._seconds, end)

    def at(self, seconds: float, hook: Callable[[], None]) -> None:
        """Call ``hook`` when the clock reaches so many seconds after its start."""
        with self._lock:
            heapq.heappush(self._hooks, (seconds, next(self._order), hook))

    def cancel(self) -> None:
        self._cancelled = True
