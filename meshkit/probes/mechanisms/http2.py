"""HTTP/2 (RFC 9113), the client's side of one exchange; the protocol's state is h2's.

Frames are cut here, since h2 takes a GOAWAY for the end of everything, while a server that shuts down gracefully
(Envoy, when it drains) sends one and then answers what it has already accepted.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from typing import Any

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from meshkit.probes.io import Io
from meshkit.probes.loop import AT_ONCE, Wait, others_first
from meshkit.probes.mechanisms.http1 import HEAD_LIMIT, Answer, Body, Headers
from meshkit.probes.mechanisms.request import Request
from meshkit.probes.mechanisms.stream import Stream
from meshkit.probes.reasons import Failed, one_line
from meshkit.probes.sample import Record

STREAM = 1
FRAME_HEAD = 9
FRAME_LIMIT = 16384
SETTINGS, GOAWAY = 4, 7
"""Frame types, and the largest payload that we allow (RFC 9113, 6.5.2)."""


def exchange(stream: Stream, io: Io, record: Record, request: Request, body: Body) -> Generator[Wait, Any, Answer]:
    """Send a request and take its answer; phases ``write``, ``processing`` (up to its header) and ``transfer``."""
    record.enter("write")
    call = Call(request, body)
    yield from stream.send(call.outgoing())
    record.enter("processing")
    while not call.ended:
        data = yield from stream.receive()
        if not data:
            raise Failed("closed", "the target closed the connection before the end of its answer")
        call.came(data)
        while True:
            began = call.status
            more = call.advance()
            if not began and call.status:
                record.phase_error_s = max(record.phase_error_s, io.loop.blur())
                record.enter("transfer")
            if answer := call.outgoing():
                yield from stream.send(answer)
            if not more:
                break
            yield others_first()
    record.leave()
    return Answer(call.status, call.headers, bytes(body.kept), body.length, call.trailers)


class Call:
    """One request and its answer on a connection of its own."""

    def __init__(self, request: Request, body: Body) -> None:
        self.status = 0
        self.headers: Headers = {}
        self.trailers: Headers = {}
        self.ended = False
        self._left = memoryview(request.body)
        self._body = body
        self._came = bytearray()
        self._first = True
        self._connection = connection = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        settings = {SettingCodes.ENABLE_PUSH: 0, SettingCodes.MAX_HEADER_LIST_SIZE: HEAD_LIMIT}
        connection.local_settings = Settings(client=True, initial_values=settings)
        connection.initiate_connection()
        connection.send_headers(STREAM, request.as_http2, end_stream=not request.body)

    def outgoing(self) -> bytes:
        """What is to be sent now: as much of the body as the target's windows take, and h2's own frames."""
        while self._left and not self.ended:
            connection = self._connection
            room = min(connection.local_flow_control_window(STREAM), connection.max_outbound_frame_size)
            if room <= 0:
                break
            part, self._left = self._left[:room], self._left[room:]
            connection.send_data(STREAM, bytes(part), end_stream=not self._left)
        return self._connection.data_to_send()

    def came(self, data: bytes) -> None:
        """Keep what the target sent, to ``advance`` by."""
        self._came += data

    def advance(self) -> bool:
        """Take some of what came; whether there may be more. Failed when it is not HTTP/2, or the answer breaks off."""
        taken = 0
        try:
            for kind, frame in islice(self._frames(), AT_ONCE):
                taken += 1
                if kind == GOAWAY:
                    _check_goaway(frame)
                    continue
                for event in self._connection.receive_data(frame):
                    self._take(event)
        except ProtocolError as error:
            raise Failed("http_garbage", one_line(f"this is not HTTP/2: {error}")) from error
        return taken == AT_ONCE

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """Whole frames with their type, until the answer has ended; the first must be SETTINGS."""
        came = self._came
        while len(came) >= FRAME_HEAD and not self.ended:
            length, kind = int.from_bytes(came[:3], "big"), came[3]
            if length > FRAME_LIMIT or (self._first and kind != SETTINGS):
                raise Failed("http_garbage", one_line(f"this is not HTTP/2: {bytes(came[:40])!r}"))
            if len(came) < FRAME_HEAD + length:
                return
            self._first = False
            frame = bytes(came[: FRAME_HEAD + length])
            del came[: FRAME_HEAD + length]
            yield kind, frame

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.ResponseReceived):
            self.headers = _decoded(event.headers)
            self.status = _status(self.headers.get(":status", ""))
        elif isinstance(event, events.DataReceived):
            self._body.add(event.data or b"")
            if event.flow_controlled_length:
                self._connection.acknowledge_received_data(event.flow_controlled_length, STREAM)
        elif isinstance(event, events.TrailersReceived):
            self.trailers = _decoded(event.headers)
        elif isinstance(event, events.StreamEnded):
            self.ended = True
        elif isinstance(event, events.StreamReset):
            raise Failed("reset", f"the target reset the stream: {_error(int(event.error_code or 0))}")


def _check_goaway(frame: bytes) -> None:
    """Failed unless the target goes on with our stream (RFC 9113, 6.8)."""
    payload = frame[FRAME_HEAD:]
    last, code = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, int.from_bytes(payload[4:8], "big")
    if code or last < STREAM:
        raise Failed("closed", f"the target went away: {_error(code)}")


def _error(code: int) -> str:
    try:
        return ErrorCodes(code).name
    except ValueError:
        return str(code)


def _status(text: str) -> int:
    if len(text) == 3 and text.isascii() and text.isdigit():  # noqa: PLR2004, RFC 9110, 15
        return int(text)
    raise Failed("http_garbage", "this is not HTTP/2: an answer without a status")


def _decoded(headers: Sequence[Any] | None) -> Headers:
    found: Headers = {}
    for name, value in headers or ():
        found.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return found
