"""One observation, while it is made (``Record``) and afterwards (``Sample``).

Times are seconds. A phase not reached is absent, never 0. Two clocks are kept apart: the network's round trip as the
kernel stamped it, and user-space phases, which include how late this process looked. Each has its own error bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any, Literal, NamedTuple

from meshkit.probes.reasons import OK

Clock = Literal["kernel", "user", ""]

SUSPECT_SHARE = 0.2
SUSPECT_FLOOR_S = 0.001
"""User-space times are marked when this share of them, and more than this, may be our own lateness."""


class Sample(NamedTuple):
    """What a probe saw; a tuple, since a frozen dataclass takes 3 us to make.

    ``at`` is the start (Unix seconds), ``late_s`` how long after its due time it started.

    ``rtt_s`` is one network round trip and None when none was measured; ``rtt_error_s`` bounds its error.
    ``retransmits`` counts packets that TCP had to send again: losses that the probe survived. ``facts`` is what the
    mechanism saw beyond times, as JSON values (certificate, status, answers, hops).
    """

    probe: str
    at: float
    reason: str
    detail: str = ""
    phases: Mapping[str, float] = {}
    rtt_s: float | None = None
    rtt_source: Clock = ""
    rtt_error_s: float = 0.0
    phase_error_s: float = 0.0
    late_s: float = 0.0
    retransmits: int = 0
    facts: Mapping[str, Any] = {}

    @property
    def ok(self) -> bool:
        """The mechanism got what it asks for; whether that was wanted is the expectation's business."""
        return self.reason == OK

    @property
    def total_s(self) -> float:
        """All phases together."""
        return sum(self.phases.values())

    @property
    def suspect(self) -> bool:
        """Whether this process's own lateness may be a large share of the user-space phases."""
        return self.phase_error_s > max(SUSPECT_FLOOR_S, SUSPECT_SHARE * self.total_s)

    def as_wire(self) -> dict[str, Any]:
        """As a JSON object; what is empty is left out."""
        wire = {
            "probe": self.probe,
            "at": round(self.at, 6),
            "reason": self.reason,
            "detail": self.detail,
            "phases": {name: round(value, 7) for name, value in self.phases.items()},
            "rtt_s": self.rtt_s if self.rtt_s is None else round(self.rtt_s, 9),
            "rtt_source": self.rtt_source,
            "rtt_error_s": round(self.rtt_error_s, 9),
            "phase_error_s": round(self.phase_error_s, 7),
            "late_s": round(self.late_s, 7),
            "retransmits": self.retransmits,
            "facts": self.facts,
        }
        return {name: value for name, value in wire.items() if value not in (None, "", 0, 0.0) and value != {}}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Sample:
        """The inverse of ``as_wire``; KeyError or TypeError when it is not one."""
        return cls(**wire)


class Record:
    """A sample in the making: the mechanism writes into it, and the loop ends it."""

    __slots__ = (
        "_began",
        "detail",
        "facts",
        "phase",
        "phase_error_s",
        "phases",
        "reason",
        "retransmits",
        "rtt_error_s",
        "rtt_s",
        "rtt_source",
    )

    def __init__(self) -> None:
        self.phase = ""
        self._began = 0.0
        self.phases: dict[str, float] = {}
        self.reason = OK
        self.detail = ""
        self.rtt_s: float | None = None
        self.rtt_source: Clock = ""
        self.rtt_error_s = 0.0
        self.phase_error_s = 0.0
        self.retransmits = 0
        self.facts: dict[str, Any] = {}

    def enter(self, phase: str) -> None:
        """End the current phase and begin another; a phase entered twice (redirects) adds up."""
        now = monotonic()
        if self.phase:
            self.phases[self.phase] = self.phases.get(self.phase, 0.0) + now - self._began
        self.phase, self._began = phase, now

    def leave(self) -> None:
        """End the current phase: it was reached and done."""
        self.enter("")

    def measured(self, rtt_s: float, source: Clock, error_s: float) -> None:
        """One network round trip; what is not above 0 is not a measurement."""
        if rtt_s > 0:
            self.rtt_s, self.rtt_source, self.rtt_error_s = rtt_s, source, error_s

    def sample(self, probe: str, at: float, late_s: float) -> Sample:
        """The finished observation."""
        return Sample(
            probe,
            at,
            self.reason,
            self.detail,
            self.phases,
            self.rtt_s,
            self.rtt_source,
            self.rtt_error_s,
            self.phase_error_s,
            late_s,
            self.retransmits,
            self.facts,
        )
