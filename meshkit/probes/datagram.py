"""One UDP request and what comes back: a socket of its own, stamped by the kernel, with ICMP errors told apart.

The socket is not connected, so that an answer from another address is seen rather than lost.
"""

from __future__ import annotations

import socket
from collections.abc import Generator
from typing import Any

from meshkit.probes import stamps
from meshkit.probes.loop import READ, Loop, Wait
from meshkit.probes.names import Address
from meshkit.probes.reasons import Failed
from meshkit.probes.sample import Record

LARGEST = 65535


class Datagram:
    """A request under way; close it."""

    def __init__(self, loop: Loop, address: Address) -> None:
        family, self._target = address
        self._loop = loop
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._sent_stamp = self._stamp = 0
        self._sent = self._received = stamps.read_clocks()
        try:
            stamps.enable(self._socket)
            stamps.report_errors(self._socket)
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        """Release the socket."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send the request; OSError when this machine does not."""
        self._sent = stamps.read_clocks()
        try:
            self._socket.sendto(data, self._target)
        except BlockingIOError as error:
            raise Failed("internal", "the send buffer is full") from error
        self._read_reports()

    def receive(self) -> Generator[Wait, Any, tuple[bytes, str]]:
        """The next datagram, and the sender's address where it is not the target's; Failed for an ICMP error."""
        while True:
            yield self._socket.fileno(), READ, 0.0
            self._read_reports()
            message = stamps.receive(self._socket, LARGEST)
            if message is None:
                continue
            self._received, self._stamp = stamps.read_clocks(), message.stamp
            same = tuple(message.address[:2]) == tuple(self._target[:2])
            return message.data, "" if same else str(message.address[0])

    def measure(self, record: Record) -> None:
        """Write the round trip of the request and the datagram that was received last."""
        record.phase_error_s = max(record.phase_error_s, self._loop.blur())
        stamps.measure(record, self._sent, self._sent_stamp, self._received, self._stamp)

    def _read_reports(self) -> None:
        while (message := stamps.receive(self._socket, 0, socket.MSG_ERRQUEUE)) is not None:
            report = message.report
            if report is not None and report.reason:
                raise Failed(report.reason, f"says {report.reporter}" if report.reporter else "says this machine")
            self._sent_stamp = message.stamp
