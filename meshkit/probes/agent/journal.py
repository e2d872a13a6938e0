"""The segments' lines on the pod's own disk, so that what was not stored yet survives the container.

One file per segment, a line per summary with a checksum before it. A process killed in mid-write leaves a torn last
line, which is ignored; a disk that is full or gone is told once and costs the copy, never the probing. There is no
fsync: the kernel outlives the container, and a lost node takes an emptyDir with it anyway.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from meshkit.probes.agent.log import Log

PREFIX, SUFFIX = "segment-", ".jsonl"
CHECKSUM = 8


class Journal:
    """A folder of segment files, at most ``count`` of them."""

    def __init__(self, folder: Path, count: int, log: Log) -> None:
        self._folder, self._count, self._log = folder, count, log
        self._file: BinaryIO | None = None
        self._number = -1
        self.failures = 0

    def append(self, number: int, lines: Sequence[bytes]) -> None:
        """Write lines of a segment."""
        try:
            if number != self._number or self._file is None:
                self._open(number)
            if self._file is not None:
                self._file.write(b"".join(b"%08x %b\n" % (zlib.crc32(line), line) for line in lines))
                self._file.flush()
        except OSError as error:
            self.failures += 1
            self._log.event("journal_failed", error=error.strerror)
            self.close()

    def close(self) -> None:
        """No more lines, for now."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                return  # the disk is full, which was told

    def read(self) -> dict[int, list[bytes]]:
        """The lines of each segment that are whole, oldest segment first."""
        found = {}
        try:
            for number, path in self._files():
                found[number] = [line for line in map(_whole, path.read_bytes().split(b"\n")) if line is not None]
        except OSError as error:
            self._log.event("journal_not_read", error=error.strerror)
        return found

    def _open(self, number: int) -> None:
        """Go on with a segment's file, after what an earlier process may have left torn; remove the oldest."""
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{PREFIX}{number}{SUFFIX}"
        self._file = path.open("ab")
        self._number = number
        if path.stat().st_size:
            self._file.write(b"\n")  # ends a torn line; an empty one is none
        for _, old in self._files()[: -self._count]:
            old.unlink(missing_ok=True)

    def _files(self) -> list[tuple[int, Path]]:
        names = ((path.name[len(PREFIX) : -len(SUFFIX)], path) for path in self._folder.glob(f"{PREFIX}*{SUFFIX}"))
        return sorted((int(name), path) for name, path in names if name.isdigit())


def _whole(line: bytes) -> bytes | None:
    """A line without its checksum, None when it is torn."""
    checksum, _, content = line.partition(b" ")
    try:
        whole = len(checksum) == CHECKSUM and int(checksum, 16) == zlib.crc32(content)
    except ValueError:
        return None
    return content if whole else None
