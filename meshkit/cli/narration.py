"""Events as lines on stderr: a live status line on a terminal, one line per new condition elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.text import Text

from meshkit.events import Event, Failed, Finished, Note, Observer, Progress, Started

WORTH_A_WARNING_S = 5.0
"""Only work that takes longer than this is announced with its expected time."""


@contextmanager
def plain() -> Iterator[Observer]:
    """For logs: nothing is ever overwritten, and a condition that still holds is not repeated."""
    console = Console(stderr=True, no_color=True, highlight=False, soft_wrap=True)
    lock, shown = threading.Lock(), dict[tuple[str, str], str]()

    def observe(event: Event) -> None:
        with lock:
            text = _line(event)
            if isinstance(event, Started) and (event.expected_s or 0) < WORTH_A_WARNING_S:
                return
            if isinstance(event, Progress):
                if shown.get((event.task, event.scope)) == event.text:
                    return
                shown[event.task, event.scope] = event.text
            console.print(text, markup=False)

    yield observe


@contextmanager
def live(*, color: bool) -> Iterator[Observer]:
    """For terminals: what ended stays, what is under way is one line that changes."""
    console = Console(stderr=True, no_color=not color, highlight=False)
    line = _StatusLine(console)
    lock = threading.Lock()

    def observe(event: Event) -> None:
        with lock:
            line.take(event)
            if isinstance(event, Finished | Failed | Note):
                console.print(_styled(event), soft_wrap=True)
            line.show()

    try:
        yield observe
    finally:
        line.stop()


class _StatusLine:
    """The last line: which task, for how long, and what each cluster is doing. It is there only while work is."""

    def __init__(self, console: Console) -> None:
        self._status = Status("", console=console, spinner="dots")
        self._task = ""
        self._under_way: dict[str, str] = {}

    def take(self, event: Event) -> None:
        """Keep what the event says is under way."""
        match event:
            case Started():
                self._task = _line(event).removeprefix("… ")
                self._under_way[event.scope] = ""
            case Progress():
                self._under_way[event.scope] = event.text
            case Finished() | Failed():
                self._under_way.pop(event.scope, None)
                if not event.scope:
                    self._under_way.clear()

    def show(self) -> None:
        """Show it, or nothing when nothing is under way."""
        if not self._under_way:
            self._status.stop()
            return
        parts = [f"{scope}: {text}" if scope else text for scope, text in self._under_way.items() if text]
        text = Text("; ".join(parts) or self._task, no_wrap=True, overflow="ellipsis")
        self._status.update(text)
        self._status.start()

    def stop(self) -> None:
        """Take the line away."""
        self._status.stop()


def _line(event: Event) -> str:
    """An event as one line of text."""
    where = f"{event.scope}: " if event.scope else ""
    match event:
        case Started():
            expected = f" (about {_duration(event.expected_s)})" if event.expected_s else ""
            return f"… {where}{event.task}{expected}"
        case Progress():
            return f"  {where}{event.text}"
        case Finished():
            mark = "✔" if event.changed else "="
            text = f"  {event.text}" if event.text else ""
            return f"{mark} {where}{event.task:<12} {_duration(event.seconds):>7}{text}"
        case Failed():
            return f"✘ {where}{event.task}: {event.message}"
        case Note():
            return f"! {where}{event.text}"


def _styled(event: Event) -> str:
    color = {Finished: "green", Failed: "red", Note: "yellow"}.get(type(event), "default")
    text = _line(event)
    return f"[{color}]{escape(text[:1])}[/{color}]{escape(text[1:])}"


def _duration(seconds: float | None) -> str:
    """Seconds as people say them."""
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - seconds of a minute
