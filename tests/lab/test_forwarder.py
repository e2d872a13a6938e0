"""What the WAN lets pass, told by packets and requests, without devices."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Raw

from meshkit.lab.topology import Node
from meshkit.lab.wan import Link, LinkChange, forwarder

AKS, EKS = Node("aks", 1), Node("eks", 2)


@dataclass
class Wire:
    """A tun device that only remembers what the node received."""

    node: Node
    fd: int = 0
    received: list[bytes] = field(default_factory=list)
    alive: bool = True

    def __post_init__(self) -> None:
        self.fd = self.node.index

    def write(self, packet: bytes) -> None:
        self.received.append(packet)

    def is_alive(self) -> bool:
        return self.alive

    def close(self) -> None:
        self.alive = False


@pytest.fixture
def wan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> forwarder.Forwarder:
    """A WAN that joins aks and eks, without delay."""
    monkeypatch.setattr(forwarder, "Tun", Wire)
    made = forwarder.Forwarder(tmp_path)
    made.answer({"nodes": [("aks", 1), ("eks", 2)], "default": asdict(Link())})
    return made


def send(wan: forwarder.Forwarder, packet: IP, device: str = "aks") -> list[int]:
    """Give a packet to a node's device; the devices it left by at once."""
    wan._route(wan._tuns[device], bytes(packet))
    return [fd for fd, _ in wan._schedule.due(float("inf"))]


def datagram(source: str = AKS.address, target: str = EKS.address, size: int = 10, ttl: int = 64) -> IP:
    return IP(src=source, dst=target, ttl=ttl, flags="DF") / UDP() / Raw(b"x" * size)


def change(wan: forwarder.Forwarder, a: str, b: str, **parts: object) -> None:
    wan.answer({"pair": (a, b), "change": asdict(LinkChange(**parts))})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("packet", "passes"),
    [
        pytest.param(datagram(), True, id="from node to node"),
        pytest.param(datagram(source="10.151.0.5"), False, id="from a pod's address"),
        pytest.param(datagram(source=EKS.address, target=AKS.address), False, id="with another's address as sender"),
        pytest.param(datagram(target="10.152.0.5"), False, id="to a pod of another cluster"),
        pytest.param(datagram(target="10.102.0.1"), False, id="to a service of another cluster"),
        pytest.param(datagram(target="10.99.3.1"), False, id="to a node that is not there"),
        pytest.param(datagram(target=AKS.address), False, id="to itself"),
    ],
)
def test_only_node_addresses_pass(wan: forwarder.Forwarder, packet: IP, passes: bool) -> None:  # noqa: FBT001 - a table's column
    """As between clouds."""
    assert send(wan, packet) == ([EKS.index] if passes else [])


def test_a_cut_of_one_way_leaves_the_other(wan: forwarder.Forwarder) -> None:
    """And heals without touching the delay."""
    change(wan, "aks", "eks", delay_s=0.035)
    change(wan, "aks", "eks", cut=True)
    assert send(wan, datagram()) == []
    assert send(wan, datagram(EKS.address, AKS.address), "eks") == [AKS.index]
    change(wan, "aks", "eks", cut=False)
    assert wan._directions["aks", "eks"].link == Link(delay_s=0.035)


def test_a_packet_over_the_mtu_is_answered_unless_the_link_is_a_black_hole(wan: forwarder.Forwarder) -> None:
    """By ICMP to the sender; a black hole drops the same packet without a word, and both are counted."""
    change(wan, "aks", "eks", mtu=1400)
    assert send(wan, datagram(size=1373)) == []
    answer = IP(wan._tuns["aks"].received.pop())  # type: ignore[attr-defined]
    assert (answer[ICMP].type, answer[ICMP].code, answer[ICMP].nexthopmtu) == (3, 4, 1400)
    change(wan, "aks", "eks", mtu_blackhole=True)
    assert send(wan, datagram(size=1373)) == []
    assert wan._tuns["aks"].received == []  # type: ignore[attr-defined]
    assert wan._directions["aks", "eks"].counters.mtu == 2
    assert send(wan, datagram(size=1372)) == [EKS.index]


def test_traceroute_sees_the_router_unless_the_link_is_cut(wan: forwarder.Forwarder) -> None:
    """A TTL of one is answered by the one hop between clusters."""
    assert send(wan, datagram(ttl=1)) == []
    assert len(wan._tuns["aks"].received) == 1  # type: ignore[attr-defined]
    change(wan, "aks", "eks", cut=True)
    assert send(wan, datagram(ttl=1)) == []
    assert len(wan._tuns["aks"].received) == 1  # type: ignore[attr-defined]


def test_links_outlive_the_process_and_new_pairs_get_the_default(wan: forwarder.Forwarder, tmp_path: Path) -> None:
    """A WAN started anew reads what was set; a third cluster joins without changing it."""
    change(wan, "aks", "eks", delay_s=0.08, loss=0.01)
    again = forwarder.Forwarder(tmp_path)
    again.answer({"nodes": [("aks", 1), ("eks", 2), ("gcp", 3)], "default": asdict(Link(delay_s=0.02))})
    assert again._directions["aks", "eks"].link == Link(delay_s=0.08, loss=0.01)
    assert again._directions["eks", "aks"].link == Link()
    assert again._directions["gcp", "aks"].link == Link(delay_s=0.02)


def test_a_node_that_was_made_anew_gets_a_device_anew(wan: forwarder.Forwarder) -> None:
    """Its old device went with its namespace; the other node's stays."""
    old, other = wan._tuns["aks"], wan._tuns["eks"]
    old.alive = False  # type: ignore[attr-defined]
    wan.answer({"nodes": [("aks", 1), ("eks", 2)], "default": asdict(Link())})
    assert wan._tuns["aks"] is not old
    assert wan._tuns["eks"] is other


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("{", "", id="not JSON"),
        pytest.param('{"pair": ["aks", "gcp"], "change": {}}', "no link from aks to gcp", id="an unknown pair"),
        pytest.param('{"pair": ["aks", "eks"], "change": {"colour": 1}}', "colour", id="an unknown part"),
    ],
)
def test_a_wrong_request_is_answered_and_the_wan_goes_on(wan: forwarder.Forwarder, line: str, words: str) -> None:
    """With the reason; packets pass as before."""
    ours, theirs = socket.socketpair()

    class Listener:
        def accept(self) -> tuple[socket.socket, None]:
            return theirs, None

    with ours:
        ours.sendall(f"{line}\n".encode())
        wan._converse(Listener())  # type: ignore[arg-type]
        answer = json.loads(ours.makefile().readline())
    assert words in answer["error"]
    assert send(wan, datagram()) == [EKS.index]
