"""ICMP echo: what ping does, over the process's one socket. ``socket`` in the facts says of which kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from meshkit.probes import stamps
from meshkit.probes.io import Io
from meshkit.probes.loop import MAIL, Steps
from meshkit.probes.pings import LARGEST, SMALLEST
from meshkit.probes.reasons import OK, Failed
from meshkit.probes.sample import Record


@dataclass(frozen=True)
class IcmpTarget:
    """A host name or address, and the payload's size in bytes."""

    host: str
    size: int = 56
    mechanism: ClassVar[str] = "icmp"

    def __post_init__(self) -> None:
        """Refuse what no packet can carry."""
        if not SMALLEST <= self.size <= LARGEST:
            raise ValueError(f"icmp: size is {self.size}, not between {SMALLEST} and {LARGEST}")

    def observe(self, io: Io, record: Record) -> Steps:
        """Send one request and wait for its reply, or an ICMP error about it."""
        address = yield from io.resolve(record, self.host, 0)
        record.enter("reply")
        pings = io.pings(address[0])
        record.facts["socket"] = pings.kind
        ping = pings.send(address, self.size)
        try:
            if not ping.reason:
                yield MAIL, ping, 0.0
        finally:
            pings.forget(ping)
        if ping.reason != OK:
            raise Failed(ping.reason, f"says {ping.reporter}")
        record.phase_error_s = max(record.phase_error_s, io.loop.blur())
        stamps.measure(record, ping.sent, ping.stamps[0], ping.received, ping.stamps[1])
        record.leave()
