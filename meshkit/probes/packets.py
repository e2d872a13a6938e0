"""Reading ICMP and the packet inside an ICMP error. By hand: scapy takes 300 us a packet, and other probes wait."""

from __future__ import annotations

import struct
from typing import NamedTuple

V4, V6 = 4, 6
ICMP, ICMPV6, TCP = 1, 58, 6
ECHO = {V4: 8, V6: 128}
ECHO_REPLY = {V4: 0, V6: 129}
TOO_BIG = {V4: (3, 4), V6: (2, 0)}
HEADER = 8
V6_HEADER = 40

_REFUSED = {(V4, 3, 2), (V4, 3, 3), (V6, 1, 4)}
_PROHIBITED = {(V4, 3, 9), (V4, 3, 10), (V4, 3, 13), (V6, 1, 1), (V6, 1, 5), (V6, 1, 6)}
_BY_TYPE = {(V4, 3): "unreachable", (V4, 11): "ttl_exceeded", (V4, 12): "unreachable"} | {
    (V6, 1): "unreachable",
    (V6, 2): "too_big",
    (V6, 3): "ttl_exceeded",
    (V6, 4): "unreachable",
}


class Echo(NamedTuple):
    """An echo reply, or the start of an echo request inside an error."""

    ident: int
    sequence: int
    payload: bytes


class Notice(NamedTuple):
    """An ICMP error: the reason, the next hop's MTU (0 when it does not say), and what it is about."""

    reason: str
    mtu: int
    protocol: int
    about: bytes


def reason_of(version: int, kind: int, code: int) -> str:
    """The reason that an ICMP error stands for; empty when it is none."""
    if (version, kind, code) in _REFUSED:
        return "refused"
    if (version, kind, code) in _PROHIBITED:
        return "prohibited"
    if version == V4 and (kind, code) == TOO_BIG[V4]:
        return "too_big"
    return _BY_TYPE.get((version, kind), "")


def without_header(packet: bytes) -> bytes:
    """What follows an IPv4 header."""
    return packet[(packet[0] & 15) * 4 :] if packet else b""


def read_echo(message: bytes, kind: int) -> Echo | None:
    """An ICMP message as an echo of this type, None when it is not one."""
    if len(message) < HEADER or message[0] != kind or message[1]:
        return None
    ident, sequence = struct.unpack_from("!HH", message, 4)
    return Echo(ident, sequence, message[HEADER:])


def read_notice(version: int, message: bytes) -> Notice | None:
    """An ICMP message as an error about another packet, None when it is not one."""
    inner = message[HEADER:]
    if len(inner) < (V6_HEADER if version == V6 else 20) or inner[0] >> 4 != version:
        return None
    reason = reason_of(version, message[0], message[1])
    if not reason:
        return None
    if version == V4:
        return Notice(reason, int.from_bytes(message[6:8], "big"), inner[9], without_header(inner))
    return Notice(reason, int.from_bytes(message[4:8], "big"), inner[6], inner[V6_HEADER:])
