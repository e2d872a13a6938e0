"""What an agent serves: /metrics, /results, /view and /health, by GET only.

A thread for each request, of which there are few at a time: what comes above that is told to come again. A client that
sends slowly holds one of them for a few seconds, one that reads slowly for a minute, and nothing else: timeouts of
single reads would let one that drips hold it for days, so the connection is shut down under the thread.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from meshkit.errors import MeshkitError

AT_A_TIME = 16
PATIENCE_S = 5.0
ANSWER_S = 60.0


class Page(NamedTuple):
    """An answer: its parts are sent as they are made."""

    status: int
    kind: str
    parts: Iterator[bytes]


Handler = Callable[[Mapping[str, str]], Page]
"""From the query's parameters."""


class Server(ThreadingHTTPServer):
    """Serves pages by path."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], pages: Mapping[str, Handler]) -> None:
        self.pages = pages
        self.free = threading.BoundedSemaphore(AT_A_TIME)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Request)

    def server_bind(self) -> None:
        """IPv4 comes through an IPv6 socket too; the machine's name is not looked up."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread, when one is free."""
        if not self.free.acquire(blocking=False):
            try:
                request.settimeout(0.1)
                request.sendall(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
            except OSError:
                pass  # it has gone
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One request, at most so long."""
        timer = _shut_after(ANSWER_S, request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            self.free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left, or talks something else, is its own affair."""


class _Request(BaseHTTPRequestHandler):
    server: Server
    timeout = PATIENCE_S
    server_version = "meshkit-probe-agent"
    sys_version = ""
    protocol_version = "HTTP/1.0"  # no connection is kept: each holds a thread

    def setup(self) -> None:
        """The whole request is to come in time, not only each part of it."""
        super().setup()
        self._asking = _shut_after(PATIENCE_S, self.connection)

    def finish(self) -> None:
        """Nothing is left to wait for."""
        self._asking.cancel()
        super().finish()

    def do_GET(self) -> None:
        """Answer."""
        self._asking.cancel()
        where = urlsplit(self.path)
        handler = self.server.pages.get(where.path)
        if handler is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        query = {name: values[-1] for name, values in parse_qs(where.query).items()}
        try:
            page = handler(query)
        except ValueError as error:
            self.send_error(HTTPStatus.BAD_REQUEST, explain=str(error))
            return
        self.send_response(page.status)
        self.send_header("Content-Type", page.kind)
        self.end_headers()
        for part in page.parts:
            self.wfile.write(part)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, the name is http.server's
        """Requests are not events."""


def _shut_after(seconds: float, connection: socket.socket) -> threading.Timer:
    """End a connection after so long: whoever reads or writes it is woken. Closing is left to its own thread."""

    def shut() -> None:
        with contextlib.suppress(OSError):  # it has ended by itself
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    return timer


def bound(address: str, port: int, pages: Mapping[str, Handler]) -> Server:
    """A server on an address, by default all of both families; MeshkitError when it can't be had."""
    try:
        return Server((address or ("::" if socket.has_dualstack_ipv6() else "0.0.0.0"), port), pages)  # noqa: S104
    except OSError as error:
        raise MeshkitError(f"port {port} can't be listened on: {error.strerror}") from error


def page(value: Any, status: int = HTTPStatus.OK) -> Page:
    """JSON."""
    return Page(status, "application/json", iter([json.dumps(value).encode() + b"\n"]))
