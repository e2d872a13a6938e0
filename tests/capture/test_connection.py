"""TCP health, seen at a point between client and server."""

from __future__ import annotations

import pytest

from capture.traffic import MS, Packet, Wire, records, tls
from capture.traffic import hello as client_hello
from meshkit.capture.connection import Connection
from meshkit.capture.table import Table

BLOCK = b"x" * 1000


def followed(wire: Wire | list[Packet], *, until: float = 10_000) -> tuple[Connection, str]:
    """The one connection of some packets, and its state at a time in milliseconds."""
    table = Table()
    packets = wire.packets if isinstance(wire, Wire) else wire
    for packet in packets:
        table.add(packet)
    (connection,) = table.connections()
    return connection, connection.state((1_000_000 + round(until)) * MS)


def test_the_handshake_is_two_round_trips() -> None:
    """SYN to SYN-ACK is that to the server, SYN-ACK to ACK that to the client."""
    connection, _ = followed(Wire().handshake(to_server=70.0, to_client=2.0))
    assert (connection.to_server_ns, connection.to_client_ns) == (70 * MS, 2 * MS)


def test_after_a_syn_that_was_sent_twice_no_round_trip_is_claimed() -> None:
    wire = Wire()
    wire.send(0, "S", sequence=100)
    wire.handshake(1000)
    connection, _ = followed(wire)
    assert (connection.to_server_ns, connection.to_client_ns) == (None, 2 * MS)
    assert connection.client.retransmissions == 1


def test_after_a_syn_ack_that_was_sent_twice_neither() -> None:
    wire = Wire()
    wire.send(0, "S")
    wire.send(70, "SA", by_client=False, advance=False)
    wire.send(1070, "SA", by_client=False)
    wire.send(1072, "A")
    connection, _ = followed(wire)
    assert (connection.to_server_ns, connection.to_client_ns) == (None, None)
    assert connection.server.retransmissions == 1


def test_segment_sizes_both_ways() -> None:
    connection, _ = followed(Wire().handshake())
    assert (connection.client.mss, connection.server.mss) == (1460, 1400)


def test_bytes_are_counted_once() -> None:
    wire = Wire().handshake()
    wire.say(100, BLOCK)
    wire.send(150, "PA", BLOCK, sequence=101)
    connection, _ = followed(wire)
    assert (connection.client.bytes, connection.client.retransmissions) == (1000, 1)


def test_what_was_seen_and_comes_again_is_a_retransmission() -> None:
    """However soon: its original is known to have passed."""
    wire = Wire().handshake()
    wire.send(100, "PA", BLOCK, by_client=False)
    wire.send(100.1, "PA", BLOCK, by_client=False, sequence=5001)
    connection, _ = followed(wire)
    assert (connection.server.retransmissions, connection.server.out_of_order) == (1, 0)


@pytest.mark.parametrize(("after", "retransmissions", "out_of_order"), [(1.0, 0, 1), (75.0, 1, 0)])
def test_what_fills_a_gap_is_late_or_sent_again(after: float, retransmissions: int, out_of_order: int) -> None:
    """The server is 70 ms away: sooner it can't have learned of a loss here, so it was only overtaken."""
    wire = Wire().handshake(to_server=70)
    first = wire.sequence[False]
    wire.send(100, "PA", BLOCK, by_client=False, sequence=first + 1000)
    wire.send(100 + after, "PA", BLOCK, by_client=False, sequence=first)
    connection, _ = followed(wire)
    stream = connection.server
    assert (stream.retransmissions, stream.out_of_order, stream.missing, stream.bytes) == (
        retransmissions,
        out_of_order,
        0,
        2000,
    )


def test_a_gap_that_is_filled_piece_by_piece() -> None:
    wire = Wire().handshake(to_client=2)
    wire.send(100, "PA", BLOCK, sequence=101 + 3000)
    for at, place in ((110, 1000), (111, 0)):
        wire.send(at, "PA", BLOCK, sequence=101 + place)
    connection, _ = followed(wire)
    assert (connection.client.retransmissions, connection.client.missing) == (2, 1000)


