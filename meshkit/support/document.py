"""What a support bundle holds, before it is redacted and packed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from meshkit.model import CheckResult, FederationState
from meshkit.probes.outcome import Outcome
from meshkit.trace.ailments import Examination


@dataclass(frozen=True)
class File:
    """One file: its path in the archive with forward slashes, what it is in a few words, and its text."""

    path: str
    title: str
    text: str


@dataclass(frozen=True)
class Gap:
    """What could not be read, and why: a bundle of a broken federation says what it lacks."""

    place: str
    why: str


@dataclass(frozen=True)
class Bundle:
    """All that was found. What is None could not be looked at as a whole; ``since_s`` in seconds."""

    federation: str
    made_at: datetime
    since_s: float
    state: FederationState | None
    checks: tuple[CheckResult, ...]
    examination: Examination | None
    outcome: Outcome | None
    files: tuple[File, ...]
    gaps: tuple[Gap, ...]
