"""What the samples of one series say together, over a window of time; windows and agents can be merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from meshkit.probes.probe import Series
from meshkit.probes.reasons import OK
from meshkit.probes.sample import Clock, Sample
from meshkit.probes.stats import Sketch, count, seconds, wilson

LATE_S = 0.05
"""A start this much after its due time counts as late."""


@dataclass
class Summary:
    """A series from ``begin`` (Unix seconds) for ``width_s``.

    ``reasons`` counts samples by reason, ``ok`` among them. ``rtt`` is the network's round trip, ``total`` all phases,
    ``phases`` sum and count of each. ``resent`` are samples that came through after TCP sent a packet again: for the
    network they are losses. ``certificate`` is (not before, not after) of the chain's earliest expiry, Unix seconds.
    ``fault`` is a failure's last own words.
    """

    series: Series
    begin: float
    width_s: float
    reasons: dict[str, int] = field(default_factory=dict)
    rtt: Sketch = field(default_factory=Sketch)
    total: Sketch = field(default_factory=Sketch)
    phases: dict[str, tuple[float, int]] = field(default_factory=dict)
    jitter: tuple[float, int] = (0.0, 0)
    resent: int = 0
    late: int = 0
    skipped: int = 0
    suspect: int = 0
    latest_s: float = 0.0
    rtt_source: Clock = ""
    rtt_error_s: float = 0.0
    certificate: tuple[float, float] | None = None
    answers: tuple[str, ...] = ()
    fault: str = ""
    _last_rtt_s: float | None = field(default=None, repr=False, compare=False)

    def add(self, sample: Sample) -> None:
        """Count a sample of this series."""
        self.reasons[sample.reason] = self.reasons.get(sample.reason, 0) + 1
        self.late += sample.late_s > LATE_S
        self.latest_s = max(self.latest_s, sample.late_s)
        self.suspect += sample.suspect
        if "not_after" in sample.facts:
            self.certificate = (sample.facts["not_before"], sample.facts["not_after"])
        if sample.ok or "answers" in sample.facts:  # a trace that ends nowhere says how far it came
            self.answers = tuple(sample.facts.get("answers", ()))
        if not sample.ok:
            self.fault = sample.detail
            self._last_rtt_s = None
            return
        self.resent += sample.retransmits > 0
        if sample.total_s > 0:
            self.total.add(sample.total_s)
        for name, spent in sample.phases.items():
            before, counted = self.phases.get(name, (0.0, 0))
            self.phases[name] = (before + spent, counted + 1)
        if sample.rtt_s is not None:
            self._add_rtt(sample.rtt_s)
            self.rtt_source, self.rtt_error_s = sample.rtt_source, max(self.rtt_error_s, sample.rtt_error_s)

    def _add_rtt(self, rtt_s: float) -> None:
        self.rtt.add(rtt_s)
        if self._last_rtt_s is not None:
            self.jitter = (self.jitter[0] + abs(rtt_s - self._last_rtt_s), self.jitter[1] + 1)
        self._last_rtt_s = rtt_s

    def merge(self, other: Summary) -> None:
        """Count what another window or agent has of the same series."""
        end = max(self.begin + self.width_s, other.begin + other.width_s)
        newer = self if self.begin > other.begin else other
        self.certificate = newer.certificate or self.certificate or other.certificate
        self.answers = newer.answers or self.answers or other.answers
        self.fault = newer.fault or self.fault or other.fault
        self.rtt_source = newer.rtt_source or self.rtt_source or other.rtt_source
        self.begin = min(self.begin, other.begin)
        self.width_s = end - self.begin
        for reason, number in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + number
        for name, (spent, number) in other.phases.items():
            before, counted = self.phases.get(name, (0.0, 0))
            self.phases[name] = (before + spent, counted + number)
        self.rtt.merge(other.rtt)
        self.total.merge(other.total)
        self.jitter = (self.jitter[0] + other.jitter[0], self.jitter[1] + other.jitter[1])
        self.resent += other.resent
        self.late += other.late
        self.skipped += other.skipped
        self.suspect += other.suspect
        self.latest_s = max(self.latest_s, other.latest_s)
        self.rtt_error_s = max(self.rtt_error_s, other.rtt_error_s)

    @property
    def sent(self) -> int:
        """Samples in all."""
        return sum(self.reasons.values())

    @property
    def failed(self) -> int:
        """Samples that did not get what their mechanism asks for."""
        return self.sent - self.reasons.get(OK, 0)

    @property
    def loss(self) -> float | None:
        """The share of samples that lost a packet or failed; None without samples."""
        return (self.failed + self.resent) / self.sent if self.sent else None

    @property
    def loss_interval(self) -> tuple[float, float]:
        """Where the true loss is, with 95% confidence."""
        return wilson(self.failed + self.resent, self.sent)

    @property
    def latency_of(self) -> Literal["rtt", "total", ""]:
        """What quantiles are about: the network's round trip, or all phases together; empty without either.

        A question (HTTP, gRPC) is answered behind the peer that TCP's round trip ends at, so its time is the whole.
        """
        if self.rtt.count and "processing" not in self.phases:
            return "rtt"
        return "total" if self.total.count else ""

    @property
    def latency(self) -> Sketch:
        """The distribution of what ``latency_of`` names."""
        return self.rtt if self.latency_of == "rtt" else self.total

    @property
    def jitter_s(self) -> float | None:
        """The mean difference of consecutive round trips (RFC 3393, as IPDV of the round trip)."""
        spent, number = self.jitter
        return spent / number if number else None

    def phase_s(self, name: str) -> float | None:
        """A phase's mean; None when it was never reached."""
        spent, number = self.phases.get(name, (0.0, 0))
        return spent / number if number else None

    def as_wire(self) -> dict[str, Any]:
        """As a JSON object; what is empty is left out."""
        wire = {
            "begin": round(self.begin, 3),
            "width_s": round(self.width_s, 3),
            "reasons": self.reasons,
            "rtt": self.rtt.as_wire(),
            "total": self.total.as_wire(),
            "phases": {name: [round(s, 7), n] for name, (s, n) in self.phases.items()},
            "jitter": [round(self.jitter[0], 9), self.jitter[1]] if self.jitter[1] else None,
            "resent": self.resent,
            "late": self.late,
            "skipped": self.skipped,
            "suspect": self.suspect,
            "latest_s": round(self.latest_s, 6),
            "rtt_source": self.rtt_source,
            "rtt_error_s": round(self.rtt_error_s, 9),
            "certificate": self.certificate,
            "answers": list(self.answers),
            "fault": self.fault,
        }
        return {"series": asdict(self.series)} | {key: value for key, value in wire.items() if value}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Summary:
        """The inverse of ``as_wire``; KeyError, TypeError or ValueError when it is not one."""
        values = dict(wire)
        values["series"] = Series(**{key: _text(value) for key, value in wire["series"].items()})
        for name in ("begin", "width_s", "latest_s", "rtt_error_s"):
            values[name] = seconds(wire.get(name, 0.0))
        for name in ("resent", "late", "skipped", "suspect"):
            values[name] = count(wire.get(name, 0))
        values["reasons"] = {_text(reason): count(number) for reason, number in wire.get("reasons", {}).items()}
        values["rtt_source"], values["fault"] = _text(wire.get("rtt_source", "")), _text(wire.get("fault", ""))
        values["rtt"] = Sketch.from_wire(wire.get("rtt", {}))
        values["total"] = Sketch.from_wire(wire.get("total", {}))
        values["phases"] = {name: (seconds(s), count(n)) for name, (s, n) in wire.get("phases", {}).items()}
        values["answers"] = tuple(_text(answer) for answer in wire.get("answers", ()))
        if "jitter" in wire:
            spent, number = wire["jitter"]
            values["jitter"] = seconds(spent), count(number)
        if "certificate" in wire:
            begin, end = wire["certificate"]
            values["certificate"] = float(begin), float(end)
        return cls(**values)


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def merged(summaries: Iterable[Summary]) -> dict[Series, Summary]:
    """One summary per series over all of its windows, oldest first."""
    found: dict[Series, Summary] = {}
    for summary in sorted(summaries, key=lambda s: s.begin):
        into = found.get(summary.series)
        if into is None:
            into = found[summary.series] = Summary(summary.series, summary.begin, summary.width_s)
        into.merge(summary)
    return found
