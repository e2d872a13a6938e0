"""Which packets go into the file: those of connections whose name matches, from their first SYN on.

The name is known only with the hello, so the few packets before it are held until then.
"""

from __future__ import annotations

from collections.abc import Callable

from meshkit.capture.connection import Connection
from meshkit.capture.packet import Packet
from meshkit.capture.table import Key, Table, key_of

MOST_HELD, MOST_UNDECIDED = 32, 4096
"""Packets of one connection, and connections: a hello comes right behind the handshake."""


class Selection:
    """Hands on to ``write`` what is asked for; packets are cut already."""

    def __init__(self, table: Table, write: Callable[[Packet], None], *, by_name: bool) -> None:
        self._table = table
        self._write = write
        self._by_name = by_name
        self._held: dict[Key, list[Packet]] = {}
        table.on_forget = self._drop

    def take(self, packet: Packet, connection: Connection | None) -> int:
        """Write, hold or drop a packet; how many were written."""
        if not self._by_name:
            self._write(packet)
            return 1
        if connection is None:
            return 0
        key = key_of(connection)
        if not connection.decided:
            self._hold(packet, key)
            return 0
        held = [*self._held.pop(key, ()), packet]
        if not self._table.matches(connection):
            return 0
        for each in held:
            self._write(each)
        return len(held)

    def _hold(self, packet: Packet, key: Key) -> None:
        if key not in self._held and len(self._held) >= MOST_UNDECIDED:
            del self._held[next(iter(self._held))]
        held = self._held.setdefault(key, [])
        if len(held) < MOST_HELD:
            held.append(packet)

    def _drop(self, key: Key) -> None:
        """Whatever opens the same ports next is another connection."""
        self._held.pop(key, None)
