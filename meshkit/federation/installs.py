"""Helm at work beside the steps: a chart with hooks is installed for minutes, and what it waits for is our own work.

The official chart's hooks end when ACLs are set up, in a secondary only once the primary has answered through both
gateways. So helm runs in a thread per datacenter while the steps go on, and whoever waits for the datacenter learns at
once that it has failed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Installs:
    """One run's helm processes by datacenter; ``stop`` ends them."""

    def __init__(self) -> None:
        self._threads: dict[str, threading.Thread] = {}
        self._failures: dict[str, BaseException] = {}
        self._stop = threading.Event()

    def start(self, datacenter: str, work: Callable[[threading.Event], None]) -> None:
        """Let ``work`` go on in the background; it is given the event that tells it to end."""
        stop = self._stop

        def run() -> None:
            try:
                work(stop)
            except BaseException as error:  # noqa: BLE001 - raised again where the datacenter is waited for
                self._failures[datacenter] = error

        self._failures.pop(datacenter, None)
        self._threads[datacenter] = threading.Thread(target=run, name=f"helm {datacenter}", daemon=True)
        self._threads[datacenter].start()

    def running(self, datacenter: str) -> bool:
        """Whether helm is at work there; its failure is raised instead."""
        thread = self._threads.get(datacenter)
        alive = thread is not None and thread.is_alive()
        if datacenter in self._failures:
            raise self._failures[datacenter]
        return alive

    def stop(self) -> None:
        """End what is at work, and wait until it has ended; what is started later goes on."""
        self._stop.set()
        for thread in self._threads.values():
            thread.join()
        self._threads.clear()
        self._failures.clear()
        self._stop = threading.Event()
