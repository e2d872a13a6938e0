"""What ``watch`` shows: a view that is drawn anew on a terminal, one line per series and window elsewhere."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import typer

from meshkit.cli import console
from meshkit.probes.outcome import Outcome
from meshkit.probes.summary import Summary

QUIT_KEYS = frozenset(b"qQ")
KEYS = 64
"""Taken at once; past Python's own buffer, which select() would not see."""

LOOK_S = 0.1
KEPT_S = 900.0
"""How far back the figures of the view go: what was long ago says little of now, and memory is bounded."""

Show = Callable[[Sequence[Summary]], None]


class Recent:
    """The outcome of the last quarter of an hour, while windows come in."""

    def __init__(self, empty: Outcome) -> None:
        self._outcome = empty

    def add(self, windows: Sequence[Summary]) -> Outcome:
        """With some windows more, and without those that are too old."""
        kept = (*self._outcome.windows, *windows)
        ended = max((window.begin + window.width_s for window in kept), default=self._outcome.ended)
        recent = tuple(window for window in kept if window.begin >= ended - KEPT_S)
        self._outcome = replace(self._outcome, windows=recent, ended=ended)
        return self._outcome


@contextmanager
def showing(empty: Outcome) -> Iterator[Show]:
    """Takes windows as they come in, from any thread, and shows them until the context ends."""
    recent, lock = Recent(empty), threading.Lock()
    if not sys.stdout.isatty():

        def lines(windows: Sequence[Summary]) -> None:
            with lock:
                for window in windows:
                    typer.echo(_line(window))

        yield lines
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from meshkit.report.probes import live

    terminal = Console(no_color=not console.colors(), highlight=False)
    with Live(Text("waiting for the first answers"), console=terminal, screen=True, auto_refresh=False) as view:

        def draw(windows: Sequence[Summary]) -> None:
            with lock:
                view.update(live(recent.add(windows)), refresh=True)

        view.refresh()
        yield draw


@contextmanager
def quit_key() -> Iterator[None]:
    """Lets q do what Ctrl-C does; nothing where there are no keys to press."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        yield
        return
    done, number, main = threading.Event(), sys.stdin.fileno(), threading.main_thread().ident or 0
    before = termios.tcgetattr(number)

    def listen() -> None:
        while not done.is_set():
            if select.select([number], [], [], LOOK_S)[0] and set(os.read(number, KEYS)) & QUIT_KEYS:
                signal.pthread_kill(main, signal.SIGINT)
                return

    listener = threading.Thread(target=listen, name="keys", daemon=True)
    try:
        tty.setcbreak(number)  # single keys arrive at once, and Ctrl-C still interrupts
        listener.start()
        yield
    finally:
        done.set()
        listener.join()
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _line(window: Summary) -> str:
    """One window as a line for logs."""
    from meshkit.report.figures import duration, moment, share, words

    said = f"  {words(window.fault)}" if window.failed and window.fault else ""
    latency = duration(window.latency.quantile(0.5))
    return f"{moment(window.begin)}  {words(str(window.series))}  p50 {latency}  loss {share(window.loss)}{said}"
