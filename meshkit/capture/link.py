"""Where the IP packet begins in a frame, by the link type that a capture file names.

https://www.tcpdump.org/linktypes.html; the two numbers of raw IP are what systems called it before there was one.
"""

from __future__ import annotations

from typing import NamedTuple

from meshkit.capture.pod.wire import OUTGOING

NULL, ETHERNET, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2 = 0, 1, 108, 113, 228, 229, 276
RAW = frozenset({12, 14, 101, IPV4, IPV6})
KNOWN = frozenset({NULL, ETHERNET, LOOP, LINUX_SLL, LINUX_SLL2}) | RAW
NAMES = "Ethernet, Linux cooked v1 and v2, raw IP, BSD loopback"

ETHERTYPES = frozenset({0x0800, 0x86DD})
TAGS = frozenset({0x8100, 0x88A8, 0x9100})
MOST_TAGS = 4
FAMILIES = frozenset({2, 10, 24, 28, 30})
"""AF_INET everywhere, and AF_INET6 of Linux, NetBSD, FreeBSD and macOS."""


class Network(NamedTuple):
    """Where IP begins, and whether the capturing host sent it: None where the link does not say."""

    begin: int
    outgoing: bool | None


def network(link: int, frame: bytes) -> Network | None:
    """None when the frame carries no IP, or ends before it."""
    if link in RAW:
        return Network(0, None)
    if link == ETHERNET:
        return _ethernet(frame)
    if link == LINUX_SLL:
        return _ethertype(frame, 14, 16, frame[0:2])
    if link == LINUX_SLL2:
        return _ethertype(frame, 0, 20, frame[10:11])
    return _family(frame)


def _family(frame: bytes) -> Network | None:
    """The capturing machine's own number of the protocol, in its own byte order: either one of the two."""
    either = {int.from_bytes(frame[:4], "big"), int.from_bytes(frame[:4], "little")}
    return Network(4, None) if len(frame) > 4 and either & FAMILIES else None  # noqa: PLR2004 - that number


def _ethernet(frame: bytes) -> Network | None:
    place = 12
    for _ in range(MOST_TAGS):
        if int.from_bytes(frame[place : place + 2], "big") not in TAGS:
            break
        place += 4
    return _ethertype(frame, place, place + 2)


def _ethertype(frame: bytes, place: int, begin: int, direction: bytes = b"") -> Network | None:
    if int.from_bytes(frame[place : place + 2], "big") not in ETHERTYPES or len(frame) <= begin:
        return None
    return Network(begin, int.from_bytes(direction, "big") == OUTGOING if direction else None)
