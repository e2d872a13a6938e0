"""The TCP mechanism against real sockets on loopback."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread

import pytest

from meshkit.probes.io import Io
from meshkit.probes.mechanisms.tcp import RESENT_RTT_ERROR_S, TcpTarget, connect
from meshkit.probes.reasons import of_errno
from meshkit.probes.sample import Record
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


@pytest.fixture
def crowded() -> Iterator[socket.socket]:
    """A listener whose queue is full: the kernel drops further SYNs until something is accepted."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        stack.enter_context(socket.create_connection(listener.getsockname()))
        yield listener


def test_after_a_lost_syn_the_round_trip_is_known_to_a_millisecond_only(crowded: socket.socket) -> None:
    def accept_when_it_was_sent_again() -> None:
        with crowded.accept()[0], crowded.accept()[0]:
            pass

    io = Io()
    steps = connect(io, record := Record(), *crowded.getsockname())
    descriptor, *_ = next(steps)  # the first SYN is lost
    accepting = Thread(target=accept_when_it_was_sent_again)
    accepting.start()
    writable = select.poll()
    writable.register(descriptor, select.POLLOUT)
    assert writable.poll(10_000)
    with pytest.raises(StopIteration) as ended:
        steps.send(select.EPOLLOUT)
    ended.value.value.close()
    accepting.join()
    io.close()
    assert record.retransmits == 1
    assert record.rtt_s is not None
    assert record.rtt_error_s == RESENT_RTT_ERROR_S
    assert record.rtt_s - record.rtt_error_s < 0.0005  # on loopback it takes microseconds


def test_being_woken_for_nothing_is_not_a_connection(crowded: socket.socket) -> None:
    io = Io()
    steps = connect(io, record := Record(), *crowded.getsockname())
    first = next(steps)
    assert steps.send(select.EPOLLOUT) == first
    assert record.rtt_s is None
    steps.close()
    io.close()


@pytest.mark.parametrize("code", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTO, errno.ENONET])
def test_no_errno_of_a_network_is_told_as_a_fault_of_the_prober(code: int) -> None:
    assert of_errno(code, "connect") != "internal"
