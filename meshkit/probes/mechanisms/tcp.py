"""TCP: how long a connection takes, and what the kernel says of its round trip.

``tcpi_rtt`` is measured between the kernel's own stamps of SYN and SYN-ACK, so it does not depend on when this process
looks (33.8 ms in user space against 11 us in the kernel, with 100 connections under way). It reaches the layer 4 peer:
a load balancer's or a gateway's address, not the service behind it. After a lost SYN there is no such measurement
(Karn's algorithm), and the probe says how many packets were sent again instead.
"""

from __future__ import annotations

import _socket
import errno
import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Any, ClassVar

from meshkit.probes.io import Io
from meshkit.probes.loop import WRITE, Steps
from meshkit.probes.sample import Record

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 s: no TIME_WAIT, else the ports for one target run out at about 470 connections a second."""

UNDER_WAY = frozenset({0, errno.EINPROGRESS})

TCP_INFO_LENGTH = 104
ESTABLISHED = 1
RTT = slice(68, 72)
TOTAL_RETRANS = slice(100, 104)
"""Fields of struct tcp_info in linux/tcp.h: tcpi_rtt in microseconds, tcpi_total_retrans."""

KERNEL_RTT_ERROR_S = 1e-6
"""tcpi_rtt counts whole microseconds."""


@dataclass(frozen=True)
class TcpTarget:
    """A host name or address and a port."""

    host: str
    port: int
    mechanism: ClassVar[str] = "tcp"

    def observe(self, io: Io, record: Record) -> Steps:
        """Connect, and close with a reset."""
        connection = yield from connect(io, record, self.host, self.port)
        connection.close()


def connect(io: Io, record: Record, host: str, port: int) -> Any:
    """Resolve and connect; returns the non-blocking socket, whose closing is the caller's."""
    family, address = yield from io.resolve(record, host, port)
    record.enter("connect")
    # The C type itself: socket.socket adds 2 us a probe for conveniences not used here.
    connection = _socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        fail_on(connection.connect_ex(address))
        yield connection.fileno(), WRITE, 0.0
        read_handshake(connection, record)
    except BaseException:
        connection.close()
        raise
    record.phase_error_s = max(record.phase_error_s, io.loop.blur())
    record.leave()
    return connection


def read_handshake(connection: Any, record: Record) -> None:
    """Take the handshake's round trip and resent packets from the kernel; OSError when there is no connection."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_LENGTH)
    if info[0] != ESTABLISHED:
        fail_on(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    record.retransmits = int.from_bytes(info[TOTAL_RETRANS], sys.byteorder)
    record.measured(int.from_bytes(info[RTT], sys.byteorder) * 1e-6, "kernel", KERNEL_RTT_ERROR_S)


def fail_on(code: int) -> None:
    """OSError for an errno that is one."""
    if code not in UNDER_WAY:
        raise OSError(code, os.strerror(code))
