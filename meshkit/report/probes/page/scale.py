"""From values to coordinates and steps of colour. Latencies span decades, so both are logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from meshkit.report.figures import NOTHING, bound, duration

STEPS = 7
"""As many as can be told apart side by side; each has a colour in page.css."""
LEAST_SPAN = 1.5
"""A scale covers at least this ratio, so that noise of a per cent does not look like a difference."""


@dataclass(frozen=True)
class Scale:
    """A logarithmic scale from ``low`` to ``high``, both above 0."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float]) -> Scale:
        """The scale that holds the values above 0, widened about its middle where they hardly differ."""
        known = [value for value in values if value > 0] or [1.0]
        low, high = min(known), max(known)
        if high < low * LEAST_SPAN:
            middle = math.sqrt(low * high)
            low, high = middle / math.sqrt(LEAST_SPAN), middle * math.sqrt(LEAST_SPAN)
        return cls(low, high)

    def share(self, value: float) -> float:
        """Where a value is, 0 to 1; what is outside is at the end."""
        if value <= self.low:
            return 0.0
        return min(math.log(value / self.low) / math.log(self.high / self.low), 1.0)

    def step(self, value: float) -> int:
        """The value's step of colour, from 0."""
        return min(int(self.share(value) * STEPS), STEPS - 1)

    def edges(self) -> list[float]:
        """Where the steps begin, and where the last one ends."""
        return [self.low * (self.high / self.low) ** (i / STEPS) for i in range(STEPS + 1)]


def milliseconds(seconds: float | None) -> str:
    """Three digits without a unit, for where the unit is in the heading."""
    if seconds is None:
        return NOTHING
    value = seconds * 1e3
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0  # noqa: PLR2004, as rounded: below 10, below 100
    return f"{value:.{decimals}f}"


def time(seconds: float | None) -> str:
    """As ``figures.duration``, with the unit's own letter, which a page has and a terminal's input does not."""
    return duration(seconds).replace("us", "µs")


def error(seconds: float) -> str:
    """As ``figures.bound``."""
    return bound(seconds).replace("us", "µs")


def clock(at: float, *, day: bool = False) -> str:
    """A time of day in UTC, as people read it."""
    return f"{datetime.fromtimestamp(at, UTC):{'%-d %b %Y, %H:%M:%S' if day else '%H:%M:%S'}}"


def date(at: float) -> str:
    """A day in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%-d %b %Y}"
