"""One request on stdin, answers on stdout: how the command line probes from inside a cluster, through pods/exec.

There is no port to open and nothing in argv. The request is one line of JSON; the end of stdin cancels. Answers go out
from a thread of their own: a reader that is slow delays no probe, and past a bound single samples are dropped and
counted, windows never.
"""

from __future__ import annotations

import json
import math
import os
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import Any, BinaryIO

from meshkit.errors import MeshkitError, UsageError
from meshkit.probes.engine import Engine
from meshkit.probes.identity import Identity
from meshkit.probes.io import Io
from meshkit.probes.probe import Probe, Series, from_wire
from meshkit.probes.reasons import one_line
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary

REQUEST_BYTES = 16 << 20
MOST_PROBES = 20_000
LEAST_WINDOW_S = 0.1
LINES_WAITING = 10_000


@dataclass(frozen=True)
class Request:
    """What one line asks for."""

    probes: tuple[Probe, ...]
    count: int | None
    for_s: float | None
    window_s: float
    samples: bool
    identities: Mapping[str, Identity]
    identity_directory: Path | None


def parse(line: bytes) -> Request:
    """A request, or UsageError with one line."""
    if len(line) > REQUEST_BYTES:
        raise UsageError(f"the request is larger than {REQUEST_BYTES} bytes")
    try:
        wire = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(one_line(f"the request is not JSON: {error}")) from error
    if not isinstance(wire, dict) or not isinstance(wire.get("probes"), list):
        raise UsageError("the request has no list of probes")
    if len(wire["probes"]) > MOST_PROBES:
        raise UsageError(f"the request has more than {MOST_PROBES} probes")
    try:
        probes = tuple(from_wire(entry) for entry in wire["probes"])
        identities = {
            str(name): Identity(_text(given, "cert"), _text(given, "key"), _text(given, "roots"))
            for name, given in wire.get("identities", {}).items()
        }
    except (ValueError, AttributeError, TypeError) as error:
        raise UsageError(one_line(str(error))) from error
    count = wire.get("count")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise UsageError("count is not a number above 0")
    for_s = None if wire.get("for_s") is None else _seconds(wire, "for_s", 0.0)
    window_s = max(_seconds(wire, "window_s", 1.0), LEAST_WINDOW_S)
    directory = wire.get("identity_directory")
    folder = Path(directory) if isinstance(directory, str) and directory else None
    return Request(probes, count, for_s, window_s, bool(wire.get("samples")), identities, folder)


def _seconds(wire: Mapping[str, Any], name: str, default: float) -> float:
    value = wire.get(name, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise UsageError(f"{name} is not a time in seconds")
    return float(value)


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):  # its value may be a key: not shown
        raise ValueError(f"an identity's {name} is missing or not a text")  # noqa: TRY004, all are errors of the request
    return value


class Answers:
    """Lines for stdout, written by a thread. ``gone`` once the reader has closed."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="answers", daemon=True)
        self._thread.start()
        self.gone = False
        self.dropped = 0

    def put(self, value: Mapping[str, Any], *, may_drop: bool = False) -> None:
        """Say one thing; what may be dropped is, when the reader is far behind."""
        if may_drop and self._lines.qsize() > LINES_WAITING:
            self.dropped += 1
        else:
            self._lines.put(json.dumps(value, separators=(",", ":")).encode() + b"\n")

    def finish(self) -> None:
        """Wait until all is written, or the reader gone."""
        self._lines.put(None)
        self._thread.join()

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            if not self.gone:
                try:
                    self._out.write(line)
                    if self._lines.empty():
                        self._out.flush()
                except (OSError, ValueError):
                    self.gone = True


class Run:
    """One request under way."""

    def __init__(self, request: Request, answers: Answers, io: Io) -> None:
        self._request, self._answers, self._io = request, answers, io
        self._open: dict[Series, Summary] = {}
        self._began, self._opened = time(), monotonic()
        self.cancelled = False

    def __call__(self) -> None:
        """Probe, and say what came."""
        request = self._request
        engine = Engine(self._io, self._sample, skip=self._skipped)
        tally = engine.run(request.probes, count=request.count, for_s=request.for_s, stop=self._turn)
        self._close()
        end = {"started": tally.started, "skipped": tally.skipped, "latest_s": tally.latest_s}
        self._answers.put({"end": end | ({"dropped": self._answers.dropped} if self._answers.dropped else {})})

    def watch(self, descriptor: int) -> None:
        """Cancel when this ends; a file, which epoll does not take, has no end to wait for."""
        os.set_blocking(descriptor, False)

        def look() -> None:
            try:
                self.cancelled = self.cancelled or not os.read(descriptor, 65536)
            except BlockingIOError:
                return
            except OSError:
                self.cancelled = True

        try:
            self._io.loop.listen(descriptor, look)
        except PermissionError:
            return

    def _turn(self) -> bool:
        """Asked each turn of the loop: closes a window that is full."""
        if monotonic() - self._opened >= self._request.window_s:
            self._close()
        return self.cancelled or self._answers.gone

    def _summary(self, probe: Probe) -> Summary:
        summary = self._open.get(probe.series)
        if summary is None:
            summary = self._open[probe.series] = Summary(probe.series, self._began, 0.0)
        return summary

    def _sample(self, probe: Probe, sample: Sample) -> None:
        self._summary(probe).add(sample)
        if self._request.samples:
            self._answers.put({"sample": sample.as_wire()}, may_drop=True)

    def _skipped(self, probe: Probe, starts: int) -> None:
        self._summary(probe).skipped += starts

    def _close(self) -> None:
        """Say the window that ends now; its width is by the clock that no one sets."""
        now = monotonic()
        for summary in self._open.values():
            summary.width_s = now - self._opened
        if self._open:
            self._answers.put({"windows": [summary.as_wire() for summary in self._open.values()]})
        self._open = {}
        self._began, self._opened = time(), now


def run(stdin: int, out: BinaryIO) -> int:
    """Read one request, answer it; the exit code says only whether there was one."""
    answers = Answers(out)
    try:
        request = parse(_line(stdin))
        io = Io(request.identity_directory, request.identities)
        try:
            running = Run(request, answers, io)
            running.watch(stdin)
            running()
        finally:
            io.close()
    except MeshkitError as error:
        answers.put({"error": one_line(error.message)})
        return error.exit_code
    finally:
        answers.finish()
    return 0


def _line(descriptor: int) -> bytes:
    """The first line, or as much of it as may be."""
    got: list[bytes] = []
    size = 0
    while size <= REQUEST_BYTES and (part := os.read(descriptor, 1 << 16)):
        got.append(part)
        size += len(part)
        if b"\n" in part:
            break
    line, newline, _ = b"".join(got).partition(b"\n")
    if not newline and size <= REQUEST_BYTES:
        raise UsageError("the input ended before the request's line did" if line else "there is no request")
    return line
