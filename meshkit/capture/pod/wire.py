"""What the program in the pod writes to its stdout: packets as they come, and from time to time how many it lost.

A record is a head of 16 bytes and its data: a packet from the IP header on, else a JSON object.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

PACKET, COUNTS, ERROR, END = 1, 2, 3, 4
KINDS = frozenset({PACKET, COUNTS, ERROR, END})
INCOMING, OUTGOING = 0, 4
"""PACKET_HOST and PACKET_OUTGOING of linux/if_packet.h, as the pod sees the packet; 1 to 3 come in too."""

HEAD = struct.Struct("!BBHIQ")
"""Kind, direction, bytes of data, length on the wire from the IP header on, nanoseconds since 1970."""

HEARTBEAT, STOP = b"h", b"q"
"""What the program reads on its stdin: that somebody is there, and that it shall finish."""

SILENCE_S = 30.0
"""Without a heartbeat for so long the program ends: whoever started it is gone."""


class Record(NamedTuple):
    """A packet as captured, or a message; times in nanoseconds."""

    kind: int
    direction: int
    length: int
    time_ns: int
    data: bytes


class UnknownRecordError(ValueError):
    """What came is not this program's."""


def message(kind: int, content: Any) -> bytes:
    """A record that is no packet."""
    data = json.dumps(content).encode()
    return HEAD.pack(kind, 0, len(data), 0, 0) + data


def content(record: Record) -> dict[str, Any]:
    """What a message says; UnknownRecordError when it is none."""
    try:
        found = json.loads(record.data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UnknownRecordError(record.data[:40])
    return found


class Reader:
    """Records out of bytes that come in any pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Record]:
        """The records that are whole by now; UnknownRecordError for what can't be one."""
        data, place = self._rest + data, 0
        while len(data) - place >= HEAD.size:
            kind, direction, size, length, time_ns = HEAD.unpack_from(data, place)
            if kind not in KINDS:
                raise UnknownRecordError(data[place : place + 40])
            end = place + HEAD.size + size
            if end > len(data):
                break
            yield Record(kind, direction, length, time_ns, data[place + HEAD.size : end])
            place = end
        self._rest = data[place:]
