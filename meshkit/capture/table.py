"""All connections of a capture, and what they come to per destination. Its size has a bound, however long it runs.

Connections beyond the bound are added to their destination's sums and forgotten: those that have ended first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from fnmatch import fnmatchcase

from meshkit.capture.connection import Connection, Way
from meshkit.capture.meaning import Meaning
from meshkit.capture.packet import Packet
from meshkit.capture.segment import ACK, SYN, Address, Segment, SkippedError, segment
from meshkit.capture.totals import Destination, Totals, destination

MOST_CONNECTIONS, MOST_PORTS, MOST_DESTINATIONS = 10_000, 1000, 500
REST = Meaning("rest")
"""Whoever can reach a gateway may ask it for any number of names."""

CONSUL_PORTS = frozenset({443, 8300, 8301, 8302, 8443, 8501, 8502, 8503, 20000})
"""Gateways, servers and sidecars by default: what tells servers from clients where no SYN was seen."""

Key = tuple[Address, int, Address, int]


class Table:
    """``ports`` are those that servers listen on, where that is known; ``name`` a pattern that names must match.

    ``on_forget`` is told the key of each connection that is no longer followed.
    """

    def __init__(self, ports: Collection[int] = (), name: str = "", most: int = MOST_CONNECTIONS) -> None:
        self._ports = set(ports) | CONSUL_PORTS
        self._name = name.lower()
        self._most = most
        self._connections: dict[Key, Connection] = {}
        self._ended: dict[Key, None] = {}
        self._sums: dict[Destination, Totals] = {}
        self.on_forget: Callable[[Key], object] = lambda _: None
        self.packets = 0
        self.bytes = 0
        self.forgotten = 0
        self.skipped: Counter[str] = Counter()
        self.first_ns: int | None = None
        self.last_ns = 0

    def add(self, packet: Packet, pod: str = "") -> Connection | None:
        """Take a packet; its connection, None when it belongs to none."""
        self.packets += 1
        self.bytes += packet.size
        self.last_ns = max(self.last_ns, packet.time_ns)
        self.first_ns = packet.time_ns if self.first_ns is None else min(self.first_ns, packet.time_ns)
        try:
            found = segment(packet)
        except SkippedError as reason:
            self.skipped[str(reason)] += 1
            return None
        connection, by_client = self._find(found, pod)
        ended = connection.over
        connection.take(found, by_client=by_client)
        if connection.over and not ended:
            self._ended[key_of(connection)] = None
        return connection

    def skip(self, reason: str, size: int) -> None:
        """Count a packet that has no IP in it."""
        self.packets += 1
        self.bytes += size
        self.skipped[reason] += 1

    def matches(self, connection: Connection) -> bool:
        """Whether a connection is one of those asked for."""
        return not self._name or (
            bool(connection.server_name) and fnmatchcase(connection.server_name.lower(), self._name)
        )

    def connections(self) -> Iterator[Connection]:
        """Those asked for, the oldest first; without the forgotten ones."""
        return filter(self.matches, self._connections.values())

    def destinations(self) -> dict[Destination, Totals]:
        """What all connections that were asked for come to, per destination and way."""
        sums = {where: totals.copy() for where, totals in self._sums.items()}
        for connection in self.connections():
            self._count(sums, connection)
        return sums

    def _find(self, found: Segment, pod: str) -> tuple[Connection, bool]:
        """The segment's connection, made where there is none, and whether the client has sent it."""
        key = (found.source, found.source_port, found.destination, found.destination_port)
        back = (found.destination, found.destination_port, found.source, found.source_port)
        opens = found.flags & (SYN | ACK) == SYN
        known, by_client = self._connections.get(key), True
        if known is None:
            known, by_client = self._connections.get(back), False
        if known is not None and not (opens and self._another(known, found, by_client=by_client)):
            return known, by_client
        if known is not None:
            self._forget(key_of(known), counted=False)
        by_client = opens or self._by_client(found)
        if opens and len(self._ports) < MOST_PORTS:
            self._ports.add(found.destination_port)
        made = _made(found, pod, by_client=by_client, from_begin=opens)
        self._make_room()
        self._connections[key_of(made)] = made
        return made, by_client

    @staticmethod
    def _another(known: Connection, found: Segment, *, by_client: bool) -> bool:
        """Whether a SYN opens a new connection between the same ports, and is not the old one's come again."""
        return not by_client or known.client.first != found.sequence

    def _by_client(self, found: Segment) -> bool:
        """Who is the client of a connection whose SYN was not seen: the one with a port that nobody listens on."""
        if found.flags & SYN:
            return False  # it has ACK too: the server's answer
        here, there = found.source_port in self._ports, found.destination_port in self._ports
        return there if here != there else found.destination_port <= found.source_port

    def _make_room(self) -> None:
        while len(self._connections) >= self._most:
            self._forget(next(iter(self._ended or self._connections)))

    def _forget(self, key: Key, *, counted: bool = True) -> None:
        connection = self._connections.pop(key)
        self._ended.pop(key, None)
        self.on_forget(key)
        self.forgotten += counted
        if self.matches(connection):
            self._count(self._sums, connection)

    def _count(self, sums: dict[Destination, Totals], connection: Connection) -> None:
        where = destination(connection)
        if where not in sums:
            if len(sums) >= MOST_DESTINATIONS:
                where = Destination(connection.way, REST)
            sums.setdefault(where, Totals())
        sums[where].add(connection, self.last_ns)


def key_of(connection: Connection) -> Key:
    """What the table knows a connection by, until it forgets it."""
    return (
        connection.client_address,
        connection.client_port,
        connection.server_address,
        connection.server_port,
    )


def _made(found: Segment, pod: str, *, by_client: bool, from_begin: bool) -> Connection:
    way: Way = "" if found.outgoing is None else "out" if found.outgoing == by_client else "in"
    ends = (found.source, found.source_port), (found.destination, found.destination_port)
    client, server = ends if by_client else ends[::-1]
    return Connection(*client, *server, found.time_ns, found.time_ns, pod, way, from_begin)
