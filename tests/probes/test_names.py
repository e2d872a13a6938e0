"""Name resolution with resolvers that hang, lie and fail."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from meshkit.probes import names
from meshkit.probes.engine import Engine
from meshkit.probes.io import Io
from meshkit.probes.mechanisms.tcp import TcpTarget
from meshkit.probes.names import literal
from meshkit.probes.probe import Probe
from meshkit.probes.sample import Record, Sample
from probes import responders
from probes.once import SERIES, observe


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names below .hangs are looked up until the test ends; all others are this machine. The look-ups made."""
    release, asked = threading.Event(), []

    def getaddrinfo(host: str, port: Any, **_: Any) -> list[Any]:
        asked.append(host)
        if host.endswith(".hangs"):
            release.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port or 0))]

    monkeypatch.setattr(names.socket, "getaddrinfo", getaddrinfo)
    yield asked
    release.set()


def run(targets: list[TcpTarget], timeout_s: float) -> list[Sample]:
    samples: list[Sample] = []
    io = Io()
    try:
        probes = [Probe(f"p{n}", SERIES, target, timeout_s=timeout_s) for n, target in enumerate(targets)]
        Engine(io, lambda _, sample: samples.append(sample)).run(probes, count=1)
    finally:
        io.close()
    return samples


def test_a_resolver_that_hangs_does_not_keep_the_probe_past_its_deadline(hanging: list[str]) -> None:
    begin = monotonic()
    sample = observe(TcpTarget("name.hangs", 80), timeout_s=0.1)
    assert (sample.reason, sample.rtt_s) == ("timeout_resolve", None)
    assert monotonic() - begin < 2
    assert hanging == ["name.hangs"]


def test_a_name_that_hangs_takes_one_thread_however_many_probes_want_it(hanging: list[str]) -> None:
    with responders.tcp(lambda connection: connection.recv(1)) as port:
        targets = [TcpTarget("dead.hangs", port)] * (names.THREADS + 8) + [TcpTarget("alive.test", port)]
        reasons = [sample.reason for sample in run(targets, 0.5)]
    assert sorted(set(reasons)) == ["ok", "timeout_resolve"]
    assert reasons.count("ok") == 1
    assert hanging.count("dead.hangs") == 1


def test_many_names_at_once_are_all_resolved(hanging: list[str]) -> None:
    with responders.tcp(lambda connection: connection.recv(1)) as port:
        samples = run([TcpTarget(f"n{n}.test", port) for n in range(300)], 5)
    assert {sample.reason for sample in samples} == {"ok"}
    assert len(samples) == len(hanging) == 300


def test_a_resolver_that_says_nothing_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names.socket, "getaddrinfo", lambda *_, **__: [])
    assert observe(TcpTarget("name.test", 80)).reason == "name_no_data"


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "\ud800.test", "a\x00b", "b\u00fccher\u3002\u3002test"])
def test_what_is_not_a_host_name_is_not_found(host: str) -> None:
    assert observe(TcpTarget(host, 80)).reason == "name_not_found"


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1"), ("0:0::1", "::1"), ("fe80::1%lo", None), ("localhost", None)]
)
def test_an_address_is_written_as_the_kernel_writes_it(host: str, address: str | None) -> None:
    found = literal(host, 80)
    assert (found[1][0] if found else None) == address


def test_closing_leaves_no_descriptor_open(hanging: list[str]) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        observe(TcpTarget("name.hangs", 80), timeout_s=0.01)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert len(hanging) == 20


def test_a_process_exits_while_a_resolver_hangs() -> None:
    """With the threads of an executor this takes as long as the look-up."""
    code = (
        "import socket, threading\n"
        "socket.getaddrinfo = lambda *_, **__: threading.Event().wait()\n"
        "from probes.once import observe\n"
        "from meshkit.probes.mechanisms.tcp import TcpTarget\n"
        "print(observe(TcpTarget('name.test', 80), timeout_s=0.05).reason)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, env=environment, check=False)
    assert done.stdout == "timeout_resolve\n", done.stderr


def test_what_is_kept_of_hosts_is_bounded_since_redirects_name_ever_new_ones() -> None:
    assert literal.cache_info().maxsize == 65536
    io = Io()
    before = {name: len(value) for name, value in vars(io).items() if isinstance(value, dict)}
    for number in range(100):
        with suppress(StopIteration):
            next(io.resolve(Record(), f"192.0.2.{number}", 80))
    assert {name: len(value) for name, value in vars(io).items() if isinstance(value, dict)} == before
    io.close()
