"""The echo mechanism against real sockets on loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from meshkit.probes.mechanisms.echo import EchoTarget
from probes import responders
from probes.once import observe, patience_s


def _echo(connection: socket.socket) -> None:
    while data := connection.recv(4096):
        connection.sendall(data)


def _byte_by_byte(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := connection.recv(4096):
        for byte in data:
            connection.sendall(bytes([byte]))


@pytest.mark.parametrize("serve", [_echo, _byte_by_byte])
def test_setting_up_and_replying_are_phases_of_their_own(serve: Callable[[socket.socket], None]) -> None:
    with responders.tcp(serve) as port:
        sample = observe(EchoTarget("127.0.0.1", port))
    assert sample.ok
    assert set(sample.phases) == {"connect", "setup", "reply"}
    assert sample.rtt_source == "user"
    assert sample.rtt_s is not None
    assert 0 < sample.rtt_s <= sample.phases["reply"]
    assert sample.facts["peer_rtt_s"] > 0


def _answer_once(connection: socket.socket) -> None:
    connection.sendall(connection.recv(4096))
    connection.shutdown(socket.SHUT_WR)
    connection.recv(4096)  # unread, the next bytes would make it a reset


def _close(connection: socket.socket) -> None:
    connection.recv(4096)


def _garbage(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def _silent(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


@pytest.mark.parametrize(
    ("serve", "reason", "phases"),
    [
        pytest.param(_close, "closed", {"connect"}, id="closes after the first bytes"),
        pytest.param(_answer_once, "closed", {"connect", "setup"}, id="closes between the exchanges"),
        pytest.param(_garbage, "reply_garbage", {"connect"}, id="answers something else"),
        pytest.param(_silent, "timeout_setup", {"connect"}, id="accepts and stays silent"),
    ],
)
def test_each_fault_has_its_reason_and_only_the_phases_that_were_reached(
    serve: Callable[[socket.socket], None], reason: str, phases: set[str]
) -> None:
    with responders.tcp(serve) as port:
        sample = observe(EchoTarget("127.0.0.1", port), timeout_s=patience_s(reason))
    assert (sample.reason, set(sample.phases), sample.rtt_s) == (reason, phases, None)
