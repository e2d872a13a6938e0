"""Frames between keeper and prober: whole, in order, and never waited for."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from meshkit.probes.agent.link import Inbox, Outbox, frame

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    with one, other:
        one.settimeout(0.0)
        other.settimeout(0.0)
        yield one, other


def test_what_the_other_side_is_too_slow_for_is_dropped_and_the_rest_arrives_whole_and_in_order(pair: Pair) -> None:
    outbox, inbox = Outbox(pair[0], limit=100_000), Inbox(pair[1])
    taken = [number for number in range(3000) if outbox.put((number, "x" * 500))]
    assert len(taken) < 3000
    got: list[int] = []
    while len(got) < len(taken):
        got += [number for number, _ in inbox.read()]
        outbox.send()
    assert got == taken
    assert outbox.put(("again", ""))


def test_a_frame_larger_than_any_buffer_passes_in_pieces(pair: Pair) -> None:
    outbox, inbox = Outbox(pair[0]), Inbox(pair[1])
    outbox.put("y" * 3_000_000)
    got: list[str] = []
    while not got:
        outbox.send()
        got += inbox.read()
    assert got == ["y" * 3_000_000]


def test_the_end_is_seen_also_in_the_middle_of_a_frame(pair: Pair) -> None:
    inbox = Inbox(pair[1])
    pair[0].sendall(frame("whole") + frame("torn")[:-2])
    pair[0].close()
    assert list(inbox.read()) == ["whole"]
    assert list(inbox.read()) == []
    assert inbox.ended


def test_sending_to_one_who_has_gone_is_an_error_not_a_hang(pair: Pair) -> None:
    pair[1].close()
    with pytest.raises(OSError, match="Broken pipe"):
        Outbox(pair[0]).put("x")
