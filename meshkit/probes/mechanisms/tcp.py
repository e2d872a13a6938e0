"""TCP: how long a connection takes, and what the kernel says of its round trip.

``tcpi_rtt`` is measured between the kernel's own stamps of SYN and SYN-ACK, so it does not depend on when this process
looks (33.8 ms in user space against 11 us in the kernel, with 100 connections under way). It reaches the layer 4 peer:
a load balancer's or a gateway's address, not the service behind it. After a lost SYN the stamps say nothing (Karn's
algorithm): the kernel then goes by TCP's own time stamps (RFC 7323), which count milliseconds, and never says less than
one. So that round trip's error is a millisecond, and the probe says how many packets were sent again.
"""

from __future__ import annotations

import _socket
import errno
import os
import struct
from dataclasses import dataclass
from socket import (
    IPPROTO_TCP,
    SO_ERROR,
    SO_LINGER,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_INFO,
)
from typing import Any, ClassVar

from meshkit.probes.io import Io
from meshkit.probes.loop import WRITE, Steps
from meshkit.probes.names import literal
from meshkit.probes.sample import Record

STREAM = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 s: no TIME_WAIT, else the ports for one target run out at about 470 connections a second."""

UNDER_WAY = frozenset({0, errno.EINPROGRESS})

TCP_INFO_LENGTH = 104
CONNECTING = 2
CONNECTED = frozenset({1, 8})
"""States: SYN_SENT; then ESTABLISHED, or CLOSE_WAIT of a target that accepts and closes at once."""

RTT_OFFSET = 68
RTT_AND_RESENT = struct.Struct("=I28xI").unpack_from
"""Fields of struct tcp_info in linux/tcp.h: tcpi_rtt in microseconds at 68, tcpi_total_retrans at 100."""

KERNEL_RTT_ERROR_S = 1e-6
"""tcpi_rtt counts whole microseconds."""

RESENT_RTT_ERROR_S = 1e-3
"""TCP_TS_HZ in linux/include/net/tcp.h is 1000."""


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
    found = literal(host, port)  # a generator less for each probe of an address
    family, address = found or (yield from io.resolve(record, host, port))
    record.enter("connect")
    # The C type itself: socket.socket adds 2 us a probe for conveniences not used here.
    connection = _socket.socket(family, STREAM)
    try:
        connection.setsockopt(SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
        fail_on(connection.connect_ex(address))
        while not read_handshake(connection, record):
            yield connection.fileno(), WRITE, 0.0
            record.phase_error_s = max(record.phase_error_s, io.loop.blur())
    except BaseException:
        connection.close()
        raise
    record.leave()
    return connection


def read_handshake(connection: Any, record: Record) -> bool:
    """Take the handshake's round trip and resent packets from the kernel; False when it is under way, OSError if not.

    On this machine and next to it the handshake is often over when connect() returns, though that says "in progress".
    """
    info = connection.getsockopt(IPPROTO_TCP, TCP_INFO, TCP_INFO_LENGTH)
    if info[0] not in CONNECTED:
        fail_on(connection.getsockopt(SOL_SOCKET, SO_ERROR))
        if info[0] != CONNECTING:  # its end was told already, and it will not be writable again
            raise OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        return False
    rtt, record.retransmits = RTT_AND_RESENT(info, RTT_OFFSET)
    record.measured(rtt * 1e-6, "kernel", RESENT_RTT_ERROR_S if record.retransmits else KERNEL_RTT_ERROR_S)
    return True


def fail_on(code: int) -> None:
    """OSError for an errno that is one."""
    if code not in UNDER_WAY:
        raise OSError(code, os.strerror(code))
