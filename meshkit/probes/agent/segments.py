"""A bounded history: lines in compressed segments of a fixed size, of which the oldest makes way for the newest.

A segment is one gzip stream that grows line by line and knows its exact size at any time (Z_SYNC_FLUSH), so it is full
when the ConfigMap that holds it would be, and consecutive windows, which are alike, share a dictionary. Segments are
numbered by the time they began, never twice the same, so that their order needs no other record.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from time import time

GZIP = 16 + zlib.MAX_WBITS
END_BYTES = 64
"""Room for what ends a stream."""

TOGETHER = 50
"""Lines that are compressed in one go."""

EXPANDED = 64
"""A segment's lines are at most this many times its size, whatever a damaged one claims."""


class Segment:
    """Lines, compressed. ``number`` orders segments; ``dirty`` until ``content`` was stored elsewhere."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.dirty = False
        self.lines = 0
        self._data = b""
        self._stream = zlib.compressobj(6, wbits=GZIP)

    def add(self, lines: Sequence[bytes], limit: int) -> bool:
        """Add lines; False, and none of them added, when they don't fit."""
        before = self._stream.copy()
        more = self._stream.compress(b"".join(line + b"\n" for line in lines)) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        if len(self._data) + len(more) + END_BYTES > limit:
            self._stream = before
            return False
        self._data += more
        self.lines += len(lines)
        self.dirty = True
        return True

    def content(self) -> bytes:
        """As a complete gzip file."""
        return self._data + self._stream.copy().flush(zlib.Z_FINISH)


class Segments:
    """The newest lines, in at most ``count`` segments of at most ``size`` bytes. Not for use from several threads."""

    def __init__(self, count: int, size: int) -> None:
        self._count, self._size = count, size
        self.all: list[Segment] = []
        self.left_out = 0

    def add(self, lines: Sequence[bytes]) -> list[tuple[int, list[bytes]]]:
        """Add lines; returns the number of the segment that each part of them went to."""
        placed = []
        for begin in range(0, len(lines), TOGETHER):
            placed += self._place(list(lines[begin : begin + TOGETHER]))
        return placed

    def _place(self, lines: list[bytes]) -> list[tuple[int, list[bytes]]]:
        """Into the newest segment, else a new one, else by halves; a line too large for any is left out."""
        if self.all and self.all[-1].add(lines, self._size):
            return [(self.all[-1].number, lines)]
        fresh = Segment(self.following())
        if fresh.add(lines, self._size):
            self.all = [*self.all, fresh][-self._count :]
            return [(fresh.number, lines)]
        if len(lines) == 1:
            self.left_out += 1
            return []
        middle = len(lines) // 2
        return self._place(lines[:middle]) + self._place(lines[middle:])

    def following(self) -> int:
        """The number of a segment that begins now."""
        now = int(time() * 1000)
        return max(now, self.all[-1].number + 1) if self.all else now

    def restore(self, number: int, lines: Sequence[bytes], *, dirty: bool) -> None:
        """Take in what an earlier life stored; where both have a part of the same segment, both parts."""
        mine = next((segment for segment in self.all if segment.number == number), None)
        if mine is not None:
            ours = lines_of(mine.content(), EXPANDED * self._size)
            together = list(dict.fromkeys([*lines, *ours]))
            if len(together) == len(ours):
                return
            lines, dirty = together, True
        segment = Segment(number)
        while not segment.add(lines, self._size):  # the limit was larger then
            self.left_out += (len(lines) + 1) // 2
            lines = lines[(len(lines) + 1) // 2 :]
        segment.dirty = dirty
        others = [segment for segment in self.all if segment is not mine]
        self.all = sorted([*others, segment], key=lambda s: s.number)[-self._count :]


def lines_of(content: bytes, limit: int) -> list[bytes]:
    """The lines of a gzip file; those before the damage when it is damaged, and at most ``limit`` bytes of them."""
    got = b""
    stream = zlib.decompressobj(wbits=GZIP)
    try:
        got = stream.decompress(content, limit)
    except zlib.error:
        got = _before_damage(content, limit)
    return [line for line in got.split(b"\n")[:-1] if line]


def _before_damage(content: bytes, limit: int) -> bytes:
    stream, got = zlib.decompressobj(wbits=GZIP), b""
    for begin in range(0, len(content), 256):
        try:
            got += stream.decompress(content[begin : begin + 256])
        except zlib.error:
            break
        if len(got) > limit:
            break
    return got
