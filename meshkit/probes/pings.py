"""ICMP echo for all probes of a process over one socket per IP version.

Raw sockets where they are permitted (NET_RAW), else the kernel's ping sockets (net.ipv4.ping_group_range). A raw socket
sees ICMP errors as packets, a ping socket has them in its error queue. Sent packets are stamped through the error queue
too, and told apart by the number that the kernel gives them. A reply belongs to a request by identifier, sequence,
address and 16 random bytes. Checksums of one nonce are all alike (the first payload bytes balance the sequence), so
that routers which spread by them send all packets of a trace one way.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import struct
from typing import Any

from meshkit.probes import bpf, packets, stamps
from meshkit.probes.loop import Loop
from meshkit.probes.names import Address
from meshkit.probes.reasons import Failed

NONCE_LENGTH = 16
SMALLEST = 2 + NONCE_LENGTH
LARGEST = 65507
LARGEST_PACKET = 65575
BUFFER = 4 << 20
SO_RCVBUFFORCE, SO_SNDBUFFORCE, SO_MEMINFO = 33, 32, 55
MEMINFO_DROPS = slice(32, 36)
"""The ninth word of SO_MEMINFO: what the receive buffer had no room for."""

PER_TURN = 256
DONT_FRAGMENT = {socket.AF_INET: (socket.IPPROTO_IP, 10), socket.AF_INET6: (socket.IPPROTO_IPV6, 23)}
PROBE = 3
"""IP_MTU_DISCOVER, IPV6_MTU_DISCOVER: never fragment, and forget what the kernel believes of the path's MTU."""

HOP_LIMIT = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TTL),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT),
}


class Ping:
    """A request under way. It is ended by the first of: ``reason`` set (empty until then), or being forgotten."""

    __slots__ = ("key", "mtu", "number", "payload", "reason", "received", "reporter", "sent", "stamps", "target")

    def __init__(self, key: Any, target: str, payload: bytes) -> None:
        self.key = key or self
        self.target = target
        self.payload = payload
        self.sent = self.received = stamps.read_clocks()
        self.number = -1
        self.stamps = [0, 0]
        self.reason = ""
        self.reporter = ""
        self.mtu = 0


