"""UDP echo (RFC 862): a datagram with a random beginning, and the same back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from meshkit.probes.datagram import Datagram
from meshkit.probes.io import Io
from meshkit.probes.loop import Steps
from meshkit.probes.reasons import Failed, one_line
from meshkit.probes.sample import Record

MARK = b"meshkit-udp-echo"
ID_LENGTH = 16
SMALLEST = len(MARK) + ID_LENGTH
LARGEST = 65507


@dataclass(frozen=True)
class UdpTarget:
    """A host name or address, the port of an echo service, and the payload's size in bytes."""

    host: str
    port: int
    size: int = 64
    mechanism: ClassVar[str] = "udp"

    def __post_init__(self) -> None:
        """Refuse what no datagram can carry."""
        if not SMALLEST <= self.size <= LARGEST:
            raise ValueError(f"udp: size is {self.size}, not between {SMALLEST} and {LARGEST}")

    def observe(self, io: Io, record: Record) -> Steps:
        """Send, and wait for the echo; datagrams of others, and late echoes of earlier probes, are passed over."""
        address = yield from io.resolve(record, self.host, self.port)
        record.enter("reply")
        payload = (MARK + os.urandom(ID_LENGTH)).ljust(self.size, b"\x00")
        datagram = Datagram(io.loop, address)
        try:
            datagram.send(payload)
            while True:
                data, other = yield from datagram.receive()
                if data == payload and not other:
                    break
                if not other and not _is_earlier(data, payload):
                    raise Failed("reply_garbage", one_line(f"not an echo: {data[:80]!r}"))
                record.facts["strays"] = record.facts.get("strays", 0) + 1
            datagram.measure(record)
            record.leave()
        finally:
            datagram.close()


def _is_earlier(data: bytes, payload: bytes) -> bool:
    """Whether this is a whole echo of another probe: its source port may have been ours before."""
    return data.startswith(MARK) and len(data) == len(payload) and data[:SMALLEST] != payload[:SMALLEST]
