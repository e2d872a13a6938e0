"""The agent behind ``Kube.exec``: its real program, in a process of this machine; or lines that a test gives."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from meshkit.errors import DeadlineError, MeshkitError

ARGV = [sys.executable, "-m", "meshkit.probes.agent", "run"]


class ProgramExecution:
    """``base.Execution`` of the real program."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self.sent = b""

    def send(self, data: bytes) -> None:
        self.sent += data
        assert self._child.stdin
        self._child.stdin.write(data)
        self._child.stdin.flush()

    def lines(self, until: float, stopped: Callable[[], bool]) -> Iterator[bytes]:
        assert self._child.stdout
        watch = threading.Thread(target=self._watch, args=(until, stopped), daemon=True)
        watch.start()
        for line in self._child.stdout:
            yield line.rstrip(b"\n")
        if stopped():
            raise MeshkitError("interrupted")
        if monotonic() > until:
            raise DeadlineError("does not answer any more")

    def _watch(self, until: float, stopped: Callable[[], bool]) -> None:
        while self._child.poll() is None:
            if stopped() or monotonic() > until:
                self._child.kill()
            try:
                self._child.wait(0.05)
            except subprocess.TimeoutExpired:
                continue


class Agents:
    """What runs in a cluster's agent containers; ``requests`` are all that came in, ``answers`` replace the program."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.answers: Callable[[], Iterator[bytes]] | None = None

    @contextmanager
    def run(self, command: Sequence[str]) -> Iterator[Any]:
        assert command[-1] == "run"
        if self.answers is not None:
            yield _Scripted(self)
            return
        with subprocess.Popen(ARGV, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            execution = ProgramExecution(child)
            try:
                yield execution
            finally:
                child.kill()
                self.requests += [json.loads(line) for line in execution.sent.splitlines()]


class _Scripted:
    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    def send(self, data: bytes) -> None:
        self._agents.requests.append(json.loads(data))

    def lines(self, until: float, stopped: Callable[[], bool]) -> Iterator[bytes]:
        del until, stopped
        assert self._agents.answers
        return self._agents.answers()
