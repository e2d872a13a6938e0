"""IP and TCP headers as values.

They are unpacked here and not by scapy: that takes 110 us for a packet, which is 9,000 a second, and a gateway sends
more. Lengths are the headers' own, since captures keep only the begin of a packet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from meshkit.capture.packet import Packet

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
TCP = 6
V4, V6 = 4, 6
V4_HEAD, V6_HEAD, TCP_HEAD = 20, 40, 20
FRAGMENT = 44
EXTENSIONS = frozenset({0, 43, FRAGMENT, 60})
MOST_EXTENSIONS = 8
MSS, NOP, END = 2, 1, 0
MSS_LENGTH = 4

NOT_IP, NOT_TCP, PART_OF_A_PACKET, CUT_SHORT = "not IP", "not TCP", "fragments", "cut short"

_V4 = struct.Struct("!BxHxxHxB2x4s4s")
_TCP = struct.Struct("!HHIIBBH")
Address = bytes
"""4 or 16 bytes."""


@dataclass(slots=True)
class Segment:
    """One TCP segment; ``length`` is of its payload as it was sent, ``payload`` what the capture has of it."""

    time_ns: int
    outgoing: bool | None
    source: Address
    source_port: int
    destination: Address
    destination_port: int
    sequence: int
    acknowledged: int
    flags: int
    window: int
    length: int
    payload: bytes
    mss: int | None = None


class SkippedError(ValueError):
    """A packet that can't be followed; its text is one of the reasons above."""


def segment(packet: Packet) -> Segment:
    """A packet's TCP segment; SkippedError when there is none, or it is cut too short."""
    data = packet.data
    if len(data) < V4_HEAD:
        raise SkippedError(CUT_SHORT)
    version = data[0] >> 4
    if version not in (V4, V6):
        raise SkippedError(NOT_IP)
    begin, total, source, destination = _v4(data) if version == V4 else _v6(data)
    if len(data) < begin + TCP_HEAD:
        raise SkippedError(CUT_SHORT)
    source_port, destination_port, sequence, acknowledged, offset, flags, window = _TCP.unpack_from(data, begin)
    head = begin + 4 * (offset >> 4)
    # What the sender's card cuts into segments is seen whole, and says 0 when it is larger than 64 KiB.
    end = total or packet.size
    if head < begin + TCP_HEAD or end < head:
        raise SkippedError(CUT_SHORT)
    return Segment(
        packet.time_ns,
        packet.outgoing,
        source,
        source_port,
        destination,
        destination_port,
        sequence,
        acknowledged,
        flags,
        window,
        end - head,
        data[head:end],
        _mss(data[begin + TCP_HEAD : head]) if flags & SYN else None,
    )


def _v4(data: bytes) -> tuple[int, int, Address, Address]:
    """Where TCP begins, where the packet ends by its own word, and who sends to whom."""
    first, total, fragment, protocol, source, destination = _V4.unpack_from(data)
    begin = 4 * (first & 0x0F)
    if begin < V4_HEAD:
        raise SkippedError(CUT_SHORT)
    if protocol != TCP:
        raise SkippedError(NOT_TCP)
    if fragment & 0x1FFF:
        raise SkippedError(PART_OF_A_PACKET)
    return begin, total, source, destination


def _v6(data: bytes) -> tuple[int, int, Address, Address]:
    """The same for IPv6, behind whatever extension headers there are."""
    following, begin = (data[6], V6_HEAD) if len(data) >= V6_HEAD else (0, len(data))
    for _ in range(MOST_EXTENSIONS):
        if following == TCP:
            length = int.from_bytes(data[4:6], "big")
            return begin, V6_HEAD + length if length else 0, data[8:24], data[24:40]
        if len(data) < begin + 8:
            raise SkippedError(CUT_SHORT)
        if following == FRAGMENT and int.from_bytes(data[begin + 2 : begin + 4], "big") >> 3:
            raise SkippedError(PART_OF_A_PACKET)
        if following not in EXTENSIONS:
            break
        size = 8 if following == FRAGMENT else 8 * (data[begin + 1] + 1)
        following, begin = data[begin], begin + size
    raise SkippedError(NOT_TCP)


def _mss(options: bytes) -> int | None:
    """The option's value, None where it is not there or not to be understood."""
    place = 0
    while place < len(options) and options[place] != END:
        if options[place] == NOP:
            place += 1
            continue
        length = options[place + 1] if place + 1 < len(options) else 0
        if options[place] == MSS and length == MSS_LENGTH and place + MSS_LENGTH <= len(options):
            return int.from_bytes(options[place + 2 : place + 4], "big")
        if length < 2:  # noqa: PLR2004 - kind and length themselves
            return None
        place += length
    return None
