"""What this machine runs out of is a reason like any other, and nothing leaks."""

from __future__ import annotations

import errno
import resource
import socket
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from meshkit.probes import reasons
from meshkit.probes.engine import Engine
from meshkit.probes.io import Io
from meshkit.probes.mechanisms import tcp
from meshkit.probes.mechanisms.tcp import TcpTarget
from meshkit.probes.probe import Probe
from meshkit.probes.sample import Sample
from probes import responders
from probes.once import SERIES, observe

IP_LOCAL_PORT_RANGE = 51
"""linux/in.h, since Linux 6.3: the source ports that one socket may take."""


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_free_descriptor_is_no_files() -> None:
    io = Io()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # those that are open stay so
        sample = observe(TcpTarget("127.0.0.1", 9), io=io)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        io.close()
    assert (sample.reason, sample.rtt_s) == ("no_files", None)


@pytest.mark.parametrize("code", [errno.ENOBUFS, errno.ENOMEM])
def test_a_kernel_without_memory_is_a_fault_of_this_machine(code: int) -> None:
    assert reasons.of_errno(code, "connect") == "no_memory"
    assert "no_memory" in reasons.OWN


def test_no_free_source_port_is_no_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    with responders.tcp(lambda connection: connection.recv(1)) as port, socket.socket() as holder:
        holder.connect(("127.0.0.1", port))
        taken = holder.getsockname()[1]

        def narrow(family: int, kind: int) -> socket.socket:
            made = socket.socket(family, kind)
            made.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("HH", taken, taken))
            return made

        monkeypatch.setattr(tcp, "_socket", SimpleNamespace(socket=narrow))
        sample = observe(TcpTarget("127.0.0.1", port))
    assert (sample.reason, sample.rtt_s) == ("no_ports", None)


def test_a_thousand_probes_leave_no_descriptor() -> None:
    io, samples = Io(), list[Sample]()
    with responders.tcp(socket.socket.close) as port:
        before = descriptors()
        probes = [Probe(f"p{i}", SERIES, TcpTarget("127.0.0.1", port), timeout_s=5) for i in range(200)]
        made = Engine(io, lambda _, sample: samples.append(sample))
        for _ in range(5):
            made.run(probes, count=1)
        assert descriptors() <= before + 20  # the responder's last connections
    io.close()
    assert len(samples) == 1000
    assert {sample.reason for sample in samples} == {"ok"}
