"""HTTP/2 against a real server on loopback, and against what only looks like one."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from h2.connection import H2Connection
from h2.errors import ErrorCodes

from meshkit.probes.loop import AT_ONCE
from meshkit.probes.mechanisms.http import HttpTarget
from meshkit.probes.mechanisms.http1 import Body
from meshkit.probes.mechanisms.http2 import Call
from meshkit.probes.mechanisms.request import build
from probes import http2_server, responders
from probes.authority import Authority, server_context
from probes.http2_server import frame
from probes.once import observe, patience_s

GOAWAY, SETTINGS, HEADERS, CONTINUATION, DATA, PING = 7, 4, 1, 9, 0, 6
END_STREAM, END_HEADERS = 1, 4
OK = b"\x88"
""":status 200 in HPACK's static table."""


def _target(port: int, **values: object) -> HttpTarget:
    return HttpTarget(f"http://127.0.0.1:{port}/", version="2", **values)


def _raw(*frames: bytes) -> Callable[[socket.socket], None]:
    """These frames, whatever is asked."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"".join(frames))
        responders.stay(connection)

    return serve


def test_a_request_in_the_clear_has_its_phases_and_its_answer() -> None:
    reply = http2_server.answer(200, b"hello", headers=[("content-length", "5")])
    with responders.tcp(http2_server.serve(reply)) as port:
        sample = observe(_target(port, contains="hello"))
    assert sample.ok, sample
    assert set(sample.phases) == {"connect", "write", "processing", "transfer"}
    assert sample.facts == {"status": 200, "body_bytes": 5}
    assert sample.rtt_source == "kernel"


def test_through_tls_the_protocol_is_negotiated(tmp_path: Path) -> None:
    ca = Authority()
    context = server_context(ca.leaf(), tmp_path)
    context.set_alpn_protocols(["h2"])
    with responders.tls(context, http2_server.serve(http2_server.answer(200))) as port:
        sample = observe(HttpTarget(f"https://127.0.0.1:{port}/", version="2", roots=ca.root))
    assert sample.ok, sample
    assert sample.facts["tls"]["alpn"] == "h2"


def test_a_server_that_knows_only_http11_refuses_in_the_handshake(tmp_path: Path) -> None:
    ca = Authority()
    with responders.tls(server_context(ca.leaf(), tmp_path), responders.stay) as port:
        sample = observe(HttpTarget(f"https://127.0.0.1:{port}/", version="2", roots=ca.root))
    assert (sample.reason, set(sample.phases)) == ("tls_alpn", {"connect", "tls"})


def test_large_bodies_pass_both_ways_through_the_windows() -> None:
    got: list[int] = []

    def reply(connection: H2Connection, stream: int, headers: dict[str, str], body: bytes) -> None:
        got.append(len(body))
        http2_server.answer(200, headers[":method"].encode())(connection, stream, headers, body)

    with responders.tcp(http2_server.serve(reply)) as port:
        assert observe(_target(port, method="POST", body="x" * 300_000, contains="POST")).ok
    assert got == [300_000]
    with responders.tcp(http2_server.streaming(700_000)) as port:
        sample = observe(_target(port))
    assert sample.ok, sample
    assert sample.facts["body_bytes"] == 700_000


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_large_bodies_pass_through_tls(tmp_path: Path, version: str) -> None:
    ca, size = Authority(), 3_000_000

    def serve(connection: socket.socket) -> None:
        if version == "2":
            http2_server.serve(lambda *asked: http2_server.answer(200, str(len(asked[3])).encode())(*asked))(connection)
            return
        came = responders.read_head(connection)
        while len(came.partition(b"\r\n\r\n")[2]) < size:
            came += connection.recv(1 << 20)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n%d" % size)

    context = server_context(ca.leaf(), tmp_path)
    context.set_alpn_protocols(["h2" if version == "2" else "http/1.1"])
    with responders.tls(context, serve) as port:
        body, wanted = "x" * size, str(size)
        url = f"https://127.0.0.1:{port}/"
        sample = observe(
            HttpTarget(url, method="POST", body=body, version=version, contains=wanted, roots=ca.root), timeout_s=20.0
        )
    assert sample.ok, sample


def test_an_endless_body_ends_at_the_limit() -> None:
    with responders.tcp(http2_server.streaming(1 << 60)) as port:
        assert observe(_target(port)).reason == "http_too_large"


def test_a_server_that_drains_still_answers_what_it_has_accepted() -> None:
    goaway = frame(GOAWAY, (1).to_bytes(4, "big") + bytes(4))
    answer = frame(HEADERS, OK, flags=END_HEADERS | END_STREAM, stream=1)
    with responders.tcp(_raw(frame(SETTINGS), goaway, answer)) as port:
        assert observe(_target(port)).ok


def _reset(connection: H2Connection, stream: int, _headers: dict[str, str], _body: bytes) -> None:
    connection.reset_stream(stream, ErrorCodes.REFUSED_STREAM)


def _half(connection: H2Connection, stream: int, _headers: dict[str, str], _body: bytes) -> None:
    connection.send_headers(stream, [(":status", "200")])


def _short(connection: H2Connection, stream: int, _headers: dict[str, str], _body: bytes) -> None:
    connection.send_headers(stream, [(":status", "200"), ("content-length", "10")])
    connection.send_data(stream, b"x", end_stream=True)


ASKED = {"connect", "write"}


@pytest.mark.parametrize(
    ("serve", "reason", "phases"),
    [
        pytest.param(responders.stay, "timeout_processing", ASKED, id="accepts and stays silent"),
        pytest.param(_raw(frame(SETTINGS)), "timeout_processing", ASKED, id="greets and stays silent"),
        pytest.param(http2_server.serve(_half), "timeout_transfer", ASKED | {"processing"}, id="stops in the answer"),
        pytest.param(http2_server.serve(_reset), "reset", ASKED, id="resets the stream"),
        pytest.param(lambda c: c.recv(65536) and None, "closed", ASKED, id="closes"),
        pytest.param(
            _raw(frame(SETTINGS), frame(GOAWAY, bytes(4) + (11).to_bytes(4, "big"))), "closed", ASKED, id="goes away"
        ),
        pytest.param(
            _raw(frame(SETTINGS), frame(GOAWAY, bytes(8))), "closed", ASKED, id="drains without taking the request"
        ),
        pytest.param(_raw(frame(SETTINGS), frame(GOAWAY)), "closed", ASKED, id="goes away without a word"),
        pytest.param(
            _raw(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), "http_garbage", ASKED, id="answers HTTP/1.1"
        ),
        pytest.param(_raw(b"\x00\x00\x05\x00rubbish and more of it"), "http_garbage", ASKED, id="answers rubbish"),
        pytest.param(
            _raw(frame(SETTINGS), b"\x10\x00\x00" + bytes(30)), "http_garbage", ASKED, id="a frame over the limit"
        ),
        pytest.param(
            _raw(frame(SETTINGS), frame(HEADERS, b"\xff\xff\xff", flags=END_HEADERS, stream=1)),
            "http_garbage",
            ASKED,
            id="a header that can't be decoded",
        ),
        pytest.param(
            _raw(
                frame(SETTINGS),
                frame(HEADERS, b"", stream=1),
                *[frame(CONTINUATION, b"", stream=1) for _ in range(1000)],
            ),
            "http_garbage",
            ASKED,
            id="a header without an end",
        ),
        pytest.param(
            _raw(frame(SETTINGS), frame(DATA, b"x", stream=1)), "http_garbage", ASKED, id="a body before the header"
        ),
        pytest.param(
            _raw(frame(SETTINGS), frame(HEADERS, OK, flags=END_HEADERS, stream=2)),
            "http_garbage",
            ASKED,
            id="an answer to nothing asked",
        ),
        pytest.param(http2_server.serve(_short), "http_garbage", ASKED, id="a body shorter than it says"),
    ],
)
def test_each_fault_has_its_reason_and_only_the_phases_that_were_reached(
    serve: Callable[[socket.socket], None], reason: str, phases: set[str]
) -> None:
    with responders.tcp(serve) as port:
        sample = observe(_target(port), timeout_s=patience_s(reason))
    assert (sample.reason, set(sample.phases)) == (reason, phases), sample
    assert sample.rtt_s is not None
    assert sample.rtt_s > 0


def test_the_meshs_refusal_is_told_from_the_services() -> None:
    for body, reason in ((b"RBAC: access denied", "denied"), (b"no", "http_status")):
        with responders.tcp(http2_server.serve(http2_server.answer(403, body))) as port:
            assert observe(_target(port)).reason == reason


def test_a_flood_of_frames_is_taken_in_pieces_so_that_other_probes_have_their_turn() -> None:
    call = Call(build("GET", "http://eks/", (), ""), Body(1 << 20, 0))
    pings = 10 * AT_ONCE
    call.came(frame(SETTINGS) + frame(PING, bytes(8)) * (pings - 1))
    turns = 0
    while call.advance():
        turns += 1
        assert len(call.outgoing()) <= (AT_ONCE + 2) * len(frame(PING, bytes(8))) + 200
    assert turns == pings // AT_ONCE


def test_an_answer_after_a_flood_is_an_answer() -> None:
    flood = frame(SETTINGS) + frame(PING, bytes(8)) * 5000
    with responders.tcp(_raw(flood, frame(HEADERS, OK, flags=END_STREAM | END_HEADERS, stream=1))) as port:
        sample = observe(_target(port))
    assert sample.ok, sample
