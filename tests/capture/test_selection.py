"""Which packets are written when a name is asked for: all of its connections' from the SYN on, and nobody else's."""

from __future__ import annotations

from capture.traffic import Wire, tls
from meshkit.capture.packet import Packet
from meshkit.capture.selection import Selection
from meshkit.capture.table import Table

BOUND = 10


def written(*wires: Wire) -> list[Packet]:
    """What is written of connections one after another, with a table that holds few."""
    packets: list[Packet] = []
    table = Table(name="backend.*", most=BOUND)
    selection = Selection(table, packets.append, by_name=True)
    for packet in (packet for wire in wires for packet in wire.packets):
        selection.take(packet, table.add(packet))
    assert len(selection._held) <= BOUND
    return packets


def _syn(port: int, *, sequence: int = 100) -> Wire:
    wire = Wire(client_port=port, sequence={True: sequence, False: 5000})
    wire.send(0, "S")
    return wire


def test_a_scan_beyond_the_bound_leaves_nothing_in_the_file() -> None:
    """What was held of a connection that the table has forgotten goes with it."""
    asked = [tls(client_port=port) for port in range(40_000, 40_020)]
    scan = [[_syn(50_000 + 20 * number + n) for n in range(2 * BOUND)] for number in range(len(asked))]
    assert written(*(wire for wanted, syns in zip(asked, scan, strict=True) for wire in (*syns, wanted))) == [
        packet for wanted in asked for packet in wanted.packets
    ]


def test_what_was_held_of_a_port_that_is_used_again_is_left_out() -> None:
    wanted = tls()
    assert written(_syn(wanted.client_port, sequence=7), wanted) == wanted.packets
