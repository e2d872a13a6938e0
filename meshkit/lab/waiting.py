"""Waiting on conditions, with a deadline, and with an end to all waiting when the user interrupts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from meshkit.errors import DeadlineError, MeshkitError

POLL_S = 0.1

_interrupted = threading.Event()


def interrupt() -> None:
    """Make every wait of this process fail soon: Ctrl-C reaches the main thread only, and others may wait minutes."""
    _interrupted.set()


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str, *, hint: str = "") -> None:
    """Return as soon as ``condition`` holds; DeadlineError says what was waited for."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= end:
            raise DeadlineError(f"waited {timeout_s:g} s for {what}", hint=hint)
        if _interrupted.wait(POLL_S):
            raise MeshkitError(f"interrupted while waiting for {what}")
