"""Servers on loopback for probes to talk to: each runs in a thread, and ends with its test."""

from __future__ import annotations

import socket
import ssl
import struct
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


@contextmanager
def tls(context: ssl.SSLContext, serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """As ``tcp``, and ``serve`` gets the connection after the TLS handshake, if that succeeds."""

    def shake_hands(connection: socket.socket) -> None:
        connection.recv(1, socket.MSG_PEEK)  # a probe that is gone already makes wrap_socket leak
        with context.wrap_socket(connection, server_side=True) as secure:
            serve(secure)

    with tcp(shake_hands) as port:
        yield port


def stay(connection: socket.socket) -> None:
    """Say nothing, and read until the other side has gone."""
    while connection.recv(65536):
        pass


def reset(connection: socket.socket) -> None:
    """Close at once and rudely."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_head(connection: socket.socket) -> bytes:
    """An HTTP/1.1 request's head, or what came of it."""
    head = b""
    while b"\r\n\r\n" not in head and (part := connection.recv(65536)):
        head += part
    return head


def http(answer: bytes, *, stays: bool = True) -> Callable[[socket.socket], None]:
    """Serve one request with these bytes, and then stay or close."""

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(answer)
        if stays:
            stay(connection)

    return serve


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
