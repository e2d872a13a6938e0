"""One-off runs over stdin and stdout, as pods/exec carries them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

import pytest

from meshkit.errors import UsageError
from meshkit.probes.agent import run
from meshkit.probes.mechanisms.udp import UdpTarget
from meshkit.probes.probe import Probe, Series
from meshkit.probes.summary import Summary, merged
from probes.agent.agents import probe

ARGV = [sys.executable, "-m", "meshkit.probes.agent", "run"]


@contextmanager
def running(request: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A run that has its request, and an input that stays open."""
    with subprocess.Popen(ARGV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        try:
            yield process
        finally:
            process.kill()


def _answers(process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    assert process.stdout
    return [json.loads(line) for line in process.stdout]


def test_a_run_of_a_count_answers_windows_samples_and_an_end(target: int) -> None:
    request = {"probes": [probe("p", target)], "count": 10, "window_s": 0.2, "samples": True}
    with running(request) as process:
        answers = _answers(process)
        assert process.wait(10) == 0
    windows = [Summary.from_wire(wire) for answer in answers for wire in answer.get("windows", ())]
    assert len(windows) > 1
    assert sum(window.sent for window in windows) == 10
    assert all(0 < window.width_s < 1 for window in windows)
    assert sum("sample" in answer for answer in answers) == 10
    assert answers[-1]["end"]["started"] == 10


def test_more_probes_than_the_soft_limit_of_files_are_under_way_at_once() -> None:
    """Shells and container runtimes set it low for programs that use select; the hard one is what counts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        target = UdpTarget(*silent.getsockname())
        series = Series("aks", "eks", "silent", "udp")
        probes = [Probe(f"p{n}", series, target, 0.1, 1.0).as_wire() for n in range(200)]
        request = json.dumps({"probes": probes, "count": 1}).encode() + b"\n"
        command = ["prlimit", "--nofile=64:4096", *ARGV]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin
            process.stdin.write(request)
            process.stdin.flush()
            answers = _answers(process)
    windows = [Summary.from_wire(wire) for answer in answers for wire in answer.get("windows", ())]
    assert merged(windows)[series].reasons == {"timeout_reply": 200}


def test_a_run_for_a_time_ends_by_itself(target: int) -> None:
    with running({"probes": [probe("p", target)], "for_s": 0.5}) as process:
        answers = _answers(process)
        assert process.wait(10) == 0
    assert answers[-1]["end"]["started"] >= 5


def test_the_end_of_the_input_ends_a_run_that_has_no_other(target: int) -> None:
    with running({"probes": [probe("p", target)], "window_s": 0.1}) as process:
        assert process.stdin
        assert process.stdout
        assert "windows" in json.loads(process.stdout.readline())
        process.stdin.close()
        answers = _answers(process)
        assert process.wait(10) == 0
    assert "end" in answers[-1]


def test_a_reader_that_goes_ends_the_run(target: int) -> None:
    with running({"probes": [probe("p", target)], "window_s": 0.1}) as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 0


def test_a_reader_that_is_slow_delays_no_probe(target: int) -> None:
    with running({"probes": [probe("p", target, interval_s=0.005)], "for_s": 3, "samples": True}) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(4)  # its answers are more than a pipe holds, so it waits for its reader
        answers = _answers(process)
    assert answers[-1]["end"]["started"] >= 500


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(b"", "there is no request", id="nothing"),
        pytest.param(b'{"probes": []}', "input ended", id="half a line"),
        pytest.param(b"\x00\xff\xfe\n", "not JSON", id="bytes"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "not JSON", id="another protocol"),
        pytest.param(b"[" * 200_000 + b"\n", "not JSON", id="nested too deep"),
        pytest.param(b"3\n", "no list of probes", id="a number"),
        pytest.param(b'{"probes": [{}]}\n', "not a probe", id="an empty probe"),
        pytest.param(b'{"probes": [], "count": 0}\n', "count", id="a count of none"),
        pytest.param(b'{"probes": [], "count": "3"}\n', "count", id="a count that is a text"),
        pytest.param(b'{"probes": [], "for_s": -1}\n', "for_s", id="a negative time"),
        pytest.param(b'{"probes": [], "window_s": NaN}\n', "window_s", id="a window that is no number"),
        pytest.param(b'{"probes": [], "identities": {"a": {"cert": ""}}}\n', "key is missing", id="half an identity"),
        pytest.param(b'{"probes": [], "identities": [1]}\n', "", id="identities that are a list"),
    ],
)
def test_a_request_that_is_none_is_answered_with_one_line(line: bytes, said: str) -> None:
    done = subprocess.run(ARGV, input=line, capture_output=True, timeout=20, check=False)
    (answer,) = [json.loads(answer) for answer in done.stdout.splitlines()]
    assert said in answer["error"]
    assert "\n" not in answer["error"]
    assert (done.returncode, done.stderr) == (2, b"")


def test_a_huge_request_is_refused_without_reading_it_all() -> None:
    with subprocess.Popen(ARGV, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        with pytest.raises(BrokenPipeError):
            _write(process.stdin, 64 << 20)
        assert "larger than" in json.loads(process.stdout.readline())["error"]
        with suppress(BrokenPipeError):
            process.stdin.close()


def _write(pipe: IO[bytes], size: int) -> None:
    for _ in range(size >> 20):
        pipe.write(b" " * (1 << 20))
        pipe.flush()


def test_too_many_probes_are_refused() -> None:
    with pytest.raises(UsageError, match="more than"):
        run.parse(json.dumps({"probes": [0] * (run.MOST_PROBES + 1)}).encode())


def test_a_key_is_in_no_error() -> None:
    secret = "-----BEGIN PRIVATE KEY----- canary"
    for identity in ({"key": secret, "cert": 3, "roots": ""}, {"key": [secret], "cert": "", "roots": ""}):
        line = json.dumps({"probes": [], "identities": {"a": identity}}).encode() + b"\n"
        done = subprocess.run(ARGV, input=line, capture_output=True, timeout=20, check=False, env=dict(os.environ))
        assert b"error" in done.stdout
        assert b"canary" not in done.stdout + done.stderr
