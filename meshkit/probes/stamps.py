"""The kernel's time stamps of packets, and what round trip they make.

Both stamps come from CLOCK_REALTIME: the send stamp from the error queue (taken as the driver gets the packet), the
receive stamp beside the data. That clock can be stepped. So it is read together with the monotonic one before sending
and after receiving: stamps outside these readings, or readings between which the two clocks disagree, are not used, and
the round trip is the user-space one, marked so. SO_TIMESTAMPING serves both directions: SO_TIMESTAMPNS would make up a
stamp at the time of reading for a packet that the kernel has not stamped.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
from contextlib import suppress
from time import monotonic_ns, time_ns
from typing import Any, NamedTuple

from meshkit.probes.packets import reason_of
from meshkit.probes.sample import Record

SO_TIMESTAMPING = 37
SENT, RECEIVED, REPORT_SOFTWARE, NUMBERED, WITHOUT_DATA = 1 << 1, 1 << 3, 1 << 4, 1 << 7, 1 << 11
"""Flags of linux/net_tstamp.h: SOF_TIMESTAMPING_TX_SOFTWARE, RX_SOFTWARE, SOFTWARE, OPT_ID, OPT_TSONLY."""

RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
REPORTS = frozenset(RECVERR.values())
EXTENDED_ERROR = struct.Struct("=IBBBxII")
"""struct sock_extended_err of linux/errqueue.h: errno, origin, type, code, info, data; then the reporter's address."""

BY_ICMP = {2: 4, 3: 6}
"""Origins SO_EE_ORIGIN_ICMP and ICMP6, and the IP version."""

STAMP = struct.Struct("=qq")
CONTROL = 256
KERNEL_ERROR_S = 1e-6
"""Between the stamp and the wire, and reading the clock; interrupt coalescing of a network card is not in it."""

STAMPING_NS = 100_000_000
"""Longest wait for the kernel to begin with stamps."""

SLACK_NS = 200
"""Rounding of clocks that are read one after the other."""


class Reading(NamedTuple):
    """Both clocks, in ns: the realtime one was read at ``monotonic`` or at most ``doubt`` later."""

    monotonic: int
    realtime: int
    doubt: int


class Report(NamedTuple):
    """What the error queue says: a stamp's number, or an error and the reason it stands for."""

    number: int
    reason: str
    info: int
    reporter: str


class Message(NamedTuple):
    """One message of a socket. ``stamp`` is realtime in ns, 0 when the kernel made none."""

    data: bytes
    address: Any
    stamp: int
    report: Report | None


def enable(endpoint: socket.socket, *, numbered: bool = False) -> None:
    """Have packets of a socket stamped in both directions; sent ones numbered from 0 when asked."""
    flags = SENT | RECEIVED | REPORT_SOFTWARE | WITHOUT_DATA | (NUMBERED if numbered else 0)
    endpoint.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)


def keep_on() -> socket.socket:
    """A socket for whose life this machine's kernel stamps what arrives: close it last.

    The first socket that asks for stamps has the kernel begin with them for all, by a task that it puts off
    (net_enable_timestamp in net/core/dev.c): what arrives until then has none. So this waits for a stamped packet of
    its own, which takes microseconds, or some milliseconds where nobody else has asked; without loopback it does not.
    """
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    with suppress(OSError):
        enable(own)
        own.bind(("127.0.0.1", 0))
        end = monotonic_ns() + STAMPING_NS
        while monotonic_ns() < end:
            own.sendto(b"", own.getsockname())
            select.select([own], [], [], STAMPING_NS * 1e-9)
            message = receive(own, 0)
            if message is not None and message.stamp:
                break
    return own


def report_errors(endpoint: socket.socket) -> None:
    """Have ICMP errors put in the error queue, with what they say."""
    endpoint.setsockopt(*RECVERR[socket.AddressFamily(endpoint.family)], 1)


def read_clocks() -> Reading:
    """Read both clocks together."""
    before = monotonic_ns()
    return Reading(before, time_ns(), monotonic_ns() - before)


def receive(endpoint: socket.socket, size: int, flags: int = 0) -> Message | None:
    """The next message (of the error queue with MSG_ERRQUEUE), None when there is none."""
    try:
        data, control, _, address = endpoint.recvmsg(size, CONTROL, flags)
    except BlockingIOError:
        return None
    stamp, report = 0, None
    for level, kind, value in control:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPING):
            seconds, nanoseconds = STAMP.unpack_from(value)
            stamp = seconds * 1_000_000_000 + nanoseconds
        elif (level, kind) in REPORTS:
            report = _report(value)
    return Message(data, address, stamp, report)


def _report(value: bytes) -> Report:
    code, origin, kind, detail, info, number = EXTENDED_ERROR.unpack_from(value)
    if code == errno.ENOMSG:
        return Report(number, "", info, "")
    reason = "too_big" if code == errno.EMSGSIZE else "unreachable"
    if origin in BY_ICMP:
        reason = reason_of(BY_ICMP[origin], kind, detail) or reason
    return Report(0, reason, info, _reporter(value[EXTENDED_ERROR.size :]))


def _reporter(value: bytes) -> str:
    if len(value) < 2:  # noqa: PLR2004, a family
        return ""
    family = int.from_bytes(value[:2], "little")
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, value[4:8])
    return socket.inet_ntop(socket.AF_INET6, value[8:24]) if family == socket.AF_INET6 else ""


def round_trip_ns(sent: Reading, sent_stamp: int, received: Reading, received_stamp: int) -> int | None:
    """Kernel to kernel, None when the stamps are missing or can't be what they say."""
    if not sent.realtime <= sent_stamp < received_stamp <= received.realtime:
        return None
    elapsed = received.monotonic - sent.monotonic
    by_wall = received.realtime - sent.realtime
    if not -sent.doubt - SLACK_NS <= by_wall - elapsed <= received.doubt + SLACK_NS:
        return None
    return received_stamp - sent_stamp


def measure(record: Record, sent: Reading, sent_stamp: int, received: Reading, received_stamp: int) -> None:
    """Write the round trip: the kernel's, or user space's when its stamps can't be used."""
    found = round_trip_ns(sent, sent_stamp, received, received_stamp)
    if found is not None:
        record.measured(found * 1e-9, "kernel", KERNEL_ERROR_S + (sent.doubt + received.doubt) * 1e-9)
        return
    elapsed_s = (received.monotonic - sent.monotonic) * 1e-9
    record.measured(elapsed_s, "user", elapsed_s)
