"""The path to a target: its hops by TCP or ICMP traceroute, and the largest packet that passes.

All hop limits are tried at once; those that stay silent are tried again. Facts are written as they come, so that a
trace ended by its deadline still says how far it got.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from time import monotonic
from typing import Any, ClassVar

from meshkit.probes import stamps
from meshkit.probes.io import Io
from meshkit.probes.loop import MAIL, Expired, Steps, Wait
from meshkit.probes.mechanisms import mtu
from meshkit.probes.mechanisms.syns import Syns, loaded
from meshkit.probes.names import Address
from meshkit.probes.pings import NONCE_LENGTH, Ping
from meshkit.probes.reasons import OK, Failed
from meshkit.probes.sample import Record

METHODS = ("tcp", "icmp")
TRIES = 2
WAIT_S = 1.0
SIZE = 32
MAX_HOPS = 64

Send = Callable[[int], Ping]


@dataclass(frozen=True)
class PathTarget:
    """A host name or address, the port of a TCP trace, and whether the path's MTU is searched for (by ICMP echo)."""

    host: str
    port: int = 443
    method: str = "tcp"
    max_hops: int = 20
    mtu: bool = False
    mechanism: ClassVar[str] = "path"

    def __post_init__(self) -> None:
        """Refuse what can't be traced."""
        if self.method not in METHODS:
            raise ValueError(f"path: method is {self.method!r}, not tcp or icmp")
        if not 1 <= self.max_hops <= MAX_HOPS:
            raise ValueError(f"path: max_hops is {self.max_hops}, not between 1 and {MAX_HOPS}")

    def observe(self, io: Io, record: Record) -> Steps:
        """Trace, then search for the MTU."""
        address = yield from io.resolve(record, self.host, self.port)
        record.facts |= {"method": self.method, "reached": False, "hops": []}
        record.enter("trace")
        try:
            yield from self._trace(io, record, address)
            if self.mtu:
                record.enter("mtu")
                yield from mtu.search(io, record, address)
                record.facts["answers"].append(mtu.shown(record))
        except Expired as expired:
            raise Failed("timeout_reply", f"{record.phase}: did not end in time") from expired
        record.leave()

    def _trace(self, io: Io, record: Record, address: Address) -> Generator[Wait, Any, None]:
        key = object()
        if self.method == "tcp":
            yield from loaded()
            syns = Syns(io.loop, address, key)
            try:
                yield from self._rounds(record, syns.send, key)
            finally:
                syns.close()
            return
        pings, nonce, sent = io.pings(address[0]), os.urandom(NONCE_LENGTH), list[Ping]()

        def send(hops: int) -> Ping:
            sent.append(pings.send(address, SIZE, hops=hops, key=key, nonce=nonce))
            return sent[-1]

        try:
            yield from self._rounds(record, send, key)
        finally:
            for ping in sent:
                pings.forget(ping)

    def _rounds(self, record: Record, send: Send, key: Any) -> Generator[Wait, Any, None]:
        """Each hop limit once, and the silent ones again; ends when the target and all before it have answered."""
        answers: dict[int, Ping] = {}
        end = self.max_hops
        for _ in range(TRIES):
            waiting = {hops: send(hops) for hops in range(1, end + 1) if hops not in answers}
            until = monotonic() + WAIT_S
            while True:
                answers |= {hops: ping for hops, ping in waiting.items() if ping.reason}
                end = min((hops for hops, ping in answers.items() if ping.reason != "ttl_exceeded"), default=end)
                _describe(record, answers, end)
                if all(hops in answers for hops in range(1, end + 1)) or monotonic() >= until:
                    break
                yield MAIL, key, until
        last = answers.get(end)
        if last is None or last.reason == "ttl_exceeded":
            raise Failed("timeout_reply", f"no answer from the target within {self.max_hops} hops")
        if last.reason != OK:
            raise Failed(last.reason, f"says {last.reporter}, hop {end}")
        stamps.measure(record, last.sent, last.stamps[0], last.received, last.stamps[1])


def _describe(record: Record, answers: dict[int, Ping], end: int) -> None:
    """Write the hops up to the last that answered; a silent one has its number only."""
    hops: list[dict[str, Any]] = []
    for number in range(1, max((hops for hops in answers if hops <= end), default=0) + 1):
        hop: dict[str, Any] = {"hop": number}
        ping = answers.get(number)
        if ping is not None:
            measured = Record()
            stamps.measure(measured, ping.sent, ping.stamps[0], ping.received, ping.stamps[1])
            hop |= {"addresses": [ping.reporter], "rtt_s": measured.rtt_s, "rtt_source": measured.rtt_source}
        hops.append(hop)
    record.facts["hops"] = hops
    record.facts["answers"] = [_shown(hop) for hop in hops]
    record.facts["reached"] = end in answers and answers[end].reason == OK


def _shown(hop: dict[str, Any]) -> str:
    """A hop as traceroute prints it."""
    if "addresses" not in hop:
        return f"{hop['hop']} *"
    took = "" if hop["rtt_s"] is None else f" {hop['rtt_s'] * 1e3:.1f} ms"
    return f"{hop['hop']} {' '.join(hop['addresses'])}{took}"
