"""TCP SYNs with a rising hop limit, and what answers them. Needs NET_RAW.

All have one source port, so that routers which spread flows send them one way; the sequence number says which hop limit
an answer is for. The port is reserved by a bound socket that does not listen: the kernel resets what the target opens.
scapy makes the segment, once: crafting takes 450 us, thirty of them would make other probes late, and they differ in
their sequence number only, which the checksum follows (RFC 1624). Answers are read by ``packets`` for the same reason.
"""

from __future__ import annotations

import secrets
import socket
import struct
import sys
from collections.abc import Generator
from typing import Any

from meshkit.probes import packets, stamps
from meshkit.probes.aside import aside
from meshkit.probes.loop import Loop, Wait
from meshkit.probes.names import Address
from meshkit.probes.pings import HOP_LIMIT, LARGEST_PACKET, PER_TURN, Ping
from meshkit.probes.reasons import OK, Failed

RESET, SYN, ACK = 4, 2, 16
HEADER = 20
SEQUENCE, CHECKSUM = 4, 16
"""Offsets in a TCP header."""


class Syns:
    """The SYNs of one trace; each is a ``Ping`` whose end is delivered to ``key``. Close it."""

    def __init__(self, loop: Loop, address: Address, key: Any) -> None:
        self._loop, self._key = loop, key
        self._family, self._target = address
        self._version = packets.V4 if self._family == socket.AF_INET else packets.V6
        self._base = secrets.randbelow(1 << 31)
        self._pending: dict[int, Ping] = {}
        self._numbers: dict[int, Ping] = {}
        self._sockets: list[socket.socket] = []
        try:
            self._segments, self._errors = self._open()
            self._crafted = self._craft(self._base)
        except BaseException:
            self.close()
            raise

    def _open(self) -> tuple[socket.socket, socket.socket]:
        reserved = self._keep(socket.socket(self._family, socket.SOCK_STREAM))
        reserved.bind(("", 0))
        self._port = reserved.getsockname()[1]
        icmp = packets.ICMP if self._version == packets.V4 else packets.ICMPV6
        try:
            raw = socket.SOCK_RAW | socket.SOCK_NONBLOCK
            segments = self._keep(socket.socket(self._family, raw, socket.IPPROTO_TCP))
            errors = self._keep(socket.socket(self._family, raw, icmp))
        except PermissionError as error:
            raise Failed("not_permitted", "a TCP trace needs raw sockets (NET_RAW)") from error
        segments.connect((self._target[0], 0, *self._target[2:]))
        stamps.enable(segments, numbered=True)
        stamps.enable(errors)
        for endpoint in (segments, errors):
            self._loop.listen(endpoint.fileno(), self._serve)
        return segments, errors

    def _keep(self, endpoint: socket.socket) -> socket.socket:
        self._sockets.append(endpoint)
        return endpoint

    def close(self) -> None:
        """Release the sockets."""
        for endpoint in self._sockets:
            if endpoint.type == socket.SOCK_RAW and hasattr(self, "_errors"):
                self._loop.unlisten(endpoint.fileno())
            endpoint.close()
        self._sockets = []

    def send(self, hops: int) -> Ping:
        """Send one SYN."""
        ping = Ping(self._key, self._target[0], b"")
        sequence = (self._base + len(self._numbers)) & 0xFFFFFFFF
        segment = renumbered(self._crafted, sequence)
        self._pending[sequence] = self._numbers[len(self._numbers)] = ping
        control = [(*HOP_LIMIT[self._family], struct.pack("i", hops))]
        ping.sent = stamps.read_clocks()
        self._segments.sendmsg([segment], control)
        self._read_stamps()
        return ping

    def _craft(self, sequence: int) -> bytes:
        IP, IPv6, TCP = layers()  # noqa: N806, scapy's names
        header = IP if self._version == packets.V4 else IPv6
        ends = header(src=self._segments.getsockname()[0], dst=self._target[0])
        ports = {"sport": self._port, "dport": self._target[1]}
        segment = TCP(**ports, seq=sequence, flags="S", window=64240, options=[("MSS", 1220)])
        whole = bytes(ends / segment)
        return whole[20 if self._version == packets.V4 else packets.V6_HEADER :]

    def _read_stamps(self) -> None:
        while (message := stamps.receive(self._segments, 0, socket.MSG_ERRQUEUE)) is not None:
            if message.report is not None and message.report.number in self._numbers:
                self._numbers[message.report.number].stamps[0] = message.stamp

    def _serve(self) -> None:
        self._read_stamps()
        for endpoint, take in ((self._segments, self._take_segment), (self._errors, self._take_error)):
            for _ in range(PER_TURN):
                if not self._sockets:
                    return  # what was delivered has ended the trace
                message = stamps.receive(endpoint, LARGEST_PACKET)
                if message is None:
                    break
                data = message.data
                take(packets.without_header(data) if self._version == packets.V4 else data, message)

    def _take_segment(self, data: bytes, message: stamps.Message) -> None:
        if len(data) < HEADER or message.address[0] != self._target[0]:
            return
        source, target, _, acknowledged = struct.unpack_from("!HHII", data)
        if (source, target) == (self._target[1], self._port) and data[13] & ACK and data[13] & (SYN | RESET):
            self._settle((acknowledged - 1) & 0xFFFFFFFF, OK, message)

    def _take_error(self, data: bytes, message: stamps.Message) -> None:
        notice = packets.read_notice(self._version, data)
        if notice is None or notice.protocol != packets.TCP or len(notice.about) < packets.HEADER:
            return
        source, target, sequence = struct.unpack_from("!HHI", notice.about)
        if (source, target) == (self._port, self._target[1]):
            self._settle(sequence, notice.reason, message)

    def _settle(self, sequence: int, reason: str, message: stamps.Message) -> None:
        ping = self._pending.pop(sequence, None)
        if ping is not None:
            ping.received, ping.stamps[1] = stamps.read_clocks(), message.stamp
            ping.reason, ping.reporter = reason, message.address[0]
            self._loop.deliver(self._key, ping)


def renumbered(segment: bytes, sequence: int) -> bytes:
    """A segment with another sequence number, and the checksum that belongs to it (RFC 1624, equation 3)."""
    changed = bytearray(segment)
    struct.pack_into("!I", changed, SEQUENCE, sequence)
    words = struct.Struct("!2H")
    (checksum,) = struct.unpack_from("!H", segment, CHECKSUM)
    before, after = words.unpack_from(segment, SEQUENCE), words.unpack_from(changed, SEQUENCE)
    total = (~checksum & 0xFFFF) + sum(~word & 0xFFFF for word in before) + sum(after)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("!H", changed, CHECKSUM, ~total & 0xFFFF)
    return bytes(changed)


def loaded() -> Generator[Wait, Any, None]:
    """Wait until scapy is imported; the first trace of a process begins with this."""
    if "scapy.layers.inet6" not in sys.modules:
        yield from aside(layers)


def layers() -> tuple[Any, Any, Any]:
    """Scapy's IP, IPv6 and TCP, without a look at this machine's routes, which crafting does not need."""
    from scapy.config import conf  # noqa: PLC0415, half a second that only a trace needs to take

    conf.route_autoload = conf.route6_autoload = False
    from scapy.layers.inet import IP, TCP  # noqa: PLC0415, the same
    from scapy.layers.inet6 import IPv6  # noqa: PLC0415, the same

    return IP, IPv6, TCP
