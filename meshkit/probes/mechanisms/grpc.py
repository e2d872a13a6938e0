"""gRPC health (grpc.health.v1.Health/Check) over HTTP/2.

Its two messages have one field each, so they are written and read here by hand.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import unquote

from meshkit.probes.io import Io
from meshkit.probes.loop import Steps, Wait
from meshkit.probes.mechanisms import http2
from meshkit.probes.mechanisms.http import is_denial
from meshkit.probes.mechanisms.http1 import Answer, Body
from meshkit.probes.mechanisms.request import Request, authority
from meshkit.probes.mechanisms.secure import Offer, Trust, dial
from meshkit.probes.mechanisms.tls import RBAC_DENIED, check_alpn
from meshkit.probes.reasons import Failed, one_line
from meshkit.probes.sample import Record

PATH = "/grpc.health.v1.Health/Check"
ALPN = ("h2",)
FIELDS = (("te", "trailers"), ("content-type", "application/grpc"), ("user-agent", "meshkit-probe"))
MESSAGE_LIMIT = 65536
GOOD = 200
SERVING = 1
SERVICE_FIELD, STATUS_FIELD = 0x0A, 0x08
"""Keys on the wire: field 1 of the request is a string, of the answer an enumeration."""

STATES = {0: "UNKNOWN", SERVING: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
CODES = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    10: "ABORTED",
    11: "OUT_OF_RANGE",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    15: "DATA_LOSS",
    16: "UNAUTHENTICATED",
}


@dataclass(frozen=True)
class GrpcTarget(Trust):
    """A host, a port and the service asked about (empty for the whole server); in the clear unless ``tls``."""

    host: str
    port: int
    service: str = ""
    tls: bool = False
    mechanism: ClassVar[str] = "grpc"

    @cached_property
    def _request(self) -> Request:
        told = self.server_name or authority(self.tls, self.host, self.port)
        return Request("POST", self.tls, self.host, self.port, told, PATH, FIELDS, question(self.service))

    def observe(self, io: Io, record: Record) -> Steps:
        """Ask for the service's health."""
        answer = yield from self._ask(io, record)
        record.facts["status"] = answer.status
        if is_denial(answer):
            raise Failed("denied", one_line(RBAC_DENIED.decode()))
        if answer.status != GOOD:
            raise Failed("http_status", f"status {answer.status}")
        _check_status(record, answer.trailers or answer.headers)
        state = _state(answer.body)
        record.facts["serving"] = STATES.get(state, str(state))
        if state != SERVING:
            raise Failed("grpc_not_serving", record.facts["serving"])

    def _ask(self, io: Io, record: Record) -> Generator[Wait, Any, Answer]:
        offer = Offer(self, self.host, ALPN) if self.tls else None
        stream = yield from dial(io, record, self.host, self.port, offer)
        try:
            check_alpn(stream, ALPN)
            body = Body(MESSAGE_LIMIT, MESSAGE_LIMIT)
            return (yield from http2.exchange(stream, io, record, self._request, body))
        finally:
            stream.close()


def question(service: str) -> bytes:
    """A HealthCheckRequest as a length-prefixed message."""
    name = service.encode()
    message = bytes([SERVICE_FIELD]) + _varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _check_status(record: Record, trailers: dict[str, str]) -> None:
    """Failed unless the call ended with OK."""
    text = trailers.get("grpc-status", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 3):  # noqa: PLR2004, far more than the highest code
        raise Failed("grpc_status", "the answer has no grpc-status")
    code = int(text)
    record.facts["grpc_status"] = code
    if code:
        said = unquote(trailers.get("grpc-message", ""))
        if said.startswith(RBAC_DENIED.decode()):
            raise Failed("denied", one_line(said))
        raise Failed("grpc_status", one_line(f"{CODES.get(code, code)} {said}"))


def _state(body: bytes) -> int:
    """The status in a HealthCheckResponse; a field that is left out is 0."""
    message = body[5:]
    if len(body) < 5 or body[0] or int.from_bytes(body[1:5], "big") != len(message):  # noqa: PLR2004, the prefix
        raise Failed("grpc_status", "the answer is not one whole message")
    if not message:
        return 0
    if len(message) != 2 or message[0] != STATUS_FIELD or message[1] & 0x80:  # noqa: PLR2004, a key and a small number
        raise Failed("grpc_status", "the answer is not a health message")
    return message[1]


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:  # noqa: PLR2004, seven bits an octet
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
