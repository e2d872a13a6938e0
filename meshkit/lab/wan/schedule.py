"""When each packet of a link is due: delay, jitter, loss and a bounded queue, without any clock or device.

With jitter, a packet never overtakes one sent before it on the same way. netem reorders by default, but a reordered
TCP stream looks like loss to its sender, and real paths keep the order of one flow.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from meshkit.lab.wan.link import Link

QUEUE_LIMIT = 20_000
"""Packets under way per direction: 300 Mbit/s of full packets for 0.8 s, the long side of a WAN's buffers."""

Key = TypeVar("Key")


@dataclass
class Counters:
    """Packets of one direction: sent on, and dropped by cause."""

    packets: int = 0
    bytes: int = 0
    lost: int = 0
    cut: int = 0
    queue: int = 0
    mtu: int = 0


@dataclass
class Direction:
    """One direction's link and what has passed over it."""

    link: Link
    counters: Counters = field(default_factory=Counters)
    last_due: float = 0.0
    under_way: int = 0


class Schedule:
    """Packets under way in all directions, by the time at which they are due."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.SystemRandom()
        self._heap: list[tuple[float, int, Direction, int, bytes]] = []
        self._sequence = 0

    def offer(self, direction: Direction, packet: bytes, device: int, now: float) -> None:
        """Take a packet in, or drop and count it. ``device`` is where it leaves; ``now`` is in seconds."""
        link, counters = direction.link, direction.counters
        if link.cut:
            counters.cut += 1
        elif link.loss and self._rng.random() < link.loss:
            counters.lost += 1
        elif direction.under_way >= QUEUE_LIMIT:
            counters.queue += 1
        else:
            jitter = self._rng.uniform(-link.jitter_s, link.jitter_s) if link.jitter_s else 0.0
            due = max(now + max(link.delay_s + jitter, 0.0), direction.last_due)
            direction.last_due = due
            direction.under_way += 1
            self._sequence += 1
            heapq.heappush(self._heap, (due, self._sequence, direction, device, packet))

    def next_due(self) -> float | None:
        """When the next packet is due, None when none is under way."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Iterator[tuple[int, bytes]]:
        """Device and packet of everything due by now, in order."""
        while self._heap and self._heap[0][0] <= now:
            _, _, direction, device, packet = heapq.heappop(self._heap)
            direction.under_way -= 1
            if direction.link.cut:
                direction.counters.cut += 1
                continue
            direction.counters.packets += 1
            direction.counters.bytes += len(packet)
            yield device, packet
