"""HTTP/1.1 against real sockets on loopback: every framing that is right, and what is not HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.probes.io import Io
from meshkit.probes.loop import AT_ONCE, MAIL, Wait
from meshkit.probes.mechanisms import http1
from meshkit.probes.mechanisms.http import HttpTarget
from meshkit.probes.mechanisms.request import build
from meshkit.probes.reasons import Failed
from meshkit.probes.sample import Record
from probes import responders
from probes.authority import Authority, server_context
from probes.once import observe, patience_s

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "stays"),
    [
        pytest.param(OK + b"Content-Length: 5\r\n\r\nhello", True, id="a length"),
        pytest.param(OK + b"content-length:5 \r\n\r\nhello", True, id="a length, written otherwise"),
        pytest.param(b"HTTP/1.0 200\r\nContent-Length: 5\r\n\r\nhello", True, id="no reason phrase"),
        pytest.param(CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", True, id="chunks"),
        pytest.param(CHUNKED + b"5;a=b\r\nhello\r\n000\r\nX: y\r\n\r\n", True, id="chunks with extension and trailer"),
        pytest.param(OK + b"\r\nhello", False, id="until the connection ends"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nhello", False, id="no header at all"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            + OK
            + b"Content-Length: 5\r\n\r\nhello",
            True,
            id="interim answers before",
        ),
    ],
)
@pytest.mark.parametrize("byte_by_byte", [False, True])
def test_a_body_is_found_however_it_is_framed(answer: bytes, byte_by_byte: bool, stays: bool) -> None:  # noqa: FBT001
    def serve(connection: socket.socket) -> None:
        responders.read_head(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in [bytes([byte]) for byte in answer] if byte_by_byte else [answer]:
            connection.sendall(part)
        if stays:
            responders.stay(connection)

    with responders.tcp(serve) as port:
        sample = observe(HttpTarget(f"http://127.0.0.1:{port}/", matches="^hello$"))
    assert sample.ok, sample
    assert sample.facts["body_bytes"] == 5


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        pytest.param("HEAD", OK + b"Content-Length: 1000\r\n\r\n", id="HEAD"),
        pytest.param("GET", b"HTTP/1.1 204 No Content\r\n\r\n", id="204"),
        pytest.param("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", id="304"),
    ],
)
def test_some_answers_have_no_body_whatever_their_header_says(method: str, answer: bytes) -> None:
    with responders.tcp(responders.http(answer)) as port:
        target = HttpTarget(f"http://127.0.0.1:{port}/", method=method, statuses=(200, 204, 304))
        sample = observe(target)
    assert sample.ok, sample
    assert sample.facts["body_bytes"] == 0


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
        pytest.param(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", id="HTTP/2"),
        pytest.param(b"HTTP/2.0 200 OK\r\n\r\n", id="another version"),
        pytest.param(b"HTTP/1.1 600 OK\r\n\r\n", id="no status"),
        pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", id="a status of four digits"),
        pytest.param(OK + b"a b: c\r\n\r\n", id="a blank within a field's name"),
        pytest.param(OK + b"a : c\r\n\r\n", id="a blank after a field's name"),
        pytest.param(OK + b"no colon\r\n\r\n", id="a field without a colon"),
        pytest.param(OK + b"a: b\r\n c\r\n\r\n", id="a folded line"),
        pytest.param(OK + b"a: b\nc: d\r\n\r\n", id="a bare line feed"),
        pytest.param(OK + b"a: b\0c\r\n\r\n", id="a zero octet"),
        pytest.param(OK + b"a: " + b"b" * 70000 + b"\r\n\r\n", id="a header that is too large"),
        pytest.param(OK + b"a: b\r\n" * 20000, id="a header without an end"),
        pytest.param(b"HTTP/1.1 " + b"x" * 70000, id="a line without an end"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 9, id="too many interim answers"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", id="a switch not asked for"),
        pytest.param(OK + b"Content-Length: -1\r\n\r\n", id="a length below nothing"),
        pytest.param(OK + b"Content-Length: 0x5\r\n\r\nhello", id="a length in hexadecimal"),
        pytest.param(OK + b"Content-Length: \xb2\r\n\r\nhe", id="a length in other digits"),
        pytest.param(OK + b"Content-Length:\r\nContent-Length: 5\r\n\r\nhello", id="a length and none"),
        pytest.param(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", id="two lengths"),
        pytest.param(OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="length and chunks"),
        pytest.param(OK + b"Transfer-Encoding: gzip\r\n\r\n", id="an encoding not asked for"),
        pytest.param(OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", id="chunks of chunks"),
        pytest.param(OK + b"Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n", id="a second answer"),
        pytest.param(CHUNKED + b"0\r\n\r\nx", id="something after the last chunk"),
        pytest.param(CHUNKED + b"zz\r\n", id="a chunk's size that is none"),
        pytest.param(CHUNKED + b"-1\r\n", id="a chunk's size below nothing"),
        pytest.param(CHUNKED + b"\r\n", id="a chunk without size"),
        pytest.param(CHUNKED + b"2\r\nhello\r\n0\r\n\r\n", id="a chunk longer than its size"),
        pytest.param(CHUNKED + b"1;" + b"a" * 2000, id="a chunk's extension without an end"),
        pytest.param(CHUNKED + b"0\r\n" + b"a: b\r\n" * 20000, id="trailers without an end"),
    ],
)
def test_what_is_not_http_is_garbage_at_once(answer: bytes) -> None:
    with responders.tcp(responders.http(answer)) as port:
        sample = observe(HttpTarget(f"http://127.0.0.1:{port}/"), timeout_s=3.0)
    assert sample.reason == "http_garbage", sample
    assert sample.detail.startswith("this is not HTTP/1.1: ")
    assert set(sample.phases) == {"connect", "write", "processing"}


def _endless(begin: bytes, part: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        responders.read_head(connection)
        connection.sendall(begin)
        while True:
            connection.sendall(part)

    return serve


@pytest.mark.parametrize(
    "serve",
    [
        pytest.param(_endless(OK + b"\r\n", b"x" * 65536), id="until the connection ends, which it does not"),
        pytest.param(_endless(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"), id="chunks without a last one"),
        pytest.param(responders.http(OK + b"Content-Length: 99999999999\r\n\r\n"), id="a huge length"),
        pytest.param(responders.http(CHUNKED + b"fffffffffff\r\n"), id="a huge chunk"),
        pytest.param(responders.http(OK + b"Content-Length: 1048577\r\n\r\n"), id="one more than the limit"),
    ],
)
def test_an_endless_body_ends_at_the_limit(serve: Callable[[socket.socket], None]) -> None:
    with responders.tcp(serve) as port:
        sample = observe(HttpTarget(f"http://127.0.0.1:{port}/"))
    assert sample.reason == "http_too_large", sample


def _dribble(connection: socket.socket) -> None:
    responders.read_head(connection)
    connection.sendall(OK + b"Content-Length: 1000\r\n\r\nx")
    responders.stay(connection)


def _close_within(connection: socket.socket) -> None:
    responders.read_head(connection)
    connection.sendall(OK + b"Content-Length: 1000\r\n\r\nx")


def _reset_first(connection: socket.socket) -> None:
    responders.read_head(connection)
    responders.reset(connection)


@pytest.mark.parametrize(
    ("serve", "reason", "phases"),
    [
        pytest.param(responders.stay, "timeout_processing", {"connect", "write"}, id="accepts and stays silent"),
        pytest.param(_dribble, "timeout_transfer", {"connect", "write", "processing"}, id="stops within the body"),
        pytest.param(responders.read_head, "closed", {"connect", "write"}, id="closes before the answer"),
        pytest.param(_close_within, "closed", {"connect", "write", "processing"}, id="closes within the answer"),
        pytest.param(_reset_first, "reset", {"connect", "write"}, id="resets before the answer"),
    ],
)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_each_fault_has_its_reason_and_only_the_phases_that_were_reached(
    serve: Callable[[socket.socket], None], reason: str, phases: set[str], secure: bool, tmp_path: Path  # noqa: FBT001
) -> None:  # fmt: skip
    ca = Authority()
    responder = responders.tls(server_context(ca.leaf(), tmp_path), serve) if secure else responders.tcp(serve)
    with responder as port:
        target = HttpTarget(f"{'https' if secure else 'http'}://127.0.0.1:{port}/", roots=ca.root)
        sample = observe(target, timeout_s=patience_s(reason))
    assert (sample.reason, set(sample.phases)) == (reason, phases | ({"tls"} if secure else set())), sample
    assert sample.rtt_s is not None
    assert sample.rtt_s > 0


def test_a_request_that_is_not_read_times_out_while_it_is_written() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    with server:
        port = server.getsockname()[1]  # the kernel accepts, nobody reads
        target = HttpTarget(f"http://127.0.0.1:{port}/", method="POST", body="x" * (32 << 20))
        sample = observe(target, timeout_s=1.0)
    assert (sample.reason, set(sample.phases)) == ("timeout_write", {"connect"})


class _Script:
    """A stream that answers with given parts, then ends."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = iter(parts)

    def send(self, _data: bytes) -> Generator[Wait, Any, None]:
        return
        yield

    def receive(self) -> Generator[Wait, Any, bytes]:
        return next(self._parts, b"")
        yield

    def close(self) -> None:
        pass


