"""Name resolution as programs on this machine do it: /etc/hosts, nsswitch, resolv.conf, all through getaddrinfo.

getaddrinfo blocks and knows no deadline, so it runs in threads. One that hangs past a deadline keeps its thread,
not the probe. Probes that want a name already being looked up wait for the same look-up, else one dead zone would take
all threads and fail the probes of every other name. The threads are daemons: an executor's are joined when the process
exits, which would then take as long as the slowest resolver.
"""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections import deque
from collections.abc import Generator
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from meshkit.probes.loop import MAIL, Loop, Wait
from meshkit.probes.reasons import Failed, one_line
from meshkit.probes.sample import Record

THREADS = 32
"""At most; they are started as they are needed."""

REASONS = {
    socket.EAI_NONAME: "name_not_found",
    socket.EAI_NODATA: "name_no_data",
    socket.EAI_AGAIN: "dns_failed",
    socket.EAI_FAIL: "dns_failed",
}

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""Family and what connect() takes."""


@lru_cache(maxsize=65536)
def literal(host: str, port: int) -> Address | None:
    """The address that a host already is, None when it is a name.

    Most targets are addresses, parsed once. The cache is bounded, since redirects name ever new hosts.
    """
    try:
        family = socket.AF_INET if ip_address(host).version == 4 else socket.AF_INET6  # noqa: PLR2004, the IP version
        shown = socket.inet_ntop(family, socket.inet_pton(family, host))  # as the kernel writes a sender's
    except (ValueError, OSError):  # OSError: with a zone (fe80::1%eth0), which getaddrinfo knows
        return None
    return family, (shown, port) if family == socket.AF_INET else (shown, port, 0, 0)


class Names:
    """Resolves names for probes of one loop."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._wanted: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._waiting: dict[str, list[object]] = {}
        self._finished: deque[tuple[str, Any]] = deque()
        self._threads = 0
        self._closed = threading.Lock()
        loop.listen(self._bell, self._deliver)

    def close(self) -> None:
        """Let go of the threads; those that hang end with the process."""
        self._loop.unlisten(self._bell)
        for _ in range(self._threads):
            self._wanted.put(None)
        with self._closed:
            os.close(self._bell)
            self._bell = -1

    def resolve(self, record: Record, host: str, port: int) -> Generator[Wait, Any, Address]:
        """The first address, in the order that getaddrinfo prefers (RFC 6724); phase ``resolve``."""
        record.enter("resolve")
        key = object()
        self._want(host, key)
        try:
            found = yield MAIL, key, 0.0
        finally:
            self._leave(host, key)
        if isinstance(found, socket.gaierror):
            reason = REASONS.get(found.errno or 0, "dns_failed")
            raise Failed(reason, one_line(f"{host}: {found.strerror}")) from found
        if isinstance(found, ValueError):  # UnicodeError is one, and so is a name with a zero byte
            raise Failed("name_not_found", one_line(f"{host} is not a host name")) from found
        if isinstance(found, BaseException):
            raise found
        if not found:
            raise Failed("name_no_data", one_line(f"{host}: no address"))
        record.phase_error_s = max(record.phase_error_s, self._loop.blur())
        record.leave()
        record.facts["addresses"] = list(dict.fromkeys(entry[4][0] for entry in found))
        family, (address, _, *rest) = found[0][0], found[0][4]
        return family, (address, port, *rest)

    def _want(self, host: str, key: object) -> None:
        waiting = self._waiting.get(host)
        if waiting is not None:
            waiting.append(key)
            return
        self._waiting[host] = [key]
        if self._threads < min(THREADS, len(self._waiting)):
            self._threads += 1
            arguments = (self._wanted, self._finish)
            threading.Thread(target=_work, args=arguments, name="resolve", daemon=True).start()
        self._wanted.put(host)

    def _leave(self, host: str, key: object) -> None:
        """A probe has ended; its look-up goes on, and later probes of the name wait for it."""
        waiting = self._waiting.get(host, [])
        if key in waiting:
            waiting.remove(key)

    def _finish(self, host: str, found: Any) -> None:
        """Called in a resolving thread."""
        self._finished.append((host, found))
        with self._closed:
            if self._bell >= 0:
                os.eventfd_write(self._bell, 1)

    def _deliver(self) -> None:
        os.eventfd_read(self._bell)
        while self._finished:
            host, found = self._finished.popleft()
            for key in self._waiting.pop(host, []):
                self._loop.deliver(key, found)


def _work(wanted: queue.SimpleQueue[str | None], finish: Any) -> None:
    while (host := wanted.get()) is not None:
        found: Any
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except Exception as error:  # noqa: BLE001, whatever it is, the probe that asked says so
            found = error
        finish(host, found)
