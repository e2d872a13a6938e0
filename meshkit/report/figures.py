"""Numbers as people read them: three digits at most, the unit beside them, and a dash for what was not measured.

What names, faults and answers say is foreign: ``words`` makes it fit for one line of a terminal.
"""

from __future__ import annotations

from datetime import UTC, datetime

from meshkit.probes.reasons import one_line

NOTHING = "-"
STEPS = (("us", 1e6, 0, 1000), ("ms", 1e3, 1, 100), ("ms", 1e3, 0, 1000))
"""Units below the second: name, how many make one, decimals, and up to which number they are used."""


def duration(seconds: float | None) -> str:
    """As ``312 us``, ``70.4 ms``, ``215 ms`` or ``1.25 s``."""
    if seconds is None:
        return NOTHING
    # Compared as rounded, so that 99.96 ms is 100 ms and not 100.0 ms.
    for unit, factor, decimals, most in STEPS:
        if round(abs(seconds) * factor, decimals) < most:
            return f"{seconds * factor:.{decimals}f} {unit}"
    return f"{seconds:.2f} s"


def added(seconds: float | None) -> str:
    """A difference with its sign, in the unit of what it is added to: ``+1.9 ms``."""
    return NOTHING if seconds is None else f"{seconds * 1e3:+.1f} ms"


def bound(seconds: float) -> str:
    """How far a time may be off."""
    return f"±{duration(seconds)}" if seconds else NOTHING


def share(value: float | None) -> str:
    """A share as a percentage: two decimals below 1%, where they matter."""
    if value is None:
        return NOTHING
    if value in (0, 1):
        return f"{value:.0%}"
    return f"{value:.2%}" if value < 0.01 else f"{value:.1%}"  # noqa: PLR2004, 1%


def interval(low: float, high: float) -> str:
    """Both ends of an interval of shares."""
    return f"{share(low)} to {share(high)}"


def moment(at: float) -> str:
    """Unix seconds in RFC 3339, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def count(number: int, one: str, many: str = "") -> str:
    """``1 sample``, ``2 samples``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def words(text: str) -> str:
    """Foreign text for one line."""
    return one_line(text)
