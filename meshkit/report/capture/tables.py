"""Captures as tables: what goes where and how it fares, and, where asked for, every connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meshkit.capture.connection import Connection
from meshkit.capture.result import Result
from meshkit.capture.totals import Destination, Totals
from meshkit.probes.stats import Sketch
from meshkit.report.capture.addresses import endpoint, named
from meshkit.report.figures import NOTHING, count, duration, moment, words

Table = tuple[Sequence[str], Sequence[Sequence[str]]]

COLUMNS = (
    "way",
    "destination",
    "conns",
    "open",
    "failed",
    "to client",
    "to server",
    "resent",
    "reordered",
    "zero win",
    "resets",
    "mss",
    "bytes",
)
CONNECTIONS = (
    "began",
    "way",
    "client",
    "server",
    "destination",
    "alpn",
    "state",
    "to client",
    "to server",
    "resent",
    "zero win",
    "mss",
    "bytes",
)
FAILED = ("refused", "unanswered")
NANOSECONDS = 1e9
LEGEND = (
    "to client, to server: median round trip of handshakes from the capture point; a/b: sent by clients/by servers",
)
UNITS = ("B", "kB", "MB", "GB", "TB")
STEP = 1000


def as_tables(result: Result, *, connections: bool) -> Iterator[Table]:
    """Destinations, the busiest first; then the connections."""
    ordered = sorted(
        result.destinations.items(), key=lambda item: (-item[1].connections, item[0].meaning.label, item[0].peer)
    )
    yield COLUMNS, [_row(where, totals, result) for where, totals in ordered]
    if connections:
        now_ns = int((result.ended or 0) * NANOSECONDS)
        yield CONNECTIONS, [_connection(each, result, now_ns) for each in result.connections]


def remarks(result: Result) -> Iterator[str]:
    """How to read it, how much it is, and what is not in it."""
    if result.destinations:
        yield from LEGEND
    seconds = (result.ended or 0) - (result.began or 0)
    yield f"{count(result.packets, 'packet')} in {duration(seconds)}, {lost(result)}"
    if result.losses.total:
        yield (
            f"! lost: {result.losses.kernel:,} by the kernel, {result.losses.buffer:,} because they were not fetched "
            "in time; connections with gaps are not the network's"
        )
    if result.skipped:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(result.skipped.items()))
        yield f"! {count(sum(result.skipped.values()), 'packet')} could not be followed: {reasons}"
    if result.forgotten:
        yield f"! {count(result.forgotten, 'connection')} more in the sums than can be listed"
    yield from (f"! {words(note)}" for note in result.notes)


def lost(result: Result) -> str:
    """The count of lost packets, 0 too: it is part of every capture's result."""
    return f"{result.losses.total:,} lost"


def label(where: Destination, result: Result) -> str:
    """What a row is about, with the other end where that is all that is known."""
    if not where.peer:
        return words(where.meaning.label)
    return f"{words(where.meaning.label)}, {'from' if where.way == 'in' else 'to'} {named(where.peer, result.names)}"


def size(number: int) -> str:
    """Bytes with three digits."""
    value, unit = float(number), 0
    while value >= STEP and unit < len(UNITS) - 1:
        value, unit = value / STEP, unit + 1
    return f"{number} B" if not unit else f"{value:.3g} {UNITS[unit]}"


def _row(where: Destination, totals: Totals, result: Result) -> tuple[str, ...]:
    failed = ", ".join(f"{totals.states[state]} {state}" for state in FAILED if totals.states[state])
    client, server = totals.client, totals.server
    return (
        where.way or NOTHING,
        label(where, result),
        f"{totals.connections:,}",
        f"{totals.states['open'] + totals.states['opening']:,}",
        failed or NOTHING,
        _median(totals.to_client),
        _median(totals.to_server),
        pair(client.retransmissions, server.retransmissions),
        pair(client.out_of_order, server.out_of_order),
        pair(client.zero_windows, server.zero_windows),
        pair(client.resets, server.resets),
        _sizes(client.mss, server.mss),
        f"{size(client.bytes)}/{size(server.bytes)}",
    )


def _connection(connection: Connection, result: Result, now_ns: int) -> tuple[str, ...]:
    client, server = connection.client, connection.server
    state = connection.state(now_ns)
    hello = connection.hello.hello
    return (
        moment(connection.began_ns / NANOSECONDS),
        connection.way or NOTHING,
        endpoint(connection.client_address, connection.client_port, result.names),
        endpoint(connection.server_address, connection.server_port, result.names),
        words(connection.meaning.label),
        words(", ".join(hello.protocols)) if hello and hello.protocols else NOTHING,
        f"{state} by {connection.reset_by}" if state == "reset" else state,
        _trip(connection.to_client_ns),
        _trip(connection.to_server_ns),
        pair(client.retransmissions, server.retransmissions),
        pair(client.zero_windows, server.zero_windows),
        _sizes(client.mss, server.mss),
        f"{size(client.bytes)}/{size(server.bytes)}",
    )


def pair(client: int, server: int) -> str:
    """Both sides' counts; a dash when there is nothing to tell."""
    return f"{client:,}/{server:,}" if client or server else NOTHING


def _sizes(client: int | None, server: int | None) -> str:
    if client is None and server is None:
        return NOTHING
    return f"{NOTHING if client is None else client}/{NOTHING if server is None else server}"


def _median(sketch: Sketch) -> str:
    return duration(sketch.quantile(0.5)) if sketch.count else NOTHING


def _trip(nanoseconds: int | None) -> str:
    return NOTHING if nanoseconds is None else duration(nanoseconds / NANOSECONDS)
