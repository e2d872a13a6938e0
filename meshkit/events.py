"""What happens during a run, as values.

Long work never prints: it calls an ``Observer`` with one of these. The terminal, JSON lines and tests are
observers. ``scope`` names the cluster, datacenter or tool the event belongs to, and is empty for the whole run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Started:
    """Work began; ``expected_s`` is how long it usually takes in seconds, None when that is not known."""

    task: str
    scope: str = ""
    expected_s: float | None = None


@dataclass(frozen=True)
class Progress:
    """Work goes on; ``text`` is the condition waited for or the part done, in the present tense."""

    task: str
    text: str
    scope: str = ""


@dataclass(frozen=True)
class Finished:
    """Work ended well after ``seconds``; ``changed`` is False when everything was there already."""

    task: str
    seconds: float
    scope: str = ""
    changed: bool = True
    text: str = ""


@dataclass(frozen=True)
class Failed:
    """Work ended badly; ``message`` is the error's one line."""

    task: str
    message: str
    scope: str = ""


@dataclass(frozen=True)
class Note:
    """Something the user should know that is not an error."""

    text: str
    scope: str = ""


Event = Started | Progress | Finished | Failed | Note
Observer = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The observer that looks at nothing."""
    del event
