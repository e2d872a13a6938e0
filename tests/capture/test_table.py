"""All connections of a capture: by destination, in bounded memory, whatever comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.traffic import TRUST, Wire, cut, records, tls
from meshkit.capture.packet import Packet
from meshkit.capture.table import Table
from meshkit.capture.totals import Totals


def filled(*wires: Wire, table: Table | None = None) -> Table:
    table = table or Table()
    for wire in wires:
        for packet in wire.packets:
            table.add(packet)
    return table


def by_label(table: Table) -> dict[tuple[str, str], Totals]:
    return {(where.way, where.meaning.label): totals for where, totals in table.destinations().items()}


def test_connections_are_counted_by_what_they_are_for() -> None:
    found = by_label(
        filled(
            *(tls(client_port=port) for port in (40001, 40002)),
            tls("s0.server.eks.consul", ("consul/wan-gossip/packet",), client_port=40003, out=True, server_port=443),
            tls("server.eks.consul", ("consul/rpc-multi",), client_port=40004, out=True, server_port=443),
        )
    )
    assert {where: totals.connections for where, totals in found.items()} == {
        ("in", "service backend in aks"): 2,
        ("out", "WAN gossip to eks"): 1,
        ("out", "server RPC in eks"): 1,
    }


def test_sums_of_a_destination() -> None:
    """Round trips are a distribution, segment sizes the least, and the rest is added."""
    first, second = tls(client_port=40001), Wire(client_port=40002).handshake(to_server=10)
    second.say(80, records(b"")).say(80, tls().packets[3].data[40:])
    second.send(90, "RA", by_client=False)
    (totals,) = by_label(filled(first, second)).values()
    assert (totals.states["closed"], totals.states["reset"], totals.server.resets) == (1, 1, 1)
    assert (totals.to_server.count, round(totals.to_server.least, 3), round(totals.to_server.most, 3)) == (
        2,
        0.01,
        0.07,
    )
    assert (totals.client.mss, totals.server.mss) == (1460, 1400)


def test_only_names_that_match() -> None:
    table = filled(
        tls(client_port=40001),
        tls(f"web.default.aks.internal.{TRUST}", client_port=40002),
        Wire(client_port=40003).handshake(),
        table=Table(name="BACKEND.*"),
    )
    assert [connection.client_port for connection in table.connections()] == [40001]
    assert len(table.destinations()) == 1


def test_beyond_the_bound_the_sums_stay_right() -> None:
    """Connections that have ended are forgotten first, and none of them is lost from the sums."""
    table = Table(most=3)
    filled(Wire(client_port=50000).handshake(), table=table)
    filled(*(tls(client_port=40000 + n) for n in range(10)), table=table)
    listed = [connection.client_port for connection in table.connections()]
    assert 50000 in listed
    assert (len(listed), table.forgotten) == (3, 8)
    assert by_label(table)["in", "service backend in aks"].connections == 10


def test_a_port_that_is_used_again_is_another_connection() -> None:
    first, second = tls(), tls()
    second.packets = [p._replace(time_ns=p.time_ns + 1_000_000_000) for p in _later(50_000).packets]
    table = filled(first, second)
    (totals,) = table.destinations().values()
    assert (totals.connections, totals.client.retransmissions) == (2, 0)


def test_ports_that_are_used_again_and_again_take_no_memory() -> None:
    """And what is forgotten for room is what has ended, not what has the same ports."""
    table = filled(*(_later(50_000 + 5000 * n) for n in range(20)), table=Table(most=2))
    assert (len(table._connections), len(table._ended)) == (1, 1)
    assert by_label(table)["in", "service backend in aks"].connections == 20


def _later(sequence: int) -> Wire:
    wire = Wire()
    wire.sequence = {True: sequence, False: sequence + 70_000}
    return wire.handshake().say(80, tls().packets[3].data[40:]).close(200)


def test_a_hello_that_the_capture_has_cut() -> None:
    table = Table()
    for packet in cut(tls().packets, 96):
        table.add(packet)
    assert [where.meaning.label for where in table.destinations()] == ["hello not captured whole"]


def test_what_can_not_be_followed_is_counted_by_reason() -> None:
    table = Table()
    table.add(Packet(1, None, 60, b"\x45" + b"\0" * 40))
    table.add(Packet(2, None, 60, b"\x45"))
    table.skip("not IP", 60)
    assert table.skipped == {"not TCP": 1, "cut short": 1, "not IP": 1}
    assert (table.packets, table.bytes, table.first_ns, table.last_ns) == (3, 180, 1, 2)


def test_any_number_of_names_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can reach a gateway may ask it for anything."""
    monkeypatch.setattr("meshkit.capture.table.MOST_DESTINATIONS", 2)
    found = by_label(filled(*(tls(f"n{n}.example", client_port=40000 + n) for n in range(5))))
    assert {where: totals.connections for where, totals in found.items()} == {
        ("in", "name n0.example"): 1,
        ("in", "name n1.example"): 1,
        ("in", "all others"): 3,
    }


def test_connections_open_before_go_by_their_other_end() -> None:
    wires = [Wire(client_port=40001), Wire(client_port=40002, out=True, server_port=443)]
    for wire in wires:
        wire.send(0, "A")
    peers = {where.way: where.peer for where in filled(*wires).destinations()}
    assert peers == {"in": bytes((10, 0, 0, 1)), "out": bytes((10, 0, 0, 2))}


PACKETS = [packet for n in range(4) for packet in tls(client_port=40000 + n, v6=n % 2 == 0).packets]


@given(st.data())
def test_no_packet_breaks_the_table(data: st.DataObject) -> None:
    """Real packets, damaged, cut, doubled and in any order."""
    table = Table(most=2)
    for packet in data.draw(st.lists(st.sampled_from(PACKETS), max_size=30)):
        content = bytearray(packet.data[: data.draw(st.integers(0, len(packet.data)))])
        for _ in range(data.draw(st.integers(0, 3))) if content else ():
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        table.add(packet._replace(data=bytes(content)))
    connections = sum(totals.connections for totals in table.destinations().values())
    assert connections == len(list(table.connections())) + table.forgotten
