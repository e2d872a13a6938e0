"""IP and TCP headers out of frames of every link type that captures have."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1Q, Ether, Loopback

from meshkit.capture import link, segment
from meshkit.capture.packet import Packet
from meshkit.capture.segment import Segment, SkippedError

V4 = IP(src="10.0.0.1", dst="10.0.0.2")
V6 = IPv6(src="fd00::1", dst="fd00::2")
DATA = TCP(sport=40000, dport=443, flags="PA", seq=7, ack=9, window=512) / b"payload"


def decoded(packet: Any, size: int | None = None) -> Segment:
    data = bytes(packet)
    return segment.segment(Packet(1, None, len(data) if size is None else size, data))


@pytest.mark.parametrize("ip", [V4, V6], ids=["IPv4", "IPv6"])
def test_fields(ip: Any) -> None:
    found = decoded(ip / DATA)
    assert (found.source_port, found.destination_port, found.sequence, found.acknowledged) == (40000, 443, 7, 9)
    assert (found.window, found.length, found.payload, found.mss) == (512, 7, b"payload", None)


def test_ip_options_and_tcp_options_are_passed_over() -> None:
    header = bytearray(bytes(V4 / DATA))
    with_options = bytes((header[0] + 1,)) + bytes(header[1:2]) + struct.pack("!H", len(header) + 4) + header[4:20]
    found = decoded(with_options + b"\x01\x01\x01\0" + header[20:])
    assert found.payload == b"payload"


@pytest.mark.parametrize(
    ("options", "mss"),
    [
        ([("MSS", 1460)], 1460),
        ([("NOP", None), ("WScale", 7), ("MSS", 1380)], 1380),
        ([("WScale", 7)], None),
        ([], None),
    ],
)
def test_the_segment_size_that_a_syn_announces(options: list[Any], mss: int | None) -> None:
    assert decoded(V4 / TCP(flags="S", options=options)).mss == mss


@pytest.mark.parametrize("options", [b"\x02\x03\x01\x01", b"\x08\x00\x01\x01", b"\x02\x04\x05"])
def test_damaged_options_are_no_segment_size(options: bytes) -> None:
    assert segment._mss(options) is None


def test_the_length_is_the_headers_and_not_the_captures() -> None:
    """A snap length cuts the payload, Ethernet pads it."""
    data = bytes(V4 / TCP(flags="A") / (b"x" * 1000))
    assert decoded(data[:60], len(data)).length == 1000
    assert decoded(bytes(V4 / TCP(flags="A")) + b"\0" * 6).length == 0


def test_what_the_card_will_cut_has_its_length_from_the_capture() -> None:
    """A segment over 64 KiB says 0 in its header."""
    data = bytearray(bytes(V4 / TCP(flags="A") / b"x"))
    data[2:4] = b"\0\0"
    assert decoded(bytes(data), 100_000).length == 100_000 - 40


def test_ipv6_extension_headers_are_passed_over() -> None:
    assert decoded(V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / DATA).payload == b"payload"
    assert decoded(V6 / IPv6ExtHdrFragment(offset=0, m=1) / DATA).payload == b"payload"


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        pytest.param(bytes(V4 / UDP()), segment.NOT_TCP, id="UDP"),
        pytest.param(bytes(V6 / UDP()), segment.NOT_TCP, id="UDP over IPv6"),
        pytest.param(bytes(IP(frag=9, proto=6) / (b"x" * 40)), segment.PART_OF_A_PACKET, id="a fragment"),
        pytest.param(bytes(V6 / IPv6ExtHdrFragment(offset=9) / DATA), segment.PART_OF_A_PACKET, id="one of IPv6"),
        pytest.param(bytes(V4 / DATA)[:39], segment.CUT_SHORT, id="TCP cut"),
        pytest.param(bytes(V4 / DATA)[:15], segment.CUT_SHORT, id="IP cut"),
        pytest.param(bytes(V6 / DATA)[:39], segment.CUT_SHORT, id="IPv6 cut"),
        pytest.param(b"\x42" + bytes(V4 / DATA)[1:], segment.CUT_SHORT, id="an IP header of 8 bytes"),
        pytest.param(bytes(V4 / TCP(dataofs=2)), segment.CUT_SHORT, id="a TCP header of 8 bytes"),
        pytest.param(b"\x95" + bytes(V4 / DATA)[1:], segment.NOT_IP, id="IP version 9"),
    ],
)
def test_what_can_not_be_followed_says_why(packet: bytes, reason: str) -> None:
    with pytest.raises(SkippedError, match=f"^{reason}$"):
        decoded(packet)


@given(st.binary(max_size=120), st.integers(0, 1 << 17))
def test_garbage_is_a_segment_or_skipped(data: bytes, size: int) -> None:
    with suppress(SkippedError):
        assert decoded(data, size).length >= 0


ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
FRAMES = {
    "Ethernet": (link.ETHERNET, ETHER / V4 / DATA, None),
    "Ethernet, IPv6": (link.ETHERNET, ETHER / V6 / DATA, None),
    "Ethernet, two tags": (link.ETHERNET, ETHER / Dot1Q(vlan=2) / Dot1Q(vlan=3) / V4 / DATA, None),
    "cooked, in": (link.LINUX_SLL, CookedLinux(pkttype=0, proto=0x0800) / V4 / DATA, False),
    "cooked, out": (link.LINUX_SLL, CookedLinux(pkttype=4, proto=0x0800) / V4 / DATA, True),
    "cooked v2, out": (link.LINUX_SLL2, CookedLinuxV2(pkttype=4, proto=0x86DD) / V6 / DATA, True),
    "raw": (101, V4 / DATA, None),
    "raw IPv6": (link.IPV6, V6 / DATA, None),
    "null": (link.NULL, struct.pack("<I", 2) + bytes(V4 / DATA), None),
    "null of another machine": (link.NULL, struct.pack(">I", 30) + bytes(V6 / DATA), None),
    "loop": (link.LOOP, Loopback(type=2) / V4 / DATA, None),
}


@pytest.mark.parametrize(("kind", "frame", "outgoing"), FRAMES.values(), ids=FRAMES.keys())
def test_links(kind: int, frame: Any, outgoing: bool | None) -> None:  # noqa: FBT001 - a table's column
    data = bytes(frame)
    found = link.network(kind, data)
    assert found
    assert found.outgoing is outgoing
    assert decoded(data[found.begin :]).payload == b"payload"


@pytest.mark.parametrize("kind", sorted(link.KNOWN - link.RAW))
@pytest.mark.parametrize("frame", [b"", b"\xff" * 10, b"\xff" * 60], ids=["empty", "short", "no IP"])
def test_frames_without_ip(kind: int, frame: bytes) -> None:
    assert link.network(kind, frame) is None


@given(st.sampled_from(sorted(link.KNOWN)), st.binary(max_size=60))
def test_no_frame_is_too_strange(kind: int, frame: bytes) -> None:
    found = link.network(kind, frame)
    assert found is None or found.begin <= len(frame) or kind in link.RAW
