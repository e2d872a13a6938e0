"""The kernel's filter, run here by the rules of the kernel's documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6

from meshkit.capture.pod import filter as packet_filter
from meshkit.probes.bpf import Program

V4, V6 = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fd00::1", dst="fd00::2")
ETHERNET = 1
TIMESTAMPS = [("Timestamp", (1, 2))]


class OutsideError(Exception):
    """A load beyond the packet's end, which drops it."""


def load(packet: bytes, place: int, size: int) -> int:
    if place + size > len(packet):
        raise OutsideError
    return int.from_bytes(packet[place : place + size], "big")


def kept(program: Program, packet: bytes, *, device: int = ETHERNET) -> int:
    """How many bytes of a packet the kernel copies: classic BPF, of the instructions that are used."""
    protocol = 0x86DD if packet[:1] and packet[0] >> 4 == 6 else 0x0800
    around = {packet_filter.PROTOCOL: protocol, packet_filter.DEVICE_TYPE: device}
    at = a = x = 0
    try:
        while True:
            code, yes, no, k = program[at]
            at += 1
            match code:
                case 0x20:
                    a = around[k]
                case 0x28 | 0x30 | 0x48 | 0x50:
                    a = load(packet, k + (x if code & 0x40 else 0), 2 if code & 0x08 else 1 if code & 0x10 else 4)
                case 0xB1:
                    x = 4 * (load(packet, k, 1) & 15)
                case 0x01:
                    x = k
                case 0x0C:
                    a += x
                case 0x54:
                    a &= k
                case 0x74:
                    a >>= k
                case 0x15:
                    at += yes if a == k else no
                case 0x45:
                    at += yes if a & k else no
                case 0x05:
                    at += k
                case 0x06:
                    return min(k, len(packet))
                case 0x16:
                    return min(a, len(packet))
                case _:
                    pytest.fail(f"an instruction that no test knows: {code:#x}")
    except OutsideError:
        return 0


def program(*ports: int) -> Program:
    return packet_filter.program(ports)


@pytest.mark.parametrize("ip", [V4, V6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("ports", [(8443,), (443, 8443), (1, 443, 8443, 20000)])
class TestPorts:
    """Whatever the number of ports."""

    def test_to_a_port_the_segment_is_copied_for_its_hello(self, ip: Any, ports: Sequence[int]) -> None:
        packet = bytes(ip / TCP(sport=40000, dport=8443, flags="PA") / (b"x" * 2000))
        assert kept(program(*ports), packet) == len(packet)

    def test_from_a_port_only_headers_are(self, ip: Any, ports: Sequence[int]) -> None:
        head = bytes(ip / TCP(sport=8443, dport=40000, flags="PA", options=TIMESTAMPS))
        assert kept(program(*ports), head + b"x" * 2000) == len(head)

    def test_other_ports_are_dropped(self, ip: Any, ports: Sequence[int]) -> None:
        assert kept(program(*ports), bytes(ip / TCP(sport=40000, dport=8503))) == 0

    def test_udp_is_dropped(self, ip: Any, ports: Sequence[int]) -> None:
        assert kept(program(*ports), bytes(ip / UDP(sport=8443, dport=8443))) == 0


def test_between_two_wanted_ports_it_may_be_a_hello() -> None:
    packet = bytes(V4 / TCP(sport=443, dport=8443) / (b"x" * 500))
    assert kept(program(443, 8443), packet) == len(packet)


def test_a_segment_larger_than_any_hello_is_cut() -> None:
    packet = bytes(V4 / TCP(sport=40000, dport=8443) / (b"x" * 60000))
    assert kept(program(8443), packet) == packet_filter.LONGEST


def test_loopback_is_dropped() -> None:
    assert kept(program(8443), bytes(V4 / TCP(dport=8443)), device=packet_filter.LOOPBACK) == 0


def test_a_later_fragment_is_dropped() -> None:
    assert kept(program(8443), bytes(IP(frag=100, proto=6) / TCP(dport=8443))) == 0


def test_a_packet_that_ends_early_is_dropped() -> None:
    assert kept(program(8443), bytes(V4)) == 0


def test_every_jump_ends_within_the_program() -> None:
    """The kernel would refuse it otherwise."""
    for count in range(1, packet_filter.MOST_PORTS + 1):
        code = program(*range(1, count + 1))
        for place, (operation, yes, no, k) in enumerate(code):
            farthest = max(yes, no) if operation in {0x15, 0x45} else k if operation == 0x05 else 0
            assert place + 1 + farthest < len(code) or operation in {0x06, 0x16}


@pytest.mark.parametrize("ports", [(), tuple(range(1, 18))])
def test_no_port_and_too_many_are_refused(ports: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="1 to 16 ports"):
        packet_filter.program(ports)
