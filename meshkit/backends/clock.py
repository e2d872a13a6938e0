"""Real time, with sleeps that a cancelled run leaves at once."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from meshkit.errors import MeshkitError


class CancelledRunError(MeshkitError):
    """Another part of the run failed or the user interrupted; this part stops where it is."""


class SystemClock:
    """``base.Clock``; ``cancel`` wakes every sleeper, in whichever thread."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def now(self) -> datetime:
        """See ``base.Clock``."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """See ``base.Clock``."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See ``base.Clock``."""
        if self._cancelled.wait(seconds):
            raise CancelledRunError("interrupted")

    def cancel(self) -> None:
        """Let every present and future sleep end with CancelledRunError."""
        self._cancelled.set()