class PingSocket:
    """One socket: ``kind`` is "raw" or "ping"; ``whole`` ones never fragment. ``strays`` are replies of nobody."""

    def __init__(self, loop: Loop, family: socket.AddressFamily, *, whole: bool = False) -> None:
        self._loop = loop
        self._version = packets.V4 if family == socket.AF_INET else packets.V6
        self._family = family
        self._sequence = secrets.randbelow(1 << 16)
        self._pending: dict[int, Ping] = {}
        self._numbers: dict[int, Ping] = {}
        self._number = 0
        self.strays = 0
        self.kind, self._socket = _open(family)
        try:
            self._ident = self._set_up()
            if whole:
                self._socket.setsockopt(*DONT_FRAGMENT[family], PROBE)
            loop.listen(self._socket.fileno(), self._serve)
        except BaseException:
            self._socket.close()
            raise

    def _set_up(self) -> int:
        for force, plain in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, force, BUFFER)
            except PermissionError:
                self._socket.setsockopt(socket.SOL_SOCKET, plain, BUFFER)
        stamps.enable(self._socket, numbered=True)
        if self.kind == "ping":
            stamps.report_errors(self._socket)
            self._socket.bind(("", 0))
            return int(self._socket.getsockname()[1])
        ident = secrets.randbelow(1 << 16)
        program = bpf.echoes_v4(ident) if self._version == packets.V4 else bpf.echoes_v6(ident)
        bpf.attach(self._socket, program)
        return ident

    def close(self) -> None:
        """Release the socket."""
        self._loop.unlisten(self._socket.fileno())
        self._socket.close()

    @property
    def dropped(self) -> int:
        """Packets that the receive buffer had no room for."""
        info = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36)
        return int.from_bytes(info[MEMINFO_DROPS], "little")

    def send(self, address: Address, size: int, *, hops: int = 0, key: Any = None, nonce: bytes = b"") -> Ping:
        """Send a request; its end is delivered to ``key``, by default the ping itself. OSError when it can't be."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        sequence, target = self._sequence, address[1]
        balance = (0xFFFF - sequence).to_bytes(2, "big")
        payload = (balance + (nonce or os.urandom(NONCE_LENGTH))).ljust(size, b"\x00")
        ping = Ping(key, target[0], payload)
        head = struct.pack("!BBHHH", packets.ECHO[self._version], 0, 0, self._ident, sequence)
        message = head[:2] + _checksum(head + payload) + head[4:] + payload
        control = [(*HOP_LIMIT[self._family], struct.pack("i", hops))] if hops else []
        self._pending[sequence] = self._numbers[self._number] = ping
        ping.number, ping.sent = self._number, stamps.read_clocks()
        self._number = (self._number + 1) & 0xFFFFFFFF
        if self.kind == "ping":  # an earlier packet's ICMP error, of which the queue tells, would refuse this one
            self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            self._socket.sendmsg([message], control, 0, (target[0], 0, *target[2:]))
        except OSError as error:
            self.forget(ping)
            self._renumber()
            if error.errno == errno.EAGAIN:
                raise Failed("internal", "the send buffer is full") from error
            raise
        self._read_reports()
        return ping

    def forget(self, ping: Ping) -> None:
        """No longer wait for it."""
        sequence = 0xFFFF - int.from_bytes(ping.payload[:2], "big")
        if self._pending.get(sequence) is ping:
            del self._pending[sequence]
        if self._numbers.get(ping.number) is ping:
            del self._numbers[ping.number]

    def _renumber(self) -> None:
        """Begin again at 0: kernels differ in whether a packet that was not sent took a number."""
        self._read_reports()
        self._numbers.clear()
        self._number = 0
        stamps.enable(self._socket)
        stamps.enable(self._socket, numbered=True)

    def _serve(self) -> None:
        self._read_reports()
        for _ in range(PER_TURN):
            try:
                message = stamps.receive(self._socket, LARGEST_PACKET)
            except OSError:
                continue  # an error that the queue has told of already
            if message is None:
                return
            data = message.data
            if self.kind == "raw" and self._version == packets.V4:
                data = packets.without_header(data)
            self._take(data, message)

    def _take(self, data: bytes, message: stamps.Message) -> None:
        echo = packets.read_echo(data, packets.ECHO_REPLY[self._version])
        if echo is not None:
            ping = self._pending.get(echo.sequence) if echo.ident == self._ident else None
            if ping is None or message.address[0] != ping.target:
                self.strays += 1
                return
            ping.received, ping.stamps[1] = stamps.read_clocks(), message.stamp
            self._settle(ping, "ok" if echo.payload == ping.payload else "reply_garbage", message.address[0])
            return
        notice = packets.read_notice(self._version, data)
        if notice is not None and notice.protocol in (packets.ICMP, packets.ICMPV6):
            self._refuse(notice.about, notice.reason, notice.mtu, message.address[0], message.stamp)

    def _refuse(self, about: bytes, reason: str, mtu: int, reporter: str, stamp: int) -> None:
        """An ICMP error about a request, of which it holds at least the header."""
        request = packets.read_echo(about, packets.ECHO[self._version])
        ping = self._pending.get(request.sequence) if request and request.ident == self._ident else None
        if request is None or ping is None or not ping.payload.startswith(request.payload[:SMALLEST]):
            return
        ping.received, ping.stamps[1], ping.mtu = stamps.read_clocks(), stamp, mtu
        self._settle(ping, reason, reporter)

    def _read_reports(self) -> None:
        for _ in range(PER_TURN):
            message = stamps.receive(self._socket, LARGEST_PACKET, socket.MSG_ERRQUEUE)
            if message is None or message.report is None:
                return
            report = message.report
            if report.reason:
                mtu = report.info if report.reason == "too_big" else 0
                self._refuse(message.data, report.reason, mtu, report.reporter, message.stamp)
            elif (ping := self._numbers.pop(report.number, None)) is not None:
                ping.stamps[0] = message.stamp

    def _settle(self, ping: Ping, reason: str, reporter: str) -> None:
        ping.reason, ping.reporter = reason, reporter
        self.forget(ping)
        self._loop.deliver(ping.key, ping)


def _open(family: socket.AddressFamily) -> tuple[str, socket.socket]:
    protocol = packets.ICMP if family == socket.AF_INET else packets.ICMPV6
    for kind, style in (("raw", socket.SOCK_RAW), ("ping", socket.SOCK_DGRAM)):
        try:
            return kind, socket.socket(family, style | socket.SOCK_NONBLOCK, protocol)
        except PermissionError:
            continue
    raise Failed("not_permitted", "neither raw sockets (NET_RAW) nor ping sockets (net.ipv4.ping_group_range)")


def _checksum(data: bytes) -> bytes:
    """RFC 1071; the kernel makes ICMPv6's itself."""
    padded = data if len(data) % 2 == 0 else data + b"\x00"
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", 0xFFFF - total)
