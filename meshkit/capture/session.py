"""One capture from its first packet to its result: the table of connections, and the file if one is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from meshkit.capture.files import Writer
from meshkit.capture.packet import Packet
from meshkit.capture.result import NOTHING_LOST, Losses, Result
from meshkit.capture.selection import Selection
from meshkit.capture.table import Table

NANOSECONDS = 1e9


@dataclass(frozen=True)
class Wanted:
    """What is asked for: names that match a pattern (all, when empty), and so many packets at most (None: no end)."""

    name: str = ""
    count: int | None = None


class Session:
    """Takes packets that are cut already, one thread at a time. ``ports`` are those that servers listen on."""

    def __init__(self, source: str, wanted: Wanted, writer: Writer | None = None, ports: Collection[int] = ()) -> None:
        self._source = source
        self._wanted = wanted
        self._writer = writer
        self._taken = 0
        self.table = Table(ports, wanted.name)
        self._selection = Selection(self.table, self._write, by_name=bool(wanted.name))

    @property
    def full(self) -> bool:
        """Whether as many packets have come as were asked for."""
        return self._wanted.count is not None and self._taken >= self._wanted.count

    def take(self, packet: Packet, pod: str = "") -> None:
        """Follow a packet, unless enough have come."""
        if not self.full:
            self._taken += self._selection.take(packet, self.table.add(packet, pod))

    def flush(self) -> None:
        """Have all that was written so far in the file, for whoever reads along."""
        if self._writer is not None:
            self._writer.flush()

    def result(
        self, losses: Losses = NOTHING_LOST, notes: Sequence[str] = (), names: Mapping[str, str] | None = None
    ) -> Result:
        """What it has come to by now."""
        table = self.table
        return Result(
            self._source,
            table.destinations(),
            tuple(table.connections()),
            table.packets,
            table.bytes,
            None if table.first_ns is None else table.first_ns / NANOSECONDS,
            None if table.first_ns is None else table.last_ns / NANOSECONDS,
            losses,
            dict(table.skipped),
            table.forgotten,
            tuple(notes),
            names or {},
        )

    def _write(self, packet: Packet) -> None:
        if self._writer is not None:
            self._writer.write(packet)
