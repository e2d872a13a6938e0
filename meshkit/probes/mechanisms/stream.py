"""A connection as the protocols above TCP use it, in the clear; ``secure.Secure`` is the same through TLS."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

from meshkit.probes.loop import READ, WRITE, Wait

RECEIVE = 65536
"""Bytes taken at once."""


class Stream(Protocol):
    """Bytes there and back; whoever opened it closes it."""

    def send(self, data: bytes) -> Generator[Wait, Any, None]:
        """Send all of it."""
        ...

    def receive(self) -> Generator[Wait, Any, bytes]:
        """Wait for some bytes; none at the end."""
        ...

    def close(self) -> None:
        """Reset the connection."""
        ...


class Plain:
    """A TCP connection as it is."""

    __slots__ = ("_connection", "_number")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._number = connection.fileno()

    def send(self, data: bytes) -> Generator[Wait, Any, None]:
        """Send all of it, as fast as the target takes it."""
        left = memoryview(data)
        while left:
            try:
                left = left[self._connection.send(left) :]
            except BlockingIOError:
                yield self._number, WRITE, 0.0

    def receive(self) -> Generator[Wait, Any, bytes]:
        """Wait for some bytes; none at the end."""
        while True:
            yield self._number, READ, 0.0
            try:
                data: bytes = self._connection.recv(RECEIVE)
            except BlockingIOError:  # woken for nothing
                continue
            return data

    def receive_until(self, until: float) -> Generator[Wait, Any, bytes | None]:
        """What comes first: bytes, the end (none) or the time (None)."""
        while (yield self._number, READ, until) is not None:
            try:
                data: bytes = self._connection.recv(RECEIVE)
            except BlockingIOError:
                continue
            return data
        return None

    def pending(self) -> bytes:
        """What is here already; none when nothing is, or at the end."""
        try:
            data: bytes = self._connection.recv(RECEIVE)
        except OSError:
            return b""
        return data

    def close(self) -> None:
        """Reset the connection."""
        self._connection.close()
