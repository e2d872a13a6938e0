"""The kernel's stamps are on before the first probe needs one."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from meshkit.probes import stamps
from meshkit.probes.stamps import Message

TESTS = Path(__file__).parents[1]
FIRST_PROBE = """
from meshkit.probes.mechanisms.icmp import IcmpTarget
from probes.once import observe

print(observe(IcmpTarget("127.0.0.1"), timeout_s=5).rtt_source)
"""


@pytest.fixture
def unstamped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """As many messages as the number in it says come without a stamp, as while the kernel has not begun."""
    left, real = [0], stamps.receive

    def receive(endpoint: socket.socket, size: int, flags: int = 0) -> Message | None:
        message = real(endpoint, size, flags)
        if message is None or left[0] <= 0:
            return message
        left[0] -= 1
        return message._replace(stamp=0)

    monkeypatch.setattr(stamps, "receive", receive)
    return left


def test_it_waits_for_a_packet_with_a_stamp(unstamped: list[int]) -> None:
    unstamped[0] = 3
    with stamps.keep_on():
        assert unstamped == [0]


def test_a_kernel_that_never_stamps_is_waited_for_a_moment_only(
    unstamped: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "STAMPING_NS", 1_000_000)
    unstamped[0] = 1 << 30
    with stamps.keep_on():
        assert 0 < unstamped[0] < 1 << 30


def test_the_first_probe_of_a_process_has_the_kernels_time() -> None:
    for _ in range(5):
        command = [sys.executable, "-c", FIRST_PROBE]
        said = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=True)
        assert said.stdout.strip() == "kernel"
