"""The TCP mechanism against real sockets on loopback."""

from __future__ import annotations

import socket

import pytest

from meshkit.probes.io import Io
from meshkit.probes.mechanisms.tcp import TcpTarget
from probes import responders
from probes.once import observe


def test_connecting_gives_the_kernels_round_trip_and_a_connect_phase() -> None:
    with responders.tcp(lambda connection: connection.recv(1)) as port:
        sample = observe(TcpTarget("127.0.0.1", port))
    assert sample.ok
    assert set(sample.phases) == {"connect"}
    assert sample.rtt_source == "kernel"
    assert sample.rtt_s is not None
    assert 0 < sample.rtt_s <= sample.total_s + sample.rtt_error_s


def test_a_name_is_resolved_as_a_phase_of_its_own() -> None:
    with responders.tcp(lambda connection: connection.recv(1)) as port:
        sample = observe(TcpTarget("localhost", port))
    assert sample.ok
    assert set(sample.phases) == {"resolve", "connect"}
    assert "127.0.0.1" in sample.facts["addresses"]


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        pytest.param("127.0.0.1", "refused", id="a port that nothing listens on"),
        pytest.param("no-such-name.invalid", "name_not_found", id="a name that does not exist"),
        pytest.param("a" * 64 + ".invalid", "name_not_found", id="a label longer than DNS allows"),
    ],
)
def test_a_target_that_can_not_be_reached_has_a_reason_and_no_round_trip(host: str, reason: str) -> None:
    sample = observe(TcpTarget(host, responders.closed_port()))
    assert sample.reason in (reason, "dns_failed")  # a machine without any DNS server can't know that there is no name
    assert sample.rtt_s is None


def test_a_target_that_accepts_and_closes_at_once_has_a_round_trip_too() -> None:
    io = Io()
    with responders.tcp(socket.socket.close) as port:
        samples = [observe(TcpTarget("127.0.0.1", port), io=io) for _ in range(50)]
    io.close()
    assert {sample.reason for sample in samples} == {"ok"}
    assert all(sample.rtt_s for sample in samples)
