"""The ICMP echo mechanism against this machine's own kernel, and against packets that it did not ask for."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.probes import packets, pings, stamps
from meshkit.probes.engine import Engine
from meshkit.probes.io import Io
from meshkit.probes.mechanisms.icmp import IcmpTarget
from meshkit.probes.probe import Probe
from meshkit.probes.sample import Sample
from probes.once import SERIES, observe


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("size", [18, 56, 57, 1400])
def test_a_reply_gives_the_kernels_round_trip(host: str, size: int) -> None:
    sample = observe(IcmpTarget(host, size), timeout_s=1)
    assert (sample.reason, sample.rtt_source, sample.facts["socket"]) == ("ok", "kernel", "raw")
    assert sample.rtt_s is not None
    assert 0 < sample.rtt_s < sample.phases["reply"]


def test_without_permission_for_either_kind_of_socket_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(socket.socket):
        def __init__(self, family: int = -1, kind: int = -1, proto: int = -1, fileno: int | None = None) -> None:
            if proto == socket.IPPROTO_ICMP:
                raise PermissionError(1, "Operation not permitted")
            super().__init__(family, kind, proto, fileno)

    monkeypatch.setattr(pings.socket, "socket", Refusing)
    sample = observe(IcmpTarget("127.0.0.1"))
    assert (sample.reason, sample.rtt_s) == ("not_permitted", None)


def test_many_probes_at_once_share_one_socket_and_each_gets_its_own_reply() -> None:
    samples: list[Sample] = []
    io = Io()
    try:
        before = len(list(Path("/proc/self/fd").iterdir()))
        probes = [Probe(f"p{n}", SERIES, IcmpTarget(f"127.0.{n // 200}.{n % 200 + 1}"), 0.5) for n in range(1000)]
        Engine(io, lambda _, sample: samples.append(sample)).run(probes, count=3)
        assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
        assert io.dropped == 0
    finally:
        io.close()
    assert len(samples) == 3000
    assert {(sample.reason, sample.rtt_source) for sample in samples} == {("ok", "kernel")}


def test_after_a_packet_that_can_not_be_sent_stamps_still_belong_to_their_packets() -> None:
    io = Io()
    try:
        assert observe(IcmpTarget("127.0.0.1"), io=io).rtt_source == "kernel"
        assert observe(IcmpTarget("::ffff:127.0.0.1"), io=io, timeout_s=0.1).rtt_s is None
        with pytest.raises(OSError, match="too long"):
            io.pings(socket.AF_INET).send((socket.AF_INET, ("127.0.0.1", 0)), 65520)
        assert observe(IcmpTarget("127.0.0.1"), io=io).rtt_source == "kernel"
    finally:
        io.close()


@given(st.binary(max_size=120))
def test_random_packets_are_neither_replies_nor_errors_of_ours(data: bytes) -> None:
    io = Io()
    try:
        shared = io.pings(socket.AF_INET)
        ping = pings.Ping(None, "127.0.0.1", bytes(56))
        shared._pending[1] = ping
        message = stamps.Message(data, ("127.0.0.1", 0), 1, None)
        shared._take(data, message)
        shared._take(struct.pack("!BBHHH", 0, 0, 0, shared._ident, 1) + data, message)
        assert ping.reason in ("", "reply_garbage")
    finally:
        io.close()


@pytest.mark.parametrize(
    ("version", "kind", "code", "reason"),
    [
        (4, 3, 1, "unreachable"),
        (4, 3, 13, "prohibited"),
        (4, 11, 0, "ttl_exceeded"),
        (4, 3, 4, "too_big"),
        (6, 1, 0, "unreachable"),
        (6, 1, 1, "prohibited"),
        (6, 3, 0, "ttl_exceeded"),
        (6, 2, 0, "too_big"),
    ],
)
def test_each_icmp_error_has_its_reason(version: int, kind: int, code: int, reason: str) -> None:
    assert packets.reason_of(version, kind, code) == reason


@pytest.mark.parametrize("size", [0, 17, 65508])
def test_a_size_that_no_packet_has_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="size"):
        IcmpTarget("127.0.0.1", size)
