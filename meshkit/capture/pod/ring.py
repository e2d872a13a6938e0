"""Packets of all the pod's interfaces, through memory that the kernel shares: no system call for each of them.

Where the program is too slow the kernel drops packets and counts them, and no memory grows.
https://www.kernel.org/doc/html/latest/networking/packet_mmap.html, TPACKET_V3.
"""

from __future__ import annotations

import mmap
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple, Self

from meshkit.probes import bpf

SOL_PACKET, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION = 263, 5, 6, 10
TPACKET_V3 = 2
EVERY_PROTOCOL = 3
BLOCK, BLOCKS, FRAME = 1 << 18, 32, 1 << 11
"""8 MiB in all: 80,000 headers, which is a second of a busy gateway."""

RETIRE_MS = 100
"""A block is handed over after so long, though it is not full."""

STATUS = struct.Struct("=I")
BLOCK_HEAD = struct.Struct("=8xIII")
"""Status, packets, and where the first begins."""

PACKET_HEAD = struct.Struct("=IIIIIIH32xB")
"""Next, seconds, nanoseconds, captured, length, status, begin; after 32 bytes the direction, out of sockaddr_ll."""

COUNTS = struct.Struct("=III")
MINE = 1


class Taken(NamedTuple):
    """One packet, from its IP header on."""

    time_ns: int
    direction: int
    length: int
    data: bytes


class Ring:
    """Needs CAP_NET_RAW; OSError without, or where the kernel has no packet sockets."""

    def __init__(self, program: bpf.Program) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(EVERY_PROTOCOL))
        try:
            bpf.attach(self._socket, program)
            self._socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
            frames = BLOCK // FRAME * BLOCKS
            # Packets that came before the filter was in place are thrown away by this call.
            request = struct.pack("=7I", BLOCK, BLOCKS, FRAME, frames, RETIRE_MS, 0, 0)
            self._socket.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
            self._memory = mmap.mmap(self._socket.fileno(), BLOCK * BLOCKS)
        except OSError:
            self._socket.close()
            raise
        self._next = 0
        self._seen = self._dropped = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.close()
        self._socket.close()

    def fileno(self) -> int:
        """For poll()."""
        return self._socket.fileno()

    def packets(self) -> Iterator[Taken]:
        """What has come since; each block goes back to the kernel as soon as it is read."""
        while True:
            begin = self._next * BLOCK
            status, count, first = BLOCK_HEAD.unpack_from(self._memory, begin)
            if not status & MINE:
                return
            place = begin + first
            for _ in range(count):
                following, seconds, nanoseconds, captured, length, _, offset, direction = PACKET_HEAD.unpack_from(
                    self._memory, place
                )
                data = self._memory[place + offset : place + offset + captured]
                yield Taken(seconds * 1_000_000_000 + nanoseconds, direction, length, data)
                place += following
            STATUS.pack_into(self._memory, begin + 8, 0)
            self._next = (self._next + 1) % BLOCKS

    def counts(self) -> tuple[int, int]:
        """Packets that passed the filter, and how many of them the kernel had to drop. Reading resets the kernel's."""
        seen, dropped, _ = COUNTS.unpack(self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, COUNTS.size))
        self._seen += seen
        self._dropped += dropped
        return self._seen, self._dropped
