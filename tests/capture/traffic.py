"""Packets for tests, made by scapy: a connection as it passes a capture point, and the hello that begins TLS on it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from meshkit.capture.packet import Packet

CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
MS = 1_000_000
GREASE = 0x2A2A
TRUST = "0f51c1a6-0d16-0d0f-6f5e-62a9f0a4f3d1.consul"
BACKEND = f"backend.default.aks.internal.{TRUST}"


def extension(kind: int, content: bytes) -> bytes:
    return struct.pack("!HH", kind, len(content)) + content


def hello(
    name: str = BACKEND,
    protocols: Sequence[str] = (),
    *,
    version: int = 0x0303,
    offered: Sequence[int] = (GREASE, 0x0304, 0x0303),
    padding: int = 0,
) -> bytes:
    """A ClientHello with its own head; GREASE is everywhere where a browser puts it."""
    extensions = extension(GREASE, b"")
    if name:
        entry = b"\0" + struct.pack("!H", len(name)) + name.encode()
        extensions += extension(0, struct.pack("!H", len(entry)) + entry)
    if protocols:
        entries = b"".join(bytes((len(p),)) + p.encode() for p in protocols)
        entries = b"\x02\x4a\x4a" + entries
        extensions += extension(16, struct.pack("!H", len(entries)) + entries)
    if offered:
        extensions += extension(43, bytes((2 * len(offered),)) + struct.pack(f"!{len(offered)}H", *offered))
    extensions += extension(21, b"\0" * padding)
    suites = struct.pack("!HH", GREASE, 0x1301)
    body = struct.pack("!H", version) + b"r" * 32 + b"\0" + struct.pack("!H", len(suites)) + suites + b"\x01\0"
    body += struct.pack("!H", len(extensions)) + extensions
    return b"\x01" + len(body).to_bytes(3, "big") + body


def records(message: bytes, *, longest: int = 1 << 14) -> bytes:
    """A handshake message in as many TLS records as it takes."""
    parts = (message[place : place + longest] for place in range(0, len(message), longest))
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(part)) + part for part in parts)


@dataclass
class Wire:
    """One connection. Times in milliseconds; ``out`` says that the capturing host is the client."""

    client_port: int = 40000
    server_port: int = 8443
    out: bool = False
    v6: bool = False
    start: int = 1_000_000
    packets: list[Packet] = field(default_factory=list)
    sequence: dict[bool, int] = field(default_factory=lambda: {True: 100, False: 5000})

    def send(  # noqa: PLR0913 - the fields of a segment
        self,
        at: float,
        flags: str,
        payload: bytes = b"",
        *,
        by_client: bool = True,
        window: int = 1000,
        sequence: int | None = None,
        options: Sequence[Any] = (),
        advance: bool = True,
    ) -> Packet:
        """A segment, at the sender's next sequence number unless another one is given."""
        number = self.sequence[by_client] if sequence is None else sequence
        ports = (self.client_port, self.server_port) if by_client else (self.server_port, self.client_port)
        ends = (CLIENT, SERVER) if by_client else (SERVER, CLIENT)
        if self.v6:
            ip: Any = IPv6(src=f"fd00::{ends[0][-1]}", dst=f"fd00::{ends[1][-1]}")
        else:
            ip = IP(src=ends[0], dst=ends[1])
        acknowledged = self.sequence[not by_client] if "A" in flags else 0
        tcp = TCP(
            sport=ports[0],
            dport=ports[1],
            flags=flags,
            seq=number % (1 << 32),
            ack=acknowledged % (1 << 32),
            window=window,
            options=list(options),
        )
        data = bytes(ip / tcp / Raw(payload)) if payload else bytes(ip / tcp)
        packet = Packet(self.start * MS + round(at * MS), by_client == self.out, len(data), data)
        self.packets.append(packet)
        if advance and sequence is None:
            self.sequence[by_client] += len(payload) + sum(flag in flags for flag in "SF")
        return packet

    def handshake(self, at: float = 0.0, *, to_server: float = 70.0, to_client: float = 2.0) -> Wire:
        """SYN, SYN-ACK and ACK with these round trips, and different sizes of segments."""
        self.send(at, "S", options=[("MSS", 1460)])
        self.send(at + to_server, "SA", by_client=False, options=[("MSS", 1400)])
        self.send(at + to_server + to_client, "A")
        return self

    def say(self, at: float, payload: bytes, *, mss: int = 1400, by_client: bool = True) -> Wire:
        """Payload in as many segments as it takes, 0.1 ms apart."""
        for place in range(0, len(payload), mss):
            self.send(at + place / mss / 10, "PA", payload[place : place + mss], by_client=by_client)
        return self

    def close(self, at: float) -> Wire:
        """Both sides finish."""
        self.send(at, "FA")
        self.send(at + 1, "FA", by_client=False)
        self.send(at + 2, "A")
        return self


def tls(name: str = BACKEND, protocols: Sequence[str] = (), **options: Any) -> Wire:
    """A connection with a handshake, a hello, an answer and an end."""
    wire = Wire(**options).handshake().say(80, records(hello(name, protocols)))
    wire.send(150, "PA", b"answer", by_client=False)
    return wire.close(200)


def cut(packets: Iterable[Packet], size: int) -> list[Packet]:
    """The same as a capture with a snap length has them."""
    return [packet._replace(data=packet.data[:size]) for packet in packets]
