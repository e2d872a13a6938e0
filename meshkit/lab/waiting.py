"""Waiting on conditions, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

from meshkit.errors import DeadlineError

POLL_S = 0.1


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str, *, hint: str = "") -> None:
    """Return as soon as ``condition`` holds; DeadlineError says what was waited for."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= end:
            raise DeadlineError(f"waited {timeout_s:g} s for {what}", hint=hint)
        time.sleep(POLL_S)
