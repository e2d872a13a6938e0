"""The prober as the keeper sees it: started, fed with the schedule, listened to, and started again when it dies."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from meshkit.probes.agent import schedule
from meshkit.probes.agent.link import Inbox, Outbox
from meshkit.probes.agent.log import Log

FIRST_WAIT_S, MOST_WAIT_S = 0.2, 30.0
WELL_S = 60.0
"""A prober that lived this long is started again at once."""

SILENT_S = 20.0
"""It says something several times a second: after this long without a word it hangs, and is ended."""

ROOT = Path(__file__).parents[3]
"""Where modules come from: a folder, or the archive."""


class Child:
    """One prober at a time. ``restarts`` counts those after the first."""

    def __init__(self, identity: str, log: Log) -> None:
        self._argv = [sys.executable, "-m", "meshkit.probes.agent", "prober"]
        self._argv += ["--identity", identity] if identity else []
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._known: Mapping[str, str] = {}
        self._pieces: deque[schedule.Piece] = deque()
        self._wait_s = FIRST_WAIT_S
        self._started = self._heard = self._next_start = 0.0
        self.restarts = -1

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Of the process, for people and tests."""
        return self._process.pid if self._process else None

    def fileno(self) -> int:
        """What becomes readable; -1 while there is none."""
        return self._connection.fileno() if self._connection else -1

    def schedule(self, texts: Mapping[str, str]) -> None:
        """Probe these from now on; what is unchanged goes on as it does."""
        self._pieces.extend(schedule.differences(self._known, texts))
        self._known = texts

    def tend(self) -> None:
        """Start it when it is time to, end it when it hangs, and send what waits."""
        now = monotonic()
        if self._process is None:
            if now >= self._next_start:
                self._start(now)
        elif now - self._heard > SILENT_S:
            self._log.event("prober_hangs", pid=self.pid)
            self._process.kill()
            self._gone()
        if self._process is not None:
            self._feed()

    def hear(self) -> Iterator[Any]:
        """What it said since; when it has ended, the next ``tend`` that may starts another."""
        if self._connection is None:
            return
        self._heard = monotonic()
        yield from self._inbox.read()
        if self._inbox.ended:
            self._gone()

    def stop(self, timeout_s: float) -> Iterator[Any]:
        """Let it end, and hear its last words."""
        if self._process is None or self._connection is None:
            return
        self._connection.shutdown(socket.SHUT_WR)
        self._connection.settimeout(timeout_s)
        until = monotonic() + timeout_s
        while not self._inbox.ended and monotonic() < until:
            yield from self._inbox.read()
        try:
            self._process.wait(max(0.0, until - monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._connection.close()
        self._process = self._connection = None

    def _start(self, now: float) -> None:
        mine, its = socket.socketpair()
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), *sys.path]))}
        try:
            with its:
                self._process = subprocess.Popen(
                    self._argv, stdin=its.fileno(), stdout=subprocess.DEVNULL, env=environment
                )
        except OSError as error:
            mine.close()
            self._log.event("prober_not_started", error=error.strerror)
            self._later(now)
            return
        mine.settimeout(0.0)
        self._connection, self._inbox, self._outbox = mine, Inbox(mine), Outbox(mine)
        self._pieces = deque(schedule.differences({}, self._known))
        self._started = self._heard = now
        self.restarts += 1

    def _feed(self) -> None:
        """Send pieces while it takes them."""
        try:
            while self._pieces and self._outbox.put(self._pieces[0]):
                self._pieces.popleft()
            self._outbox.send()
        except OSError:
            self._gone()

    def _gone(self) -> None:
        """It has ended, or is about to."""
        process, connection = self._process, self._connection
        if process is None or connection is None:
            return
        connection.close()
        self._process = self._connection = None
        try:
            status = process.wait(1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        now = monotonic()
        if now - self._started > WELL_S:
            self._wait_s = FIRST_WAIT_S
        self._log.event("prober_ended", status=status, again_in_s=self._wait_s)
        self._later(now)

    def _later(self, now: float) -> None:
        self._next_start = now + self._wait_s
        self._wait_s = min(self._wait_s * 2, MOST_WAIT_S)
