"""gRPC health against a real HTTP/2 server on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from h2.connection import H2Connection

from meshkit.probes.mechanisms.grpc import GrpcTarget, question
from probes import http2_server, responders
from probes.authority import Authority, server_context
from probes.http2_server import answer
from probes.once import observe

SERVING = b"\0\0\0\0\2\x08\x01"
DONE = [("grpc-status", "0")]


def _health(connection: H2Connection, stream: int, headers: dict[str, str], body: bytes) -> None:
    """What a health server says of the one service that it knows."""
    asked = headers[":method"], headers[":path"], headers["content-type"], headers["te"]
    assert asked == ("POST", "/grpc.health.v1.Health/Check", "application/grpc", "trailers")
    if body == b"\0\0\0\0\x05\x0a\x03web":
        answer(200, SERVING, trailers=DONE)(connection, stream, headers, body)
    else:
        unknown = [("grpc-status", "5"), ("grpc-message", "unknown%20service")]
        answer(200, headers=unknown)(connection, stream, headers, body)


def test_a_service_that_serves_is_ok() -> None:
    with responders.tcp(http2_server.serve(_health)) as port:
        sample = observe(GrpcTarget("127.0.0.1", port, "web"))
    assert sample.ok, sample
    assert set(sample.phases) == {"connect", "write", "processing", "transfer"}
    assert sample.facts == {"status": 200, "grpc_status": 0, "serving": "SERVING"}


def test_through_tls_it_is_the_same(tmp_path: Path) -> None:
    ca = Authority()
    context = server_context(ca.leaf(), tmp_path)
    context.set_alpn_protocols(["h2"])
    with responders.tls(context, http2_server.serve(_health)) as port:
        sample = observe(GrpcTarget("127.0.0.1", port, "web", tls=True, roots=ca.root))
    assert sample.ok, sample
    assert "tls" in sample.phases


def test_a_service_that_the_server_does_not_know_is_its_status() -> None:
    with responders.tcp(http2_server.serve(_health)) as port:
        sample = observe(GrpcTarget("127.0.0.1", port, "other"))
    assert (sample.reason, sample.detail) == ("grpc_status", "NOT_FOUND unknown service")


@pytest.mark.parametrize(
    ("status", "body", "trailers", "reason"),
    [
        pytest.param(200, b"\0\0\0\0\2\x08\x02", DONE, "grpc_not_serving", id="does not serve"),
        pytest.param(200, b"\0\0\0\0\2\x08\x03", DONE, "grpc_not_serving", id="does not know the service"),
        pytest.param(200, b"\0\0\0\0\0", DONE, "grpc_not_serving", id="says nothing, which means unknown"),
        pytest.param(200, b"", [("grpc-status", "14")], "grpc_status", id="unavailable"),
        pytest.param(200, SERVING, [], "grpc_status", id="no status at the end"),
        pytest.param(200, SERVING, [("grpc-status", "-1")], "grpc_status", id="a status that is no number"),
        pytest.param(200, SERVING, [("grpc-status", "9" * 5000)], "grpc_status", id="a status that is huge"),
        pytest.param(200, b"", DONE, "grpc_status", id="no message"),
        pytest.param(200, SERVING[:-1], DONE, "grpc_status", id="half a message"),
        pytest.param(200, SERVING + SERVING, DONE, "grpc_status", id="two messages"),
        pytest.param(200, b"\1" + SERVING[1:], DONE, "grpc_status", id="a compressed message"),
        pytest.param(200, b"\0\0\0\0\2\x12\x01", DONE, "grpc_status", id="another message"),
        pytest.param(404, b"", [], "http_status", id="no gRPC server"),
        pytest.param(403, b"RBAC: access denied", [], "denied", id="the mesh refuses"),
        pytest.param(
            200,
            b"",
            [("grpc-status", "7"), ("grpc-message", "RBAC: access denied")],
            "denied",
            id="the mesh refuses as gRPC does",
        ),
    ],
)
def test_each_answer_that_is_not_serving_has_its_reason(
    status: int, body: bytes, trailers: Sequence[tuple[str, str]], reason: str
) -> None:
    with responders.tcp(http2_server.serve(answer(status, body, trailers=trailers))) as port:
        assert observe(GrpcTarget("127.0.0.1", port)).reason == reason


def test_an_http11_server_is_garbage_and_a_silent_one_times_out() -> None:
    with responders.tcp(responders.http(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert observe(GrpcTarget("127.0.0.1", port)).reason == "http_garbage"
    with responders.tcp(responders.stay) as port:
        assert observe(GrpcTarget("127.0.0.1", port), timeout_s=0.2).reason == "timeout_processing"


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("", b""),
        ("web", b"\x0a\x03web"),
        ("a" * 127, b"\x0a\x7f" + b"a" * 127),
        ("a" * 300, b"\x0a\xac\x02" + b"a" * 300),
    ],
)
def test_the_question_is_the_message_that_protobuf_writes(service: str, message: bytes) -> None:
    assert question(service) == b"\0" + len(message).to_bytes(4, "big") + message
