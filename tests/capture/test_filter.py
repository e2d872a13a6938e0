"""The kernel's filter, run here by the rules of the kernel's documentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass
class Machine:
    """Classic BPF, of the instructions that are used, at one packet."""

    packet: bytes
    around: dict[int, int]
    at: int = 0
    a: int = 0
    x: int = 0

    def load(self, k: int, size: int) -> None:
        self.a = load(self.packet, k, size)

    def look(self, k: int) -> None:
        self.a = self.around[k]

    def header(self, k: int) -> None:
        self.x = 4 * (load(self.packet, k, 1) & 15)

    def put(self, name: str, value: int) -> None:
        setattr(self, name, value)

    def jump(self, by: int) -> None:
        self.at += by


STEPS: dict[int, Callable[[Machine, int, int, int], None]] = {
    0x20: lambda m, _yes, _no, k: m.look(k),
    0x28: lambda m, _yes, _no, k: m.load(k, 2),
    0x30: lambda m, _yes, _no, k: m.load(k, 1),
    0x48: lambda m, _yes, _no, k: m.load(m.x + k, 2),
    0x50: lambda m, _yes, _no, k: m.load(m.x + k, 1),
    0xB1: lambda m, _yes, _no, k: m.header(k),
    0x01: lambda m, _yes, _no, k: m.put("x", k),
    0x0C: lambda m, _yes, _no, _k: m.put("a", m.a + m.x),
    0x54: lambda m, _yes, _no, k: m.put("a", m.a & k),
    0x74: lambda m, _yes, _no, k: m.put("a", m.a >> k),
    0x15: lambda m, yes, no, k: m.jump(yes if m.a == k else no),
    0x45: lambda m, yes, no, k: m.jump(yes if m.a & k else no),
    0x05: lambda m, _yes, _no, k: m.jump(k),
}


def kept(program: Program, packet: bytes, *, device: int = ETHERNET) -> int:
    """How many bytes of a packet the kernel copies."""
    protocol = 0x86DD if packet[:1] and packet[0] >> 4 == 6 else 0x0800
    machine = Machine(packet, {packet_filter.PROTOCOL: protocol, packet_filter.DEVICE_TYPE: device})
    try:
        while True:
            code, yes, no, k = program[machine.at]
            if code in {packet_filter.RETURN, packet_filter.RETURN_A}:
                return min(k if code == packet_filter.RETURN else machine.a, len(packet))
            machine.at += 1
            STEPS[code](machine, yes, no, k)
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
