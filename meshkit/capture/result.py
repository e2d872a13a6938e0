"""A capture as it is shown: what was seen, what was lost, and by which names addresses go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from meshkit.capture.connection import Connection
from meshkit.capture.totals import Destination, Totals


@dataclass(frozen=True)
class Losses:
    """Packets that passed the filter and were not followed; by the kernel, and for a reader that was too slow."""

    kernel: int = 0
    buffer: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.kernel + self.buffer


NOTHING_LOST = Losses()


@dataclass(frozen=True)
class Result:
    """``source`` is a datacenter or a file; times in Unix seconds, None without a packet.

    ``skipped`` counts packets that carry no TCP that could be followed, by reason; ``forgotten`` connections that are
    in the sums alone. ``names`` go with addresses as text.
    """

    source: str
    destinations: Mapping[Destination, Totals]
    connections: tuple[Connection, ...]
    packets: int = 0
    bytes: int = 0
    began: float | None = None
    ended: float | None = None
    losses: Losses = NOTHING_LOST
    skipped: Mapping[str, int] = field(default_factory=dict)
    forgotten: int = 0
    notes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
