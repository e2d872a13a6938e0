"""The largest packet that passes whole: believed where a router names it, searched for where packets vanish.

ICMP echo of one size with "don't fragment". A router that drops it and says so gives the next hop's MTU (RFC 1191,
RFC 8201). One that stays silent is a black hole: small passes, large vanishes, connections hang after the handshake.
Several sizes are tried at once, since each vanished one costs its whole wait.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Generator
from time import monotonic
from typing import Any

from meshkit.probes import stamps
from meshkit.probes.io import Io
from meshkit.probes.loop import MAIL, Wait
from meshkit.probes.names import Address
from meshkit.probes.pings import DONT_FRAGMENT, LARGEST, PROBE, Ping, PingSocket
from meshkit.probes.reasons import OK
from meshkit.probes.sample import Record

LEAST = {socket.AF_INET: 576, socket.AF_INET6: 1280}
HEADERS = {socket.AF_INET: 28, socket.AF_INET6: 48}
ABREAST = 8
TRIES = 3
FIRST_WAIT_S = 0.6


def search(io: Io, record: Record, address: Address) -> Generator[Wait, Any, None]:
    """Write ``mtu``, ``mtu_black_hole`` and who named it; ``mtu`` is None when not even a small packet is answered."""
    family = address[0]
    pings = io.pings(family, whole=True)
    low, high = LEAST[family], local(address)
    record.facts["mtu"] = None
    began = monotonic()
    if not (yield from _pass(pings, address, [low], FIRST_WAIT_S))[0]:
        return
    wait_s = min(1.0, 3 * (monotonic() - began) + 0.05)
    highest, sizes, named = high, [high], False
    while low < high:
        passed, hint, reporter = yield from _pass(pings, address, sizes, wait_s)
        low = max(low, passed)
        high = min([size - 1 for size in sizes if size > low], default=high)
        sizes = sorted({low + (high - low) * part // ABREAST for part in range(1, ABREAST + 1)} - {low})
        if reporter:
            named, record.facts["mtu_router"] = True, reporter
            if low <= hint <= high:  # a hint beyond that is a lie, or missing
                high, sizes = hint, [hint]
    if low < highest and not named:  # a black hole is a grave word: what vanished is asked for once more
        low = max(low, (yield from _pass(pings, address, [highest], wait_s))[0])
    record.facts["mtu"] = low
    record.facts["mtu_black_hole"] = low < highest and not named


def shown(record: Record) -> str:
    """What was found, in a few words."""
    found = record.facts["mtu"]
    if found is None:
        return "mtu unknown: nothing is answered"
    return f"mtu {found}, larger packets vanish without a word" if record.facts["mtu_black_hole"] else f"mtu {found}"


def _pass(
    pings: PingSocket, address: Address, sizes: list[int], wait_s: float
) -> Generator[Wait, Any, tuple[int, int, str]]:
    """The largest of these sizes that passed (0 for none), the smallest MTU that a router named, and that router.

    What is silent is sent again after half of the wait, so that lost packets cost less than each a whole one.
    """
    key, done, sent = object(), dict[int, Ping](), list[tuple[int, Ping]]()
    try:
        for left in reversed(range(TRIES)):
            sent += [
                (size, pings.send(address, size - HEADERS[address[0]], key=key)) for size in sizes if size not in done
            ]
            until = monotonic() + (wait_s / 2 if left else wait_s)
            while True:
                done |= {size: ping for size, ping in sent if ping.reason}
                if len(done) == len(sizes) or monotonic() >= until:
                    break
                yield MAIL, key, until
            if max(sizes) in done:
                break
    finally:
        for _, ping in sent:
            pings.forget(ping)
    passed = max((size for size, ping in done.items() if ping.reason == OK), default=0)
    hints = [(ping.mtu, ping.reporter) for ping in done.values() if ping.reason == "too_big"]
    return passed, *min(hints, default=(0, ""))


def local(address: Address) -> int:
    """The MTU of this machine's own link to an address.

    The kernel names it when asked to queue, not yet send (MSG_MORE), a datagram that no link takes.
    """
    family, target = address
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as endpoint:
        endpoint.setsockopt(*DONT_FRAGMENT[family], PROBE)
        stamps.report_errors(endpoint)
        endpoint.connect((target[0], 9, *target[2:]))
        try:
            endpoint.send(bytes(LARGEST), socket.MSG_MORE)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            message = stamps.receive(endpoint, 0, socket.MSG_ERRQUEUE)
            if message is not None and message.report is not None:
                return message.report.info
    return LARGEST + HEADERS[socket.AF_INET]
