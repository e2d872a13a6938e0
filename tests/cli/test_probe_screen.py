"""What watch shows: lines in a log, a view on a terminal, and q to end it."""

from __future__ import annotations

import io
import os
import pty
import signal
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from meshkit.cli.probe import screen
from meshkit.probes.outcome import Outcome
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary

BEGAN = 1_790_000_000.0
EMPTY = Outcome("mesh", BEGAN, BEGAN, ())
DEADLINE_S = 10.0


def window(place: int = 0, *, ok: bool = True) -> Summary:
    summary = Summary(Series("aks", "eks", "mesh-probe-eks", "network"), BEGAN + place, 1.0)
    reason, detail = ("ok", "") if ok else ("timeout_connect", "no answer\x1b[31m")
    summary.add(Sample("1", BEGAN + place, reason, detail, {"connect": 0.07}, rtt_s=0.07, rtt_source="kernel"))
    return summary


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """In place of standard output; within a test, since pytest sets it anew for each of its phases."""
    made = Terminal()
    for name, value in (("TERM", "xterm"), ("COLUMNS", "100"), ("LINES", "40")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", made)
    return made


def test_a_log_gets_one_line_per_window(capsys: pytest.CaptureFixture[str]) -> None:
    """With what was said of a failure, and no control character."""
    with screen.showing(EMPTY) as show:
        show([window()])
        show([window(1, ok=False)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2026-09-21T14:13:20Z  aks to eks/mesh-probe-eks: network  p50 70.0 ms  loss 0%"
    assert lines[1].endswith("loss 100%  no answer?[31m")
    assert len(lines) == 2


def test_a_terminal_gets_a_view_that_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the alternate screen, so that what was there before comes back."""
    shown = terminal(monkeypatch)
    with screen.showing(EMPTY) as show:
        show([window()])
        show([window(1, ok=False)])
    text = shown.getvalue()
    assert text.index("\x1b[?1049h") < text.index("70.0 ms") < text.index("\x1b[?1049l")
    assert "timeout_connect" in text


def test_the_view_forgets_what_was_long_ago() -> None:
    """So that its figures are of now, and memory is bounded."""
    recent = screen.Recent(EMPTY)
    recent.add([window(0), window(200)])
    outcome = recent.add([window(1000)])
    assert [w.begin - BEGAN for w in outcome.windows] == [200, 1000]
    assert outcome.ended == BEGAN + 1001


@contextmanager
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """A terminal's two ends, the second of which is standard input."""
    terminal(monkeypatch)
    # A shell's background jobs ignore it, and so would the tests that run in one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    outer, inner = pty.openpty()
    with os.fdopen(inner, "r", closefd=False) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield outer, inner
    os.close(outer)
    os.close(inner)
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("keys", [b"q", b"Q", b"xyzq"])
def test_q_ends_it(monkeypatch: pytest.MonkeyPatch, keys: bytes) -> None:
    """As Ctrl-C does, without Enter; other keys do nothing, and the terminal is as it was."""
    with keyboard(monkeypatch) as (outer, inner):
        before, interrupted = termios.tcgetattr(inner), False
        try:
            with screen.quit_key():
                assert not termios.tcgetattr(inner)[3] & termios.ICANON
                os.write(outer, keys)
                threading.Event().wait(DEADLINE_S)
        except KeyboardInterrupt:
            interrupted = True
        assert interrupted
        assert termios.tcgetattr(inner) == before


def test_the_terminal_is_as_it_was_after_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C above all."""
    with keyboard(monkeypatch) as (_, inner):
        before = termios.tcgetattr(inner)
        with pytest.raises(KeyboardInterrupt), screen.quit_key():
            raise KeyboardInterrupt
        assert termios.tcgetattr(inner) == before


def test_without_a_terminal_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe's data is not read."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("q"))
    with screen.quit_key():
        pass
    assert sys.stdin.read() == "q"
