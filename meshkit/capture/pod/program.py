"""The loop in the pod: packets from the kernel, cut, and out on stdout as fast as the other end reads.

It ends by itself: when stdin is closed, when no heartbeat has come for half a minute, or at the deadline that it was
given. What does not fit into the buffer is dropped and counted, so memory has a bound whatever the gateway carries.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from meshkit.capture.pod import filter as packet_filter
from meshkit.capture.pod import wire
from meshkit.capture.pod.ring import Ring, Taken
from meshkit.capture.pod.snap import Snapper

STDIN, STDOUT = 0, 1
MOST_WAITING = 4 << 20
"""Bytes that wait for a slow reader: 40,000 packets."""

COUNTS_S, LOOK_MS, LAST_WORDS_S = 1.0, 200, 5.0
SIZE_DIGITS = 8
NICER = 5
"""The gateway goes first."""


class Source(Protocol):
    """Where packets come from."""

    def fileno(self) -> int:
        """For poll()."""
        ...

    def packets(self) -> Iterator[Taken]:
        """What has come since."""
        ...

    def counts(self) -> tuple[int, int]:
        """Packets in all, and those that were lost."""
        ...


def main() -> int:
    """Read what is wanted, then capture."""
    request = json.loads(_exactly(int(_exactly(SIZE_DIGITS))))
    os.nice(NICER)
    os.set_blocking(STDOUT, False)
    deadline = time.monotonic() + float(request["longest_s"])
    try:
        with Ring(packet_filter.program(request["ports"])) as ring:
            return Pump(ring).run(deadline)
    except OSError as error:
        _write_all(wire.message(wire.ERROR, {"errno": error.errno or 0, "error": str(error)}), LAST_WORDS_S)
        return 0


class Pump:
    """From one source to stdout."""

    def __init__(self, source: Source, stdin: int = STDIN, stdout: int = STDOUT) -> None:
        self._source = source
        self._stdin, self._stdout = stdin, stdout
        self._waiting = bytearray()
        self._snapper = Snapper()
        self._sent = self._dropped = 0

    def run(self, deadline: float) -> int:
        """Until told to stop (0), or until nobody is there any more (1)."""
        waiting = select.poll()
        waiting.register(self._source.fileno(), select.POLLIN)
        waiting.register(self._stdin, select.POLLIN)
        heard = counted = time.monotonic()
        self._waiting += wire.message(wire.COUNTS, self._counts())
        while True:
            if self._waiting:
                waiting.register(self._stdout, select.POLLOUT)
            ready = dict(waiting.poll(LOOK_MS))
            now = time.monotonic()
            if self._stdin in ready:
                words = os.read(self._stdin, 4096)
                if not words:
                    return 1
                if wire.STOP in words:
                    return self._finish()
                heard = now
            if now > deadline or now - heard > wire.SILENCE_S:
                return 1
            self._take()
            if now - counted >= COUNTS_S:
                counted = now
                self._waiting += wire.message(wire.COUNTS, self._counts())
            if not self._write():
                return 1
            if not self._waiting and self._stdout in ready:
                waiting.unregister(self._stdout)

    def _take(self) -> None:
        for packet in self._source.packets():
            kept = self._snapper.kept(packet.data)
            if len(self._waiting) > MOST_WAITING:
                self._dropped += 1
                continue
            self._sent += 1
            self._waiting += wire.HEAD.pack(wire.PACKET, packet.direction, kept, packet.length, packet.time_ns)
            self._waiting += packet.data[:kept]

    def _counts(self) -> dict[str, int]:
        seen, lost = self._source.counts()
        return {"seen": seen, "kernel_drops": lost, "buffer_drops": self._dropped, "sent": self._sent}

    def _write(self) -> bool:
        """Give away what the reader takes now; False once there is no reader."""
        try:
            while self._waiting:
                del self._waiting[: os.write(self._stdout, self._waiting[: 1 << 16])]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def _finish(self) -> int:
        """What is left, the last counts, and the end."""
        self._take()
        self._waiting += wire.message(wire.COUNTS, self._counts()) + wire.message(wire.END, {})
        return 0 if _write_all(bytes(self._waiting), LAST_WORDS_S, self._stdout) else 1


def _write_all(data: bytes, within_s: float, number: int = STDOUT) -> bool:
    until = time.monotonic() + within_s
    while data:
        left_ms = 1000 * (until - time.monotonic())
        if left_ms <= 0 or not select.select([], [number], [], left_ms / 1000)[1]:
            return False
        try:
            data = data[os.write(number, data[: 1 << 16]) :]
        except BlockingIOError:
            continue
        except OSError:
            return False
    return True


def _exactly(size: int) -> bytes:
    """So many bytes of stdin, none more: what comes next is for poll()."""
    found = b""
    while len(found) < size:
        part = os.read(STDIN, size - len(found))
        if not part:
            sys.exit(1)
        found += part
    return found
