"""What is spoken to a pod's loopback, against real sockets that answer, hang, end and reset."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from meshkit.backends import loopback
from meshkit.errors import UnreachableError

RESET = struct.pack("ii", 1, 0)
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def served(serve: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """A connection whose other end is served so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        with socket.create_connection(listener.getsockname()) as connection:
            yield connection
        thread.join(5)
        assert not thread.is_alive()


def _pages(connection: socket.socket) -> None:
    for _ in range(2):
        connection.recv(4096)
        connection.sendall(PAGE)


def test_pages_over_one_connection() -> None:
    """In the order in which they were asked for."""
    with served(_pages) as connection:
        assert loopback.get("pod web", connection, ["/a", "/b"]) == ["ok", "ok"]


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", PAGE.replace(b"200 OK", b"404 Not Found")])
def test_what_is_no_page_is_unreachable(answer: bytes) -> None:
    """With the pod's name in front."""

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer)

    with served(serve) as connection, pytest.raises(UnreachableError, match="pod web does not answer"):
        loopback.get("pod web", connection, ["/a"])


def test_pages_come_over_no_other_connection() -> None:
    """One that ends after the first page leaves the second unanswered."""

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(PAGE.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))

    with served(serve) as connection, pytest.raises(UnreachableError, match="pod web does not answer"):
        loopback.get("pod web", connection, ["/a", "/b"])


def test_an_answer_ends_the_wait() -> None:
    """The head of an HTTP answer, while the connection stays."""
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(PAGE[:20])
        connection.sendall(PAGE[20:])
        done.wait(5)

    with served(serve) as connection:
        reply = loopback.send(connection, b"GET / HTTP/1.1\r\n\r\n", 5.0)
        done.set()

    assert (reply.data, reply.ended) == (PAGE, False)


def test_bytes_that_are_no_http_are_an_answer() -> None:
    """Whatever a TCP service says first."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(b"\x00\x01")
        connection.recv(4096)

    with served(serve) as connection:
        assert loopback.send(connection, b"x", 5.0).data == b"\x00\x01"


@pytest.mark.parametrize("reset", [False, True])
def test_an_end_without_a_word(reset: bool) -> None:  # noqa: FBT001 - a column of the table
    """Closed or reset: both are an end."""

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    with served(serve) as connection:
        reply = loopback.send(connection, b"x", 5.0)

    assert (reply.data, reply.ended) == (b"", True)


def test_silence_ends_at_the_deadline() -> None:
    """And is no end of the connection."""
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        done.wait(5)

    with served(serve) as connection:
        reply = loopback.send(connection, b"x", 0.2)
        done.set()

    assert (reply.data, reply.ended) == (b"", False)
    assert reply.took_s >= 0.2
