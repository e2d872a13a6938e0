"""What a keeper does now and then, each in a thread of its own: one that hangs holds up no other.

On Linux niceness is a thread's: these yield to the prober, and to the thread that takes its samples.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from meshkit.errors import MeshkitError
from meshkit.probes.agent.log import Log

FIRST_RETRY_S = 0.5
NICENESS = 10


def yield_to_others() -> None:
    """Let the calling thread, and those that it starts, run after others."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


class Chore:
    """``work`` again and again; it returns how many seconds to wait. ``failure`` is the last error, until it works.

    After a failure it is tried again soon, then less and less often, at least every ``most_s``.
    """

    def __init__(self, name: str, work: Callable[[], float], most_s: float, log: Log) -> None:
        self._name, self._work, self._most_s, self._log = name, work, most_s, log
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.failure = ""
        self.failures = 0

    def start(self) -> None:
        """Begin at once."""
        self._thread.start()

    def stop(self) -> None:
        """No further time; what is under way ends with the process."""
        self._stop.set()

    def _run(self) -> None:
        yield_to_others()
        wait_s, retry_s = 0.0, FIRST_RETRY_S
        while not self._stop.wait(wait_s):
            try:
                wait_s, retry_s = self._work(), FIRST_RETRY_S
            except MeshkitError as error:
                self._failed(error.message)
            except Exception as error:  # noqa: BLE001, what comes from outside must not end a thread unseen
                self._failed(f"{type(error).__name__} in {self._name}")
            else:
                self.failure = ""
                continue
            wait_s, retry_s = min(retry_s, self._most_s), min(retry_s * 2, self._most_s)

    def _failed(self, why: str) -> None:
        self.failure = why
        self.failures += 1
        self._log.event(f"{self._name}_failed", error=why)
