"""The agent's HTTP server against clients that behave and clients that do not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread

import pytest

from meshkit.errors import MeshkitError
from meshkit.probes.agent import server
from meshkit.probes.agent.server import AT_A_TIME, Page, bound, page
from probes.agent.agents import until


@pytest.fixture
def port() -> Iterator[int]:
    serving = bound("127.0.0.1", 0, {"/hello": lambda query: page({"query": dict(query)})})
    thread = Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield serving.server_address[1]
    serving.shutdown()
    serving.server_close()
    thread.join()


def _ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(b"GET /hello?a=1 HTTP/1.1\r\n\r\n", b"200", id="as meant"),
        pytest.param(b"GET /other HTTP/1.1\r\n\r\n", b"404", id="another path"),
        pytest.param(b"POST /hello HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"501", id="another method"),
        pytest.param(b"DELETE /hello HTTP/1.1\r\n\r\n", b"501", id="deleting"),
        pytest.param(b"GET /hello" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b"414", id="an endless path"),
        pytest.param(b"GET /hello HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431", id="endless headers"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\r\n", b"400", id="TLS"),
    ],
)
def test_each_request_has_its_status(port: int, request_: bytes, status: bytes) -> None:
    assert status in _ask(port, request_).split(b"\r\n")[0] + _ask(port, request_)[:300]


def test_clients_that_say_nothing_hold_no_more_than_their_share_and_not_for_long(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server._Request, "timeout", 0.5)
    with ExitStack() as stack:
        for _ in range(AT_A_TIME):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        until(lambda: b" 503 " in _ask(port, b"GET /hello HTTP/1.1\r\n\r\n"), "the next is told to come again")
        until(lambda: b" 200 " in _ask(port, b"GET /hello HTTP/1.1\r\n\r\n"), "the silent are let go")


def _drips(client: socket.socket) -> bool:
    """Send one more byte; False when the server no longer listens."""
    try:
        client.sendall(b"G")
        client.settimeout(0.0)
        return client.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        client.settimeout(10.0)


def test_a_client_that_drips_its_request_is_let_go_though_no_single_wait_is_long(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PATIENCE_S", 0.3)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        until(lambda: not _drips(client), "the connection is shut down")


def test_a_client_that_reads_nothing_is_let_go_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ANSWER_S", 0.3)
    endless = iter(lambda: bytes(65536), None)
    serving = bound("127.0.0.1", 0, {"/endless": lambda _: Page(200, "text/plain", endless)})
    thread = Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with socket.create_connection(serving.server_address[:2], timeout=10) as client:
            client.sendall(b"GET /endless HTTP/1.1\r\n\r\n")
            until(lambda: serving.free._value == AT_A_TIME - 1, "it holds a place")
            until(lambda: serving.free._value == AT_A_TIME, "the place is free again")
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()


def test_a_port_that_is_taken_is_one_line(port: int) -> None:
    with pytest.raises(MeshkitError, match=f"port {port} can't be listened on"):
        bound("127.0.0.1", port, {})