def test_sequence_numbers_begin_again_behind_the_last() -> None:
    """Numbers have 32 bits; a stream that runs over their end is a stream like any other."""
    wire = Wire()
    wire.sequence[True] = (1 << 32) - 1500
    wire.handshake().say(100, BLOCK * 5, mss=1000)
    connection, _ = followed(wire)
    assert (connection.client.bytes, connection.client.retransmissions, connection.client.missing) == (5000, 0, 0)


def test_a_keepalive_is_no_retransmission() -> None:
    wire = Wire().handshake().say(100, BLOCK)
    wire.send(5000, "A", b"\0", sequence=wire.sequence[True] - 1)
    wire.send(6000, "A", sequence=wire.sequence[True] - 1)
    connection, _ = followed(wire)
    assert connection.client.retransmissions == 0


def test_zero_windows_are_counted_as_often_as_the_window_closes() -> None:
    wire = Wire().handshake()
    for at, window in ((100, 0), (110, 0), (120, 50), (130, 0), (140, 50)):
        wire.send(at, "A", by_client=False, window=window)
    connection, _ = followed(wire)
    assert (connection.server.zero_windows, connection.client.zero_windows) == (2, 0)


def test_a_reset_has_no_window() -> None:
    wire = Wire().handshake()
    wire.send(100, "R", window=0)
    connection, _ = followed(wire)
    assert connection.client.zero_windows == 0


@pytest.mark.parametrize("by_client", [True, False])
def test_who_has_reset(by_client: bool) -> None:  # noqa: FBT001 - a table's column
    wire = Wire().handshake()
    wire.send(100, "RA", by_client=by_client)
    connection, state = followed(wire)
    assert (state, connection.reset_by) == ("reset", "client" if by_client else "server")


def test_a_reset_behind_both_ends_is_none() -> None:
    """Whoever closes with data unread sends one, and nothing was broken by it."""
    wire = Wire().handshake().close(100)
    wire.send(200, "R")
    connection, state = followed(wire)
    assert (state, connection.reset_by) == ("closed", "")


def test_a_refused_connection() -> None:
    wire = Wire()
    wire.send(0, "S")
    wire.send(1, "RA", by_client=False)
    assert followed(wire)[1] == "refused"


@pytest.mark.parametrize(("until", "state"), [(900, "opening"), (1100, "unanswered")])
def test_a_syn_without_an_answer(until: float, state: str) -> None:
    """It is lost once Linux would send it again."""
    wire = Wire()
    wire.send(0, "S")
    assert followed(wire, until=until)[1] == state


def test_a_connection_that_was_open_before() -> None:
    """Its client is the one whose port nobody listens on, and its name can't be known."""
    wire = Wire()
    wire.send(0, "PA", b"\x17\x03\x03\0\x10" + b"s" * 16, by_client=False)
    wire.send(1, "A")
    connection, state = followed(wire)
    assert (connection.client_port, connection.server_port, state) == (40000, 8443, "open")
    assert connection.meaning.label == "open before the capture"


def test_a_hello_is_read_where_only_the_syn_is_missing() -> None:
    wire = tls()
    connection, _ = followed(wire.packets[2:])
    assert connection.meaning.label == "service backend in aks"


def test_a_hello_in_the_middle_of_a_stream_is_none() -> None:
    """Bytes that look like one behind other data are somebody's payload."""
    wire = Wire()
    wire.send(0, "PA", b"\x17\x03\x03\0\x10" + b"s" * 16)
    wire.say(1, records(client_hello()))
    connection, _ = followed(wire)
    assert connection.meaning.label == "open before the capture"


@pytest.mark.parametrize("v6", [False, True])
def test_a_connection_from_its_begin_to_its_end(v6: bool) -> None:  # noqa: FBT001 - a table's column
    connection, state = followed(tls(protocols=("h2",), v6=v6))
    assert (state, connection.meaning.label) == ("closed", "service backend in aks")
    assert connection.server_name.startswith("backend.default.aks.internal.")
    assert (connection.client.retransmissions, connection.server.bytes) == (0, len(b"answer"))
