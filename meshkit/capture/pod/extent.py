"""How far a ClientHello reaches in the first bytes of a stream, so that not one byte behind it is kept.

It comes in TLS records of the type handshake, usually one, and in any number of TCP segments (RFC 8446, 4.1.2 and 5.1).
"""

from __future__ import annotations

HANDSHAKE, MAJOR, CLIENT_HELLO = 22, 3, 1
RECORD_HEAD, HELLO_HEAD = 5, 4
LONGEST_RECORD = 1 << 14
LONGEST_HELLO = 1 << 14
"""Real ones have some hundred bytes, with a post-quantum key share two thousand."""


class Extent:
    """Follows one stream from its first byte. ``over`` once the hello has ended, or what came is none."""

    def __init__(self) -> None:
        self.over = False
        self.hello = bytearray()
        self._head = bytearray()
        self._record_left = 0
        self._whole = 0

    @property
    def complete(self) -> bool:
        """Whether ``hello`` holds all of it, with its own head of type and length."""
        return 0 < self._whole <= len(self.hello)

    def take(self, data: bytes) -> int:
        """Go on with the stream's next bytes; how many of them belong to the hello."""
        place = 0
        while place < len(data) and not self.over:
            if self._record_left:
                place += self._body(data[place : place + self._record_left])
            else:
                place += self._record(data[place : place + RECORD_HEAD - len(self._head)])
        return place

    def _record(self, data: bytes) -> int:
        """Bytes of a record's head."""
        self._head += data
        kind_and_major = bytes((HANDSHAKE, MAJOR))
        if not kind_and_major.startswith(self._head[:2]):
            self.over = True
            return 0
        if len(self._head) == RECORD_HEAD:
            self._record_left = int.from_bytes(self._head[3:], "big")
            self._head.clear()
            if not 0 < self._record_left <= LONGEST_RECORD:
                self.over = True
                return 0
        return len(data)

    def _body(self, data: bytes) -> int:
        """Bytes within a record: no more of them than the hello has."""
        before = len(self.hello)
        self.hello += data
        if self.hello[0] != CLIENT_HELLO:
            return self._refuse(before)
        if not self._whole and len(self.hello) >= HELLO_HEAD:
            self._whole = HELLO_HEAD + int.from_bytes(self.hello[1:HELLO_HEAD], "big")
            if self._whole > LONGEST_HELLO:
                return self._refuse(before)
        if self._whole:
            del self.hello[self._whole :]
            self.over = len(self.hello) == self._whole
        taken = len(self.hello) - before
        self._record_left -= taken
        return taken

    def _refuse(self, before: int) -> int:
        del self.hello[before:]
        self._whole = 0
        self.over = True
        return 0
