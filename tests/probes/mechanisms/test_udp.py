"""The UDP echo mechanism against real sockets on loopback."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit.probes import stamps
from meshkit.probes.io import Io
from meshkit.probes.mechanisms.udp import UdpTarget
from probes.once import observe

Reply = Callable[[socket.socket, bytes, tuple[str, int]], None]


@contextmanager
def server(reply: Reply, bound: socket.socket | None = None) -> Iterator[int]:
    """A UDP port whose datagrams are each given to ``reply``."""
    with bound or socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        if bound is None:
            endpoint.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=_serve, args=(endpoint, reply), daemon=True)
        thread.start()
        port = endpoint.getsockname()[1]
        try:
            yield port
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", ("127.0.0.1", port))
            thread.join(timeout=5)


def _serve(endpoint: socket.socket, reply: Reply) -> None:
    while True:
        data, sender = endpoint.recvfrom(65535)
        if not data:
            return
        reply(endpoint, data, sender)


def echo(endpoint: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
    endpoint.sendto(data, sender)


def test_an_echo_gives_the_kernels_round_trip_within_what_user_space_saw() -> None:
    with server(echo) as port:
        sample = observe(UdpTarget("127.0.0.1", port))
    assert (sample.reason, sample.rtt_source) == ("ok", "kernel")
    assert sample.rtt_s is not None
    assert 0 < sample.rtt_s < sample.phases["reply"]


def test_a_port_on_which_nothing_listens_is_refused() -> None:
    with server(echo) as port:
        pass
    sample = observe(UdpTarget("127.0.0.1", port))
    assert (sample.reason, sample.rtt_s) == ("refused", None)


def test_silence_ends_at_the_deadline() -> None:
    with server(lambda *_: None) as port:
        sample = observe(UdpTarget("127.0.0.1", port), timeout_s=0.1)
    assert (sample.reason, sample.rtt_s) == ("timeout_reply", None)


def test_late_echoes_of_earlier_probes_and_duplicates_are_passed_over() -> None:
    def late_first(endpoint: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
        endpoint.sendto(data[:16] + os.urandom(16) + data[32:], sender)
        endpoint.sendto(data, sender)
        endpoint.sendto(data, sender)

    with server(late_first) as port:
        sample = observe(UdpTarget("127.0.0.1", port))
    assert (sample.reason, sample.facts["strays"]) == ("ok", 1)


def test_what_others_send_is_passed_over() -> None:
    def other(endpoint: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
            liar.sendto(data, sender)
        echo(endpoint, data, sender)

    with server(other) as port:
        sample = observe(UdpTarget("127.0.0.1", port))
    assert (sample.reason, sample.facts["strays"]) == ("ok", 1)


@settings(max_examples=100)
@given(st.binary(max_size=2000))
def test_random_bytes_are_never_an_echo(data: bytes) -> None:
    with server(lambda endpoint, _, sender: endpoint.sendto(data, sender)) as port:
        sample = observe(UdpTarget("127.0.0.1", port))
    assert (sample.reason, sample.rtt_s) == ("reply_garbage", None)


@pytest.mark.parametrize("step_ns", [3_600_000_000_000, -3_600_000_000_000, 5_000_000, -5_000_000])
def test_a_clock_that_is_stepped_during_a_probe_gives_the_user_space_round_trip(
    monkeypatch: pytest.MonkeyPatch, step_ns: int
) -> None:
    readings: list[stamps.Reading] = []

    def stepped() -> stamps.Reading:
        reading = read()
        readings.append(reading)
        # The first is of the socket's making, the second before sending, the third after receiving.
        return reading if len(readings) < 3 else reading._replace(realtime=reading.realtime + step_ns)

    read = stamps.read_clocks
    monkeypatch.setattr(stamps, "read_clocks", stepped)
    with server(echo) as port:
        sample = observe(UdpTarget("127.0.0.1", port))
    assert (sample.reason, sample.rtt_source) == ("ok", "user")
    assert sample.rtt_s is not None
    assert 0 < sample.rtt_s <= sample.phases["reply"]


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.integers(1, 10**6), st.integers(-(10**7), 10**7))
def test_a_kernel_round_trip_is_above_zero_and_at_most_what_user_space_saw(
    sent: int, received: int, elapsed: int, step: int
) -> None:
    before = stamps.Reading(10**12, 10**15, 100)
    after = stamps.Reading(10**12 + elapsed, 10**15 + elapsed + step, 100)
    found = stamps.round_trip_ns(before, 10**15 + sent, after, 10**15 + received)
    assert found is None or 0 < found <= elapsed + 2 * 100 + stamps.SLACK_NS


@pytest.mark.parametrize("size", [0, 31, 65508])
def test_a_size_that_no_datagram_has_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="size"):
        UdpTarget("127.0.0.1", 7, size)


def test_thousands_of_probes_leave_no_descriptor_open() -> None:
    io = Io()
    try:
        with server(echo) as port:
            observe(UdpTarget("127.0.0.1", port), io=io)
            before = len(list(Path("/proc/self/fd").iterdir()))
            for _ in range(2000):
                observe(UdpTarget("127.0.0.1", port), io=io)
            assert len(list(Path("/proc/self/fd").iterdir())) == before
    finally:
        io.close()
