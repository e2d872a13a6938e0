"""What listens on the loopback of a fake cluster's pods: Envoy's admin, an upstream's port, and the list of sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import format_datetime

from fakes.clock import START
from meshkit.backends.base import Reply
from meshkit.errors import MeshkitError, UnreachableError
from meshkit.trace.envoy import ADMIN_PORT

Pages = dict[str, str]


class Loopback:
    """``admin`` are pages by pod, ``replies`` what a request to a pod gets, ``tables`` the lines of /proc/net/tcp.

    ``date`` is the time by the Envoys' clocks.
    """

    def __init__(self, context: str) -> None:
        self._context = context
        self.admin: dict[str, Pages] = {}
        self.replies: dict[str, Reply] = {}
        self.tables: dict[str, list[str]] = {}
        self.sent: list[bytes] = []
        self.date: datetime | None = START
        self.counted: Callable[[], None] = lambda: None

    def get(self, pod: str, port: int, path: str) -> str:
        pages = self.admin.get(pod, {})
        if path not in pages:
            raise UnreachableError(f"{self._context}: pod {pod}: port {port} does not answer")
        return pages[path]

    def send(self, pod: str, port: int, payload: bytes, timeout_s: float) -> Reply:
        del timeout_s
        if port == ADMIN_PORT:
            date = f"date: {format_datetime(self.date, usegmt=True)}\r\n" if self.date else ""
            return Reply(f"HTTP/1.1 200 OK\r\n{date}\r\n".encode(), ended=False, took_s=0.01)
        self.sent.append(payload)
        self.counted()
        return self.replies.get(pod, Reply(b"", ended=True, took_s=0.01))

    def sockets(self, pod: str) -> _Table:
        return _Table(self._context, self.tables.get(pod))


class _Table:
    def __init__(self, context: str, lines: list[str] | None) -> None:
        self._context = context
        self._lines = lines

    def send(self, data: bytes) -> None:
        raise AssertionError(data)

    def lines(self, until: float, stopped: Callable[[], bool]) -> Iterator[bytes]:
        del until, stopped
        if self._lines is None:
            raise MeshkitError(f"{self._context}: cat: not found")
        return iter([line.encode() for line in self._lines])
