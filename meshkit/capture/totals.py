"""What several connections come to."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from meshkit.capture.connection import Connection, Way
from meshkit.capture.meaning import Meaning
from meshkit.capture.segment import Address
from meshkit.capture.stream import Stream
from meshkit.probes.stats import Sketch

NAMELESS = frozenset({"open before", "silent"})


class Destination(NamedTuple):
    """Where connections go: ``in`` were opened to the gateway, ``out`` by it; empty where the capture can't tell.

    ``peer`` is the other end's address where nothing better is known: no hello was seen.
    """

    way: Way
    meaning: Meaning
    peer: Address = b""


def destination(connection: Connection) -> Destination:
    """Of a connection, as far as is known by now."""
    meaning = connection.meaning
    if meaning.kind not in NAMELESS:
        return Destination(connection.way, meaning)
    return Destination(
        connection.way, meaning, connection.client_address if connection.way == "in" else connection.server_address
    )


@dataclass(slots=True)
class Side:
    """What one side has sent in all connections; ``mss`` is the least that it announced."""

    segments: int = 0
    bytes: int = 0
    retransmissions: int = 0
    out_of_order: int = 0
    zero_windows: int = 0
    missing: int = 0
    resets: int = 0
    mss: int | None = None

    def add(self, stream: Stream) -> None:
        """Count one connection's stream; resets are counted with how connections ended."""
        self.segments += stream.segments
        self.bytes += stream.bytes
        self.retransmissions += stream.retransmissions
        self.out_of_order += stream.out_of_order
        self.zero_windows += stream.zero_windows
        self.missing += stream.missing
        if stream.mss is not None:
            self.mss = stream.mss if self.mss is None else min(self.mss, stream.mss)


@dataclass(slots=True)
class Totals:
    """``states`` count connections; round trips are in seconds, of handshakes that were seen whole."""

    states: Counter[str] = field(default_factory=Counter)
    client: Side = field(default_factory=Side)
    server: Side = field(default_factory=Side)
    to_client: Sketch = field(default_factory=Sketch)
    to_server: Sketch = field(default_factory=Sketch)

    @property
    def connections(self) -> int:
        """All of them."""
        return self.states.total()

    def add(self, connection: Connection, now_ns: int) -> None:
        """Count a connection as it is at ``now_ns``."""
        self.states[connection.state(now_ns)] += 1
        self.client.add(connection.client)
        self.server.add(connection.server)
        if connection.reset_by == "client":
            self.client.resets += 1
        elif connection.reset_by == "server":
            self.server.resets += 1
        for trip_ns, sketch in (
            (connection.to_client_ns, self.to_client),
            (connection.to_server_ns, self.to_server),
        ):
            if trip_ns is not None:
                sketch.add(max(trip_ns, 1) / 1e9)

    def copy(self) -> Self:
        """One that can be added to without changing this."""
        return copy.deepcopy(self)
