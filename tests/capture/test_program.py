"""The program in the pod: what it sends, what it drops, and each way it ends."""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from capture.traffic import Wire, hello, records, tls
from meshkit.capture import bundle
from meshkit.capture.pod import program, wire
from meshkit.capture.pod.program import Pump
from meshkit.capture.pod.ring import Taken
from meshkit.capture.pod.wire import Reader, Record, UnknownRecordError

SOON_S = 20.0
CANARY = b"canary-77ab"


class Source:
    """Packets that a test puts in; readable whenever there are some."""

    def __init__(self, packets: list[Taken]) -> None:
        self._packets = packets
        self._ready, self._tell = os.pipe()
        os.write(self._tell, b"x")
        self.dropped = 7

    def fileno(self) -> int:
        return self._ready

    def packets(self) -> Iterator[Taken]:
        while self._packets:
            yield self._packets.pop(0)

    def counts(self) -> tuple[int, int]:
        return 100, self.dropped


class Running:
    """The pump in a thread, with pipes for its stdin and stdout."""

    def __init__(self, packets: list[Taken], deadline_s: float = SOON_S) -> None:
        inner_in, self.stdin = os.pipe()
        self.stdout, inner_out = os.pipe()
        os.set_blocking(inner_out, False)
        self.pump = Pump(Source(packets), inner_in, inner_out)
        self.code: int | None = None
        self._thread = threading.Thread(target=self._run, args=(time.monotonic() + deadline_s, inner_out))
        self._thread.start()

    def _run(self, deadline: float, out: int) -> None:
        self.code = self.pump.run(deadline)
        os.close(out)

    def ended(self) -> int | None:
        self._thread.join(SOON_S)
        return self.code

    def records(self) -> list[Record]:
        """All that comes, until the end."""
        reader, found = Reader(), list[Record]()
        while select.select([self.stdout], [], [], SOON_S)[0] and (part := os.read(self.stdout, 1 << 16)):
            found += reader.feed(part)
        return found


def taken(connection: Wire) -> list[Taken]:
    return [Taken(p.time_ns, wire.INCOMING, p.size, p.data) for p in connection.packets]


def test_packets_come_out_cut_and_the_counts_with_them() -> None:
    connection = Wire().handshake().say(80, records(hello()))
    connection.send(90, "PA", CANARY)
    run = Running(taken(connection))
    os.write(run.stdin, wire.STOP)
    found = run.records()
    packets = [record for record in found if record.kind == wire.PACKET]
    assert run.ended() == 0
    assert [(p.time_ns, p.length) for p in packets] == [(p.time_ns, p.size) for p in connection.packets]
    assert packets[3].data == connection.packets[3].data
    assert not any(CANARY in p.data for p in packets)
    assert [record.kind for record in found][-2:] == [wire.COUNTS, wire.END]
    assert wire.content(found[-2]) == {"seen": 100, "kernel_drops": 7, "buffer_drops": 0, "sent": len(packets)}


def test_counts_come_before_any_packet() -> None:
    """So whoever reads knows that the capture has begun."""
    run = Running([])
    part = os.read(run.stdout, 1 << 16)
    os.close(run.stdin)
    assert [record.kind for record in Reader().feed(part)] == [wire.COUNTS]
    assert run.ended() == 1


def test_closed_stdin_is_the_end() -> None:
    """The connection to the laptop is gone, or the laptop."""
    run = Running([])
    os.close(run.stdin)
    assert run.ended() == 1


def test_a_reader_that_is_gone_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "COUNTS_S", 0.0)
    run = Running([])
    os.close(run.stdout)
    assert run.ended() == 1


def test_silence_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that lost its network closes nothing; its heartbeat stops."""
    monkeypatch.setattr(wire, "SILENCE_S", 0.1)
    assert Running([]).ended() == 1


def test_a_heartbeat_keeps_it_going(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SILENCE_S", 1.0)
    run = Running([])
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        os.write(run.stdin, wire.HEARTBEAT)
        select.select([], [], [], 0.1)
    assert run.code is None
    os.write(run.stdin, wire.STOP)
    run.records()
    assert run.ended() == 0


def test_the_deadline_is_the_end() -> None:
    assert Running([], deadline_s=0.0).ended() == 1


def test_a_slow_reader_costs_packets_and_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "MOST_WAITING", 1000)
    monkeypatch.setattr(Pump, "_write", lambda _: True)
    run = Running(taken(tls()) * 50)
    os.write(run.stdin, wire.STOP)
    found = run.records()
    counts = wire.content(found[-2])
    assert counts["buffer_drops"] > 0
    assert counts["buffer_drops"] + counts["sent"] == len(tls().packets) * 50
    assert sum(len(record.data) for record in found) < 5000


@pytest.mark.parametrize("step", [1, 3, 16, 1000])
def test_records_may_come_in_any_pieces(step: int) -> None:
    sent = wire.message(wire.COUNTS, {"seen": 1}) + wire.HEAD.pack(wire.PACKET, 4, 3, 1500, 9) + b"abc"
    reader, found = Reader(), list[Record]()
    for place in range(0, len(sent), step):
        found += reader.feed(sent[place : place + step])
    assert [(record.kind, record.direction, record.length, record.time_ns) for record in found][1] == (1, 4, 1500, 9)
    assert (wire.content(found[0]), found[1].data) == ({"seen": 1}, b"abc")


@pytest.mark.parametrize("answer", [b"sh: python3: not found\n", b"\0" * 16])
def test_what_another_program_says_is_not_taken_for_records(answer: bytes) -> None:
    with pytest.raises(UnknownRecordError):
        list(Reader().feed(answer))


@pytest.mark.parametrize("data", [b"[1]", b"{", b"\xff"])
def test_a_message_that_is_none(data: bytes) -> None:
    with pytest.raises(UnknownRecordError):
        wire.content(Record(wire.COUNTS, 0, 0, 0, data))


def run_command(request: bytes, then: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The very command that runs in the pod, by this Python, with nothing installed in its path."""
    argv = [sys.executable, "-S", *bundle.COMMAND[1:]]
    return subprocess.run(argv, input=request + then, capture_output=True, timeout=60, check=False)


def test_the_command_runs_from_what_it_reads_alone() -> None:
    """With the right to it captures, and else says that it has none."""
    done = run_command(bundle.request([8443], 20), wire.STOP)
    found: list[Any] = list(Reader().feed(done.stdout))
    assert done.returncode == 0, done.stderr
    if found[0].kind == wire.ERROR:
        assert wire.content(found[0])["errno"] in {errno.EPERM, errno.EACCES}
    else:
        assert [record.kind for record in found][-1] == wire.END


def test_a_request_that_ends_early_ends_the_command() -> None:
    assert run_command(bundle.request([8443], 20)[:500]).returncode == 1
