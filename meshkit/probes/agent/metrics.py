"""What an agent has counted since it started, as families of series; ``exposition`` and ``otlp`` write them down.

Counting is for the thread that gets the samples, reading for any other: one lock, held for a batch or a copy.

The number of time series is bounded, since each costs the user's Prometheus memory: pairs of clusters (the ladder's
rungs) come first, then services by name, and ``meshkit_series_left_out`` says how many did not fit.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from time import time
from typing import Any, Literal

from meshkit.probes.ladder import RUNGS
from meshkit.probes.probe import Series
from meshkit.probes.reasons import OK, OWN, REFUSALS
from meshkit.probes.sample import Sample
from meshkit.probes.summary import LATE_S

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 10.0)
"""Seconds: from within a zone to a timeout, close together where clouds are apart."""

PLAIN_LINES = 10
"""A series' counters, gauges and standings."""

HISTOGRAM_LINES = len(BOUNDS) + 3

Labels = tuple[tuple[str, str], ...]
Kind = Literal["counter", "gauge", "histogram"]


class Histogram:
    """Values per bucket (the last is above all bounds), and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(BOUNDS, value)] += 1
        self.total += value

    def copy(self) -> Histogram:
        """As it is now."""
        other = Histogram()
        other.counts, other.total = self.counts[:], self.total
        return other


@dataclass(frozen=True)
class Family:
    """One metric: its name, kind, help, and a value or ``Histogram`` for each set of labels."""

    name: str
    kind: Kind
    help: str
    points: Sequence[tuple[Labels, Any]]


class Counted:
    """One series' samples."""

    __slots__ = (
        "certificate",
        "closed",
        "labels",
        "last",
        "phases",
        "reasons",
        "resent",
        "rtts",
        "series",
        "skipped",
    )

    def __init__(self, series: Series, *, closed: bool = False) -> None:
        self.series = series
        self.closed = closed
        self.labels: Labels = (
            ("src_cluster", series.source),
            ("dst_cluster", series.destination),
            ("service", series.service),
            ("probe", series.probe),
        )
        self.phases: dict[str, Histogram] = {}
        self.rtts: dict[str, Histogram] = {}
        self.reasons: dict[str, int] = {}
        self.resent = 0
        self.skipped = 0
        self.certificate: tuple[float, float] | None = None
        self.last: tuple[bool, float] | None = None

    def add(self, sample: Sample) -> None:
        """Count a sample; a phase that was not reached is not counted, so never 0."""
        self.reasons[sample.reason] = self.reasons.get(sample.reason, 0) + 1
        self.resent += sample.retransmits
        for name, seconds in sample.phases.items():
            histogram = self.phases.get(name)
            if histogram is None:
                histogram = self.phases[name] = Histogram()
            histogram.add(seconds)
        if sample.rtt_s is not None:
            histogram = self.rtts.get(sample.rtt_source)
            if histogram is None:
                histogram = self.rtts[sample.rtt_source] = Histogram()
            histogram.add(sample.rtt_s)
        if "not_after" in sample.facts:
            self.certificate = (sample.facts["not_before"], sample.facts["not_after"])
        if sample.reason not in OWN:
            self.last = self.as_expected(sample.reason), sample.total_s

    def as_expected(self, reason: str) -> bool:
        """Whether this is how a probe should end: with a refusal where one is expected."""
        return reason in REFUSALS if self.closed else reason == OK

    @property
    def lines(self) -> int:
        """Time series that this takes."""
        return HISTOGRAM_LINES * (len(self.phases) + len(self.rtts)) + len(self.reasons) + PLAIN_LINES


