"""The emulated router's packets, checked by a parser that is not ours."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Raw

from meshkit.lab.wan import packet as ip

A, B = "10.99.1.1", "10.99.2.1"


def udp(ttl: int = 64, size: int = 100) -> bytes:
    """A UDP packet from A to B with a correct checksum."""
    return bytes(IP(src=A, dst=B, ttl=ttl, flags="DF") / UDP(sport=1000, dport=2000) / Raw(b"x" * size))


def fields(packet: bytes) -> IP:
    """Parsed, after a check of the header's checksum."""
    assert ip.checksum(packet[: (packet[0] & 15) * 4]) == 0
    return IP(packet)


def test_addresses_are_read_from_their_places() -> None:
    """Source and destination as bytes."""
    assert (ip.source(udp()), ip.destination(udp())) == (socket.inet_aton(A), socket.inet_aton(B))


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        pytest.param(udp(), True, id="a whole packet is"),
        pytest.param(udp()[:19], False, id="half a header is not"),
        pytest.param(b"\x60" + udp()[1:], False, id="version 6 is not"),
        pytest.param(b"", False, id="nothing is not"),
    ],
)
def test_only_whole_version_4_headers_are_taken(packet: bytes, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """What the kernel sends besides (router solicitations) is let fall."""
    assert ip.is_ipv4(packet) is expected


@given(st.integers(2, 255), st.integers(0, 0xFFFF))
def test_forwarding_lowers_the_ttl_and_keeps_the_checksum_right(ttl: int, identification: int) -> None:
    """For every TTL and many checksums; nothing else changes."""
    before = bytes(IP(src=A, dst=B, ttl=ttl, id=identification) / UDP())
    after = ip.forwarded(before)
    assert after is not None
    assert fields(after).ttl == ttl - 1
    assert after[:8] + after[9:10] + after[12:] == before[:8] + before[9:10] + before[12:]


@pytest.mark.parametrize("ttl", [0, 1])
def test_a_used_up_ttl_is_not_forwarded_but_answered(ttl: int) -> None:
    """Time exceeded, from the router to the sender, quoting the header and eight bytes (RFC 792)."""
    offender = udp(ttl)
    assert ip.forwarded(offender) is None
    answer = ip.time_exceeded(offender)
    assert answer is not None
    parsed = fields(answer)
    assert (parsed.src, parsed.dst) == (socket.inet_ntoa(ip.ROUTER), A)
    assert (parsed[ICMP].type, parsed[ICMP].code) == (11, 0)
    assert ip.checksum(answer[20:]) == 0
    assert answer[28:] == offender[:28]


def test_a_packet_too_large_is_answered_with_the_mtu() -> None:
    """Fragmentation needed, with the next hop's MTU (RFC 1191)."""
    answer = ip.fragmentation_needed(udp(size=1400), 1400)
    assert answer is not None
    parsed = fields(answer)
    assert (parsed[ICMP].type, parsed[ICMP].code, parsed[ICMP].nexthopmtu) == (3, 4, 1400)
    assert ip.checksum(answer[20:]) == 0


@pytest.mark.parametrize(
    ("kind", "answered"),
    [
        pytest.param(3, False, id="unreachable is an error"),
        pytest.param(11, False, id="time exceeded is an error"),
        pytest.param(8, True, id="an echo request is not"),
    ],
)
def test_errors_are_never_answered_with_errors(kind: int, answered: bool) -> None:  # noqa: FBT001 - a table's column
    """RFC 1122, 3.2.2: else two routers could answer each other for ever."""
    packet = bytes(IP(src=A, dst=B, ttl=1) / ICMP(type=kind))
    assert (ip.time_exceeded(packet) is not None) is answered


@given(st.binary(max_size=100))
def test_a_packet_with_its_checksum_sums_to_zero(data: bytes) -> None:
    """RFC 1071's own test of a checksum."""
    data += b"\0" * (len(data) % 2)
    assert ip.checksum(data + ip.checksum(data).to_bytes(2, "big")) == 0
