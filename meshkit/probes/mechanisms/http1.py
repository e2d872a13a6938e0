"""HTTP/1.1 (RFC 9112), the client's side of one exchange.

Strict where leniency would let a target be heard in two ways: bare line feeds, folded lines, a length that contradicts
itself or the chunks, and bytes after the end are not HTTP. Everything has a limit, and the rest is the deadline's.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any, NamedTuple, NoReturn

from meshkit.probes.io import Io
from meshkit.probes.loop import AT_ONCE, Wait, others_first
from meshkit.probes.mechanisms.request import Request
from meshkit.probes.mechanisms.stream import Stream
from meshkit.probes.reasons import Failed, one_line
from meshkit.probes.sample import Record

HEAD_LIMIT = 65536
CHUNK_LINE_LIMIT = 1024
INTERIM_LIMIT = 8
"""Answers of class 1xx before the final one."""

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n\0]*)?")
_FIELDS = re.compile(r"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)*")
_FIELD = re.compile(r"([^:\r\n]+):([^\r\n]*)\r\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")
_LENGTH = re.compile(r"[0-9]{1,15}")
_WITHOUT_BODY = frozenset({204, 304})
_SWITCHING = 101

Headers = dict[str, str]


class Answer(NamedTuple):
    """``headers`` by lower-case name; ``body`` is what was to be kept of ``length`` bytes."""

    status: int
    headers: Headers
    body: bytes
    length: int
    trailers: Headers


class Body:
    """A body as it comes: counted against a limit, and its beginning kept."""

    __slots__ = ("_keep", "_limit", "kept", "length")

    def __init__(self, limit: int, keep: int) -> None:
        self._limit, self._keep = limit, keep
        self.kept = bytearray()
        self.length = 0

    def expect(self, length: int) -> None:
        """Fail at once when so much more would be too much."""
        if self.length + length > self._limit:
            raise Failed("http_too_large", f"the answer has more than {self._limit} bytes")

    def add(self, part: bytes | bytearray) -> None:
        """Take the next part."""
        self.expect(len(part))
        self.length += len(part)
        if len(self.kept) < self._keep:
            self.kept += part[: self._keep - len(self.kept)]


def exchange(stream: Stream, io: Io, record: Record, request: Request, body: Body) -> Generator[Wait, Any, Answer]:
    """Send a request and take its answer; phases ``write``, ``processing`` and ``transfer``."""
    record.enter("write")
    yield from stream.send(request.as_http1)
    record.enter("processing")
    data = yield from stream.receive()
    record.phase_error_s = max(record.phase_error_s, io.loop.blur())
    if data:
        record.enter("transfer")
    source = Source(stream, data)
    for _ in range(INTERIM_LIMIT):
        status, headers = _head((yield from source.head()))
        if status == _SWITCHING:
            _garbage("101 without having been asked to switch")
        if status >= 200:  # noqa: PLR2004, interim answers are 1xx
            break
    else:
        _garbage(f"more than {INTERIM_LIMIT} interim answers")
    if request.method != "HEAD" and status not in _WITHOUT_BODY:
        yield from _body(source, headers, body)
    if source.data:
        _garbage("bytes after the end of the answer")
    record.leave()
    return Answer(status, headers, bytes(body.kept), body.length, {})


class Source:
    """What has come of a stream and is not read yet."""

    __slots__ = ("_pieces", "_stream", "data")

    def __init__(self, stream: Stream, data: bytes) -> None:
        self._stream = stream
        self._pieces = 0
        self.data = bytearray(data)
        if not data:
            raise Failed("closed", "the target closed the connection before it answered")

    def more(self) -> Generator[Wait, Any, None]:
        """Wait for more; Failed at the end."""
        part = yield from self._stream.receive()
        if not part:
            raise Failed("closed", "the target closed the connection within its answer")
        self.data += part

    def head(self) -> Generator[Wait, Any, bytes]:
        """Status line and header of an answer, without the empty line after them."""
        if not b"HTTP/1.".startswith(self.data[:7]):
            _garbage(repr(bytes(self.data[:40])))
        return (yield from self.until(b"\r\n\r\n", HEAD_LIMIT, "a header"))

    def until(self, mark: bytes, limit: int, what: str) -> Generator[Wait, Any, bytes]:
        """What comes before a mark, which is taken too."""
        self._pieces += 1
        if self._pieces % AT_ONCE == 0:
            yield others_first()
        data, start = self.data, 0
        while (end := data.find(mark, start, limit)) < 0:
            if len(data) >= limit:
                _garbage(f"{what} of more than {limit} bytes")
            start = max(0, len(data) - len(mark) + 1)
            yield from self.more()
        taken = bytes(data[:end])
        del data[: end + len(mark)]
        return taken

    def take(self, length: int, body: Body) -> Generator[Wait, Any, None]:
        """Move bytes into a body."""
        body.expect(length)
        while length:
            if not self.data:
                yield from self.more()
            part = self.data[:length]
            del self.data[: len(part)]
            body.add(part)
            length -= len(part)

    def drain(self, body: Body) -> Generator[Wait, Any, None]:
        """Move everything until the connection's end into a body."""
        body.add(self.data)
        self.data.clear()
        while part := (yield from self._stream.receive()):
            body.add(part)


def _head(head: bytes) -> tuple[int, Headers]:
    """Status and header of one answer; fields that come more than once are joined (RFC 9110, 5.2)."""
    line, _, block = head.partition(b"\r\n")
    match = _STATUS.fullmatch(line)
    if match is None:
        _garbage(repr(line[:40]))
    if not block:
        return int(match[1]), {}
    text = f"{block.decode('latin-1')}\r\n"
    if not _FIELDS.fullmatch(text):
        _garbage("a header that is none")
    pairs = _FIELD.findall(text)
    headers: Headers = {name.lower(): value.strip(" \t") for name, value in pairs}
    if len(headers) < len(pairs):
        headers = {}
        for name, value in pairs:
            before = headers.get(name.lower())
            stripped = value.strip(" \t")
            headers[name.lower()] = stripped if before is None else f"{before}, {stripped}"
    return int(match[1]), headers


def _body(source: Source, headers: Headers, body: Body) -> Generator[Wait, Any, None]:
    """The body, framed as RFC 9112 (6.3) says, but for contradictions, which end the probe."""
    encoding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if encoding is not None:
        if length is not None:
            _garbage("both a length and a transfer encoding")
        if encoding.lower() != "chunked":
            _garbage("a transfer encoding other than chunked")
        yield from _chunks(source, body)
    elif length is not None:
        if not _LENGTH.fullmatch(length):
            _garbage("a length that is none, or several")
        yield from source.take(int(length), body)
    else:
        yield from source.drain(body)


def _chunks(source: Source, body: Body) -> Generator[Wait, Any, None]:
    while True:
        line = yield from source.until(b"\r\n", CHUNK_LINE_LIMIT, "a chunk's size")
        match = _CHUNK.fullmatch(line)
        if match is None:
            _garbage("a chunk's size that is none")
        size = int(match[1], 16)
        if not size:
            break
        yield from source.take(size, body)
        if (yield from source.until(b"\r\n", 2, "the end of a chunk")):
            _garbage("a chunk longer than its size")
    left = HEAD_LIMIT
    while trailer := (yield from source.until(b"\r\n", left, "trailers")):
        left = max(0, left - len(trailer) - len(b"\r\n"))


def _garbage(what: str) -> NoReturn:
    raise Failed("http_garbage", one_line(f"this is not HTTP/1.1: {what}"))
