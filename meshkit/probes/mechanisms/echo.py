"""TCP echo: what a stream through the mesh costs once it is set up, apart from setting it up.

Through a sidecar the first bytes pay for the connections behind it (to the gateways, the TLS handshake with the other
sidecar), the next ones only for the way. So two exchanges are made on one connection: the first is phase ``setup``, the
second phase ``reply`` and the round trip. It is user-space time with its error bound: kernel stamps of a stream end at
the local sidecar.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from time import monotonic
from typing import Any, ClassVar

from meshkit.probes.io import Io
from meshkit.probes.loop import READ, WRITE, Steps, Wait
from meshkit.probes.mechanisms.tcp import connect
from meshkit.probes.reasons import Failed, one_line
from meshkit.probes.sample import Record

LENGTH = 32
FIRST = b"\xff"
"""No HTTP request begins like this, so an echo that also serves HTTP need not wait for more."""


@dataclass(frozen=True)
class EchoTarget:
    """A host name or address and the port of an echo service (RFC 862)."""

    host: str
    port: int
    mechanism: ClassVar[str] = "echo"

    def observe(self, io: Io, record: Record) -> Steps:
        """Connect, and exchange twice."""
        connection = yield from connect(io, record, self.host, self.port)
        # The kernel's round trip ends at the first peer, often a sidecar on this very machine.
        record.facts["peer_rtt_s"], record.rtt_s, record.rtt_source = record.rtt_s, None, ""
        try:
            record.enter("setup")
            yield from _exchange(connection)
            record.enter("reply")
            begin = monotonic()
            yield from _exchange(connection)
            record.measured(monotonic() - begin, "user", io.loop.blur())
            record.phase_error_s = max(record.phase_error_s, io.loop.blur())
            record.leave()
        finally:
            connection.close()


def _exchange(connection: Any) -> Generator[Wait, Any, None]:
    """Send random bytes and wait for the same; what comes else ends the probe."""
    sent, received = FIRST + os.urandom(LENGTH - 1), b""
    if connection.send(sent) != LENGTH:  # an empty send buffer takes 32 bytes, unless something is very wrong
        yield connection.fileno(), WRITE, 0.0
        raise Failed("internal", "the send buffer is full")
    while len(received) < LENGTH:
        yield connection.fileno(), READ, 0.0
        part = connection.recv(LENGTH - len(received))
        if not part:
            raise Failed("closed", "the echo service, or a proxy on the way to it, closed the connection")
        received += part
        if not sent.startswith(received):
            raise Failed("reply_garbage", one_line(f"not an echo: {received!r}"))