class Metrics:
    """All of one agent's. ``budget`` is the number of time series that may be shown."""

    def __init__(self, source: str, budget: int) -> None:
        self.source = source
        self.started_at = time()
        self.lock = threading.Lock()
        self._budget = budget
        self._counted: dict[Series, Counted] = {}
        self._certified: set[Series] = set()
        self._closed: AbstractSet[Series] = frozenset()
        self._lag = Histogram()
        self._late = 0

    def add(self, series: Series, sample: Sample) -> None:
        """Count a sample; the caller holds ``lock``, as for ``skipped``."""
        self._of(series).add(sample)
        self._lag.add(sample.late_s)
        self._late += sample.late_s > LATE_S

    def skipped(self, series: Series, starts: int) -> None:
        """Count starts that did not come."""
        self._of(series).skipped += starts

    def certify(self, series: Series, validity: tuple[float, float]) -> None:
        """The validity of the agent's own certificate."""
        with self.lock:
            self._certified = {series}
            self._of(series).certificate = validity

    def keep(self, wanted: Iterable[Series], closed: AbstractSet[Series] = frozenset()) -> None:
        """Forget series that are no longer probed: their last values would look like present ones.

        Those of which the opposite is expected now begin anew; ``closed`` are to be refused.
        """
        with self.lock:
            wanted = {*wanted, *self._certified} - (closed ^ self._closed)
            self._closed = closed
            self._counted = {series: counted for series, counted in self._counted.items() if series in wanted}

    def _of(self, series: Series) -> Counted:
        counted = self._counted.get(series)
        if counted is None:
            counted = self._counted[series] = Counted(series, closed=series in self._closed)
        return counted

    def shown(self) -> set[Series]:
        """The series that the budget lets be shown."""
        with self.lock:
            return {counted.series for counted in self._within_budget()[0]}

    def families(self) -> list[Family]:
        """What was counted, copied under the lock."""
        with self.lock:
            shown, left_out = self._within_budget()
            own = (("src_cluster", self.source),)
            return [
                *_of_series(shown),
                Family(
                    "meshkit_scheduler_lag_seconds",
                    "histogram",
                    "How long after their due time probes started.",
                    [(own, self._lag.copy())],
                ),
                Family(
                    "meshkit_scheduler_late_total",
                    "counter",
                    "Probes that started over 50 ms late.",
                    [(own, self._late)],
                ),
                Family(
                    "meshkit_series_left_out",
                    "gauge",
                    "Pairs and services that are probed, and not shown here: the budget of time series is spent.",
                    [(own, left_out)],
                ),
            ]

    def _within_budget(self) -> tuple[list[Counted], int]:
        """The series that may be shown: pairs of clusters first; and how many may not."""
        order = sorted(self._counted, key=lambda s: (s.probe not in RUNGS, s.source, s.destination, s.service, s.probe))
        spent, shown = 0, []
        for series in order:
            counted = self._counted[series]
            spent += counted.lines
            if spent > self._budget:
                break
            shown.append(counted)
        return shown, len(order) - len(shown)


def _of_series(shown: Sequence[Counted]) -> Iterator[Family]:
    """The families that have each series' labels."""
    yield Family(
        "meshkit_probe_duration_seconds",
        "histogram",
        "Time spent in each phase of a probe; a phase that was not reached is not counted.",
        [(_with(c, phase=name), h.copy()) for c in shown for name, h in c.phases.items()],
    )
    yield Family(
        "meshkit_probe_rtt_seconds",
        "histogram",
        "One network round trip, by the clock that measured it.",
        [(_with(c, source=name), h.copy()) for c in shown for name, h in c.rtts.items()],
    )
    yield Family(
        "meshkit_probes_total",
        "counter",
        "Probes by result, which is failure when it is not the expected one, and by reason.",
        [
            (_with(c, result="success" if c.as_expected(reason) else "failure", reason=reason), count)
            for c in shown
            for reason, count in c.reasons.items()
        ],
    )
    plain: Mapping[str, tuple[Kind, str, Any]] = {
        "meshkit_packets_resent_total": ("counter", "Packets that TCP had to send again.", lambda c: c.resent),
        "meshkit_probes_skipped_total": ("counter", "Probes that could not start when due.", lambda c: c.skipped),
        "meshkit_tls_cert_not_before_timestamp_seconds": ("gauge", "Begin of the chain's first to expire.", _begin),
        "meshkit_tls_cert_not_after_timestamp_seconds": ("gauge", "End of the chain's first to expire.", _end),
        "probe_success": ("gauge", "Whether the last probe ended as expected.", lambda c: c.last and int(c.last[0])),
        "probe_duration_seconds": ("gauge", "How long the last probe took.", lambda c: c.last and c.last[1]),
    }
    for name, (kind, text, value) in plain.items():
        yield Family(name, kind, text, [(c.labels, v) for c in shown if (v := value(c)) is not None])


def _with(counted: Counted, **labels: str) -> Labels:
    return (*counted.labels, *labels.items())


def _begin(counted: Counted) -> float | None:
    return counted.certificate[0] if counted.certificate else None


def _end(counted: Counted) -> float | None:
    return counted.certificate[1] if counted.certificate else None
