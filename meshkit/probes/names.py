"""Name resolution as programs on this machine do it: /etc/hosts, nsswitch, resolv.conf, all through getaddrinfo.

getaddrinfo blocks and knows no deadline, so it runs in a few threads. One that hangs past a probe's deadline keeps its
thread, not the probe; when all threads hang, later names wait for one until their own deadline.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address
from typing import Any

from meshkit.probes.loop import MAIL, Loop, Wait
from meshkit.probes.reasons import Failed, one_line
from meshkit.probes.sample import Record

THREADS = 8
REASONS = {
    socket.EAI_NONAME: "name_not_found",
    socket.EAI_NODATA: "name_no_data",
    socket.EAI_AGAIN: "dns_failed",
    socket.EAI_FAIL: "dns_failed",
}

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""Family and what connect() takes."""


def literal(host: str, port: int) -> Address | None:
    """The address that a host already is, None when it is a name."""
    try:
        version = ip_address(host).version
    except ValueError:
        return None
    if version == 4:  # noqa: PLR2004, the IP version
        return socket.AF_INET, (host, port)
    return socket.AF_INET6, (host, port, 0, 0)


class Names:
    """Resolves names for probes of one loop."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="resolve")
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._finished: deque[tuple[object, Future[Any]]] = deque()
        loop.listen(self._bell, self._deliver)

    def close(self) -> None:
        """Let go of the threads; those that hang end with the process."""
        self._loop.unlisten(self._bell)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def resolve(self, record: Record, host: str, port: int) -> Generator[Wait, Any, Address]:
        """The first address, in the order that getaddrinfo prefers (RFC 6724); phase ``resolve``."""
        record.enter("resolve")
        key = object()
        future = self._pool.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        future.add_done_callback(partial(self._finish, key))
        try:
            done: Future[Any] = yield MAIL, key, 0.0
            found = done.result()
        except socket.gaierror as error:
            reason = REASONS.get(error.errno or 0, "dns_failed")
            raise Failed(reason, one_line(f"{host}: {error.strerror}")) from error
        except UnicodeError as error:
            raise Failed("name_not_found", one_line(f"{host} is not a host name")) from error
        finally:
            future.cancel()
        record.phase_error_s = max(record.phase_error_s, self._loop.blur())
        record.leave()
        record.facts["addresses"] = list(dict.fromkeys(entry[4][0] for entry in found))
        return found[0][0], found[0][4]

    def _finish(self, key: object, future: Future[Any]) -> None:
        """Called in the resolving thread (or where it was cancelled)."""
        self._finished.append((key, future))
        os.eventfd_write(self._bell, 1)

    def _deliver(self) -> None:
        os.eventfd_read(self._bell)
        while self._finished:
            self._loop.deliver(*self._finished.popleft())
