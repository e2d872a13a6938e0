"""Servers on loopback for probes to talk to: each runs in a thread, and ends with its test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def tcp(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port whose connections are each given to ``serve`` in a thread of their own, and closed after it."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        accepting = threading.Thread(target=_accept, args=(server, serve), daemon=True)
        accepting.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join(timeout=5)


def _accept(server: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, serve), daemon=True).start()


def _serve(connection: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    with connection, suppress(OSError):  # the probe may have gone
        serve(connection)


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
