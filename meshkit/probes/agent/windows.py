"""Samples into windows: each series' summary from one full minute of the wall clock to the next.

A window opens at the wall clock's time and lasts by the monotonic one until that time's next multiple. So a clock that
is set neither makes a window of negative width nor keeps one open; the windows around the step overlap, or leave a gap,
by as much as it was set. A sample counts in the window in which it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import monotonic, time
from typing import NamedTuple

from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary

ENOUGH = 3
"""Samples in the open window from which on it alone says how a series is now."""

FORGOTTEN_S = 900.0
"""A series that had no sample for this long has no say in judging."""


class Seen(NamedTuple):
    """What judging needs of a series' last window: a thousandth of a summary with its sketches."""

    begin: float
    width_s: float
    reasons: Mapping[str, int]
    late: int
    skipped: int
    fault: str

    @classmethod
    def of(cls, summary: Summary) -> Seen:
        """The short form."""
        return cls(summary.begin, summary.width_s, summary.reasons, summary.late, summary.skipped, summary.fault)

    def summary(self, series: Series) -> Summary:
        """As what ``peers`` judges, and views carry."""
        return Summary(
            series,
            self.begin,
            self.width_s,
            dict(self.reasons),
            late=self.late,
            skipped=self.skipped,
            fault=self.fault,
        )


class Windows:
    """The open window of every series, and the short form of its last one. Not for use from several threads."""

    def __init__(
        self, width_s: float, *, wall: Callable[[], float] = time, steady: Callable[[], float] = monotonic
    ) -> None:
        self._wall, self._steady = wall, steady
        self.width_s = width_s
        self._open: dict[Series, Summary] = {}
        self._last: dict[Series, tuple[float, Seen]] = {}
        self._forgotten: set[Series] = set()
        self._begin()

    def _begin(self) -> None:
        self.begin, self._opened = self._wall(), self._steady()
        self._ends = self._opened + self.width_s - self.begin % self.width_s

    @property
    def full(self) -> bool:
        """Whether the open window is to be closed."""
        return self._steady() >= self._ends

    def add(self, series: Series, sample: Sample) -> None:
        """Count a sample."""
        self._summary(series).add(sample)

    def skipped(self, series: Series, starts: int) -> None:
        """Count starts that did not come."""
        self._summary(series).skipped += starts

    def close(self) -> list[Summary]:
        """The window that ends now, one summary for each series that had samples."""
        now = self._steady()
        width_s = max(0.001, now - self._opened)
        summaries, self._open = list(self._open.values()), {}
        for summary in summaries:
            summary.width_s = width_s
            if summary.series not in self._forgotten:
                self._last[summary.series] = now, Seen.of(summary)
        for series in [series for series, (when, _) in self._last.items() if now - when > FORGOTTEN_S]:
            del self._last[series]
        self._begin()
        return summaries

    def now_open(self) -> list[Summary]:
        """The open window so far."""
        width_s = max(0.001, self._steady() - self._opened)
        for summary in self._open.values():
            summary.width_s = width_s
        return list(self._open.values())

    def view(self) -> list[Summary]:
        """How each series is now: by the open window once that has enough samples, else with the one before."""
        found = {series: seen.summary(series) for series, (_, seen) in self._last.items()}
        for summary in self.now_open():
            if summary.series in self._forgotten:
                continue
            short = Seen.of(summary).summary(summary.series)
            before = found.get(summary.series)
            if before is not None and summary.sent < ENOUGH:
                before.merge(short)
            else:
                found[summary.series] = short
        return list(found.values())

    def resize(self, width_s: float) -> None:
        """Windows of another width; to be called when one was just closed, else nothing changes but the next."""
        if width_s != self.width_s:
            self.width_s = width_s
            self._begin()

    def forget(self, kept: Iterable[Series]) -> None:
        """Series that are no longer probed have no say either; what the open window has of them is stored with it."""
        keep = set(kept)
        self._forgotten = self._open.keys() - keep
        self._last = {series: entry for series, entry in self._last.items() if series in keep}

    def _summary(self, series: Series) -> Summary:
        summary = self._open.get(series)
        if summary is None:
            summary = self._open[series] = Summary(series, self.begin, 0.0)
        return summary
