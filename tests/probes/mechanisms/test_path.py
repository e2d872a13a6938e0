"""The path mechanism on loopback; across routers it is tested in integration/probes/test_path.py."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.probes import packets
from meshkit.probes.io import Io
from meshkit.probes.mechanisms.path import PathTarget
from meshkit.probes.mechanisms.syns import layers, renumbered
from probes import responders
from probes.once import observe


@pytest.mark.parametrize("method", ["tcp", "icmp"])
def test_this_machine_is_one_hop_away(method: str) -> None:
    with responders.tcp(lambda connection: connection.recv(1)) as port:
        sample = observe(PathTarget("127.0.0.1", port, method))
    assert (sample.reason, sample.rtt_source, sample.facts["reached"]) == ("ok", "kernel", True)
    assert [hop["addresses"] for hop in sample.facts["hops"]] == [["127.0.0.1"]]
    assert [answer.rpartition(" ")[0].rpartition(" ")[0] for answer in sample.facts["answers"]] == ["1 127.0.0.1"]


def test_thirty_traces_leave_no_descriptor_open() -> None:
    io = Io()
    try:
        observe(PathTarget("127.0.0.1", 1), io=io)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(30):
            observe(PathTarget("127.0.0.1", 1), io=io)
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    finally:
        io.close()


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_segment_with_another_sequence_number_is_as_scapy_would_make_it(first: int, second: int) -> None:
    IP, _, TCP = layers()  # noqa: N806, scapy's names

    def crafted(sequence: int) -> bytes:
        return bytes(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=7, dport=443, seq=sequence, flags="S"))[20:]

    assert renumbered(crafted(first), second) == crafted(second)


@pytest.mark.parametrize("wrong", [{"method": "udp"}, {"max_hops": 0}, {"max_hops": 65}])
def test_what_can_not_be_traced_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="path: "):
        PathTarget("127.0.0.1", **wrong)


@given(st.sampled_from([4, 6]), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=120))
def test_random_icmp_is_read_without_a_traceback(version: int, kind: int, code: int, data: bytes) -> None:
    message = struct.pack("!BB", kind, code) + data
    notice = packets.read_notice(version, message)
    assert notice is None or notice.reason == packets.reason_of(version, kind, code) != ""


def test_scapy_prints_nothing_and_needs_no_home() -> None:
    code = (
        "from meshkit.probes.mechanisms.syns import layers\n"
        "IP, _, TCP = layers()\n"
        "print(len(bytes(IP(src='10.0.0.1', dst='10.0.0.2') / TCP())))\n"
    )
    environment = {"HOME": "/nonexistent", "PATH": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert (done.stdout, done.stderr) == ("40\n", "")
