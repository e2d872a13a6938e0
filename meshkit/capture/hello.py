"""What a client says before anything is encrypted: the name it asks for (SNI), protocols (ALPN) and TLS versions.

RFC 8446 4.1.2, RFC 6066 3, RFC 7301. Values that GREASE (RFC 8701) strews in are left out. Names are foreign text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from meshkit.capture.pod.extent import Extent

SERVER_NAME, ALPN, SUPPORTED_VERSIONS = 0, 16, 43
HOST_NAME = 0
VERSIONS = {0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
GREASE = frozenset(0x0A0A + 0x1010 * n for n in range(16))
HEAD, RANDOM = 4, 32

COMPLETE, AWAITED, NOT_TLS, CUT = "complete", "awaited", "not TLS", "cut"
"""How far a hello is: whole, still coming, no hello at all, or with a part that the capture does not have."""


@dataclass(frozen=True)
class Hello:
    """``server_name`` is empty when none is asked for; ``versions`` are those offered, the best first."""

    server_name: str = ""
    protocols: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()


class MalformedError(ValueError):
    """It begins as a ClientHello, and is none."""


class _Bytes:
    """Reads on in bytes that may end too early: then MalformedError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def __bool__(self) -> bool:
        return self._place < len(self._data)

    def take(self, size: int) -> bytes:
        found = self._data[self._place : self._place + size]
        if len(found) < size:
            raise MalformedError("it ends too early")
        self._place += size
        return found

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> _Bytes:
        """What follows a length of so many bytes."""
        return _Bytes(self.take(self.number(size)))

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._place)


def parse(message: bytes) -> Hello:
    """A whole ClientHello with its head of type and length; MalformedError when it is none."""
    body = _Bytes(message)
    body.take(HEAD)
    legacy = body.number(2)
    if legacy not in VERSIONS and legacy not in GREASE:
        raise MalformedError(f"there is no TLS version {legacy:#06x}")
    body.take(RANDOM)
    body.vector(1)
    body.vector(2)
    body.vector(1)
    name, protocols, versions = "", tuple[str, ...](), tuple[str, ...]()
    for kind, content in _extensions(body):
        if kind == SERVER_NAME:
            name = _server_name(content)
        elif kind == ALPN:
            protocols = tuple(_protocols(content.vector(2)))
        elif kind == SUPPORTED_VERSIONS:
            versions = tuple(_versions(content.vector(1)))
    return Hello(name, protocols, versions or tuple(v for n, v in VERSIONS.items() if n == legacy))


def _extensions(body: _Bytes) -> Iterator[tuple[int, _Bytes]]:
    """None at all is allowed; an empty content too."""
    extensions = body.vector(2) if body else _Bytes(b"")
    while extensions:
        kind = extensions.number(2)
        content = extensions.vector(2)
        if content:
            yield kind, content


def _server_name(content: _Bytes) -> str:
    names = content.vector(2)
    while names:
        kind, name = names.number(1), names.vector(2).rest()
        if kind == HOST_NAME:
            return name.decode("ascii", "backslashreplace")
    return ""


def _protocols(names: _Bytes) -> Iterator[str]:
    while names:
        name = names.vector(1).rest()
        if len(name) != 2 or int.from_bytes(name, "big") not in GREASE:  # noqa: PLR2004 - GREASE has two bytes
            yield name.decode("utf-8", "backslashreplace")


def _versions(offered: _Bytes) -> Iterator[str]:
    while offered:
        number = offered.number(2)
        if number not in GREASE:
            yield VERSIONS.get(number, f"{number:#06x}")


class HelloReader:
    """Puts a stream's first bytes together until the hello is whole. Segments may come in any order."""

    MOST_EARLY = 8

    def __init__(self) -> None:
        self.state = AWAITED
        self.hello: Hello | None = None
        self._extent = Extent()
        self._next = 0
        self._early: dict[int, tuple[bytes, int]] = {}

    @property
    def started(self) -> bool:
        """Whether a part of it has come."""
        return self._next > 0

    def feed(self, offset: int, payload: bytes, length: int) -> None:
        """A segment ``offset`` bytes behind the stream's begin; of its ``length`` the capture has ``payload``."""
        if self.state != AWAITED or offset + length <= self._next:
            return
        if offset > self._next:
            if len(self._early) < self.MOST_EARLY:
                self._early[offset] = payload, length
            return
        self._take(payload[self._next - offset :], length - (self._next - offset))
        while self.state == AWAITED and self._next in self._early:
            self._take(*self._early.pop(self._next))

    def _take(self, payload: bytes, length: int) -> None:
        self._extent.take(payload)
        self._next += length
        if self._extent.complete:
            self._decode()
        elif self._extent.over:
            self.state = NOT_TLS
        elif len(payload) < length:
            self.state = CUT

    def _decode(self) -> None:
        try:
            self.hello = parse(bytes(self._extent.hello))
        except MalformedError:
            self.state = NOT_TLS
        else:
            self.state = COMPLETE
