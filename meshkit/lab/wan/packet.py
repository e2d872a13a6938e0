"""IPv4 packets as the emulated router needs them: addresses, TTL, and the ICMP errors of RFC 792 and RFC 1191."""

from __future__ import annotations

import socket
import struct

HEADER = 20
VERSION_4 = 4
ICMP, TIME_EXCEEDED, UNREACHABLE, FRAGMENTATION_NEEDED = 1, 11, 3, 4
QUOTED = 8
"""An ICMP error quotes the offender's header and its first eight bytes (RFC 792)."""

ROUTER = socket.inet_aton("10.99.0.253")
"""The emulated router; traceroute shows it as the one hop between clusters."""


def is_ipv4(packet: bytes) -> bool:
    """Whether it has a whole IPv4 header."""
    return len(packet) >= HEADER and packet[0] >> 4 == VERSION_4


def source(packet: bytes) -> bytes:
    """Four bytes of source address."""
    return packet[12:16]


def destination(packet: bytes) -> bytes:
    """Four bytes of destination address."""
    return packet[16:20]


def forwarded(packet: bytes) -> bytes | None:
    """The packet one hop further: TTL less one, checksum mended (RFC 1624); None when the TTL is used up."""
    ttl = packet[8]
    if ttl <= 1:
        return None
    total = (packet[10] << 8 | packet[11]) + 0x100
    total = (total & 0xFFFF) + (total >> 16)
    return packet[:8] + bytes((ttl - 1, packet[9], total >> 8, total & 0xFF)) + packet[12:]


def time_exceeded(packet: bytes) -> bytes | None:
    """The router's answer to a TTL used up."""
    return _error(packet, TIME_EXCEEDED, 0, 0)


def fragmentation_needed(packet: bytes, mtu: int) -> bytes | None:
    """The router's answer to a packet too large, with the next hop's MTU (RFC 1191)."""
    return _error(packet, UNREACHABLE, FRAGMENTATION_NEEDED, mtu)


def _error(packet: bytes, kind: int, code: int, rest: int) -> bytes | None:
    """An ICMP error about a packet; None about ICMP errors themselves, which are never answered (RFC 1122)."""
    length = (packet[0] & 15) * 4
    if packet[9] == ICMP and len(packet) > length and packet[length] in (UNREACHABLE, TIME_EXCEEDED):
        return None
    body = struct.pack("!BBHI", kind, code, 0, rest) + packet[: length + QUOTED]
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, HEADER + len(body), 0, 0, 64, ICMP, 0, ROUTER, source(packet))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def checksum(data: bytes) -> int:
    """The internet checksum of RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    total += total >> 16
    return ~total & 0xFFFF
