"""Whose clock is right: this machine's is only one of several, and certificates are judged by the others'."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from statistics import median

from meshkit.trace.evidence import Evidence
from meshkit.trace.places import envoys

SKEW_S = 30.0
"""More than the whole seconds of a Date header, a slow answer and a clock that NTP has not pulled straight yet."""


def seen(evidence: Evidence) -> Iterator[float]:
    """How far each clock that could be read is ahead of this machine's, in seconds."""
    yield from (side.skew_s for side in evidence.sides if side.skew_s is not None)
    yield from (proxy.skew_s for proxy, _, _ in envoys(evidence) if proxy.skew_s is not None)


def behind_s(evidence: Evidence) -> float:
    """How far this machine's clock is behind all the others; 0 unless those agree with each other and not with it."""
    known = list(seen(evidence))
    apart = len(known) > 1 and all(abs(skew) > SKEW_S for skew in known) and max(known) - min(known) < SKEW_S
    return median(known) if apart else 0.0


def now(evidence: Evidence) -> datetime:
    """When the evidence was taken, by the clusters' time where this machine alone is wrong."""
    return evidence.taken_at + timedelta(seconds=behind_s(evidence))