PIECES = st.sampled_from(
    [OK, CHUNKED, b"\r\n", b"\r\n\r\n", b"HTTP/1.1 ", b"Content-Length: 3\r\n", b"0\r\n", b"3\r\n", b"abc", b"\n", b":"]
)


@given(st.lists(PIECES | st.binary(min_size=1, max_size=20), min_size=1, max_size=12))
def test_whatever_comes_ends_in_an_answer_or_a_reason(parts: list[bytes]) -> None:
    io = Io()
    steps = http1.exchange(_Script(parts), io, Record(), build("GET", "http://a/", (), ""), http1.Body(1000, 10))
    ended = ""
    try:
        next(steps)
    except StopIteration as end:
        ended = "answered" if 200 <= end.value.status <= 599 else "answered without a status"
    except Failed as failure:
        ended = failure.reason
    finally:
        io.close()
    assert ended in {"answered", "closed", "http_garbage", "http_too_large"}


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(b"1\r\nx\r\n" * 10_000 + b"0\r\n\r\n", id="chunks of one byte"),
        pytest.param(b"0\r\n" + b"a\r\n" * 10_000 + b"\r\n", id="trailers of one byte"),
    ],
)
def test_a_flood_of_small_pieces_is_taken_so_that_other_probes_have_their_turn(flood: bytes) -> None:
    source = http1.Source(SimpleNamespace(), flood)  # everything has come: the stream is not asked
    waits = list(http1._body(source, {"transfer-encoding": "chunked"}, http1.Body(1 << 20, 0)))
    assert {where for where, *_ in waits} == {MAIL}
    assert len(waits) >= 10_000 // AT_ONCE
