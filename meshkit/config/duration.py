"""Durations as people write them, ``200ms``, ``10s``, ``1h30m``, and back."""

from __future__ import annotations

import re

from meshkit.errors import UsageError

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
EXAMPLES = "200ms, 10s, 5m or 1h"
_PART = r"\d{1,9}(?:\.\d{1,6})?(?:us|ms|s|m|h|d)"
_WHOLE = re.compile(f"(?:{_PART})+", re.ASCII)
_EACH = re.compile(r"([\d.]+)([a-z]+)", re.ASCII)


def parse(text: str) -> float:
    """Seconds; ValueError when it is no duration. A number without a unit is none: nobody could tell which."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a time such as {EXAMPLES}")
    return round(sum(float(number) * UNITS[unit] for number, unit in _EACH.findall(text)), 9)


def option(name: str, text: str, least_s: float, most_s: float) -> float:
    """An option's value in seconds; UsageError when it is no duration or out of bounds."""
    try:
        seconds = parse(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}", hint=f"for example {name} {EXAMPLES.partition(',')[0]}") from None
    if not least_s <= seconds <= most_s:
        raise UsageError(f"{name}: {text} is out of bounds", hint=f"from {shown(least_s)} to {shown(most_s)}")
    return seconds


def shown(seconds: float) -> str:
    """The shortest way to write it in one unit: 0.2 is 200ms, 90 is 90s, 86400 is 24h."""
    for unit, size in reversed(UNITS.items()):
        number = round(seconds / size, 6)
        if number >= (2 if unit == "d" else 1) and number == int(number):
            return f"{int(number)}{unit}"
    return f"{seconds:g}s"
