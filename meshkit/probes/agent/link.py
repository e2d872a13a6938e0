"""What keeper and prober say to each other: frames over a stream socket, so that an end is seen by both.

A frame is its length and a marshalled value (not JSON: the prober makes thousands of samples a second, and both ends
are the same interpreter). The side that must not wait puts frames into a bounded ``Outbox``; what does not fit is
dropped and counted, never waited for.
"""

from __future__ import annotations

import marshal
import socket
import struct
from collections.abc import Iterator
from typing import Any

HEAD = struct.Struct("<I")
OUTBOX_BYTES = 8 << 20
READ_BYTES = 1 << 16


def frame(value: Any) -> bytes:
    """A value of built-in types as bytes to send."""
    content = marshal.dumps(value)
    return HEAD.pack(len(content)) + content


class Outbox:
    """Frames for a socket that does not block, in order."""

    def __init__(self, connection: socket.socket, limit: int = OUTBOX_BYTES) -> None:
        self._connection = connection
        self._waiting = bytearray()
        self._limit = limit

    def put(self, value: Any) -> bool:
        """Send as much as goes now; False when the other side is so far behind that this was dropped."""
        if len(self._waiting) > self._limit:
            self.send()
            if len(self._waiting) > self._limit:
                return False
        self._waiting += frame(value)
        self.send()
        return True

    def send(self) -> None:
        """Send what waits, as much as goes; OSError when the other side has gone."""
        while self._waiting:
            try:
                sent = self._connection.send(memoryview(self._waiting)[: 4 * READ_BYTES].tobytes())
            except BlockingIOError:
                return
            del self._waiting[:sent]


class Inbox:
    """Frames from a socket; each ``read`` takes what one system call gives, so a turn stays short."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._got = bytearray()
        self.ended = False

    def read(self) -> Iterator[Any]:
        """The frames that are complete now; ``ended`` once the other side has closed."""
        try:
            part = self._connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        self.ended = not part
        self._got += part
        while len(self._got) >= HEAD.size:
            (length,) = HEAD.unpack_from(self._got)
            if len(self._got) < HEAD.size + length:
                return
            content = bytes(self._got[HEAD.size : HEAD.size + length])
            del self._got[: HEAD.size + length]
            yield marshal.loads(content)  # noqa: S302, our own other half wrote it
