"""Capturing as the command calls it: what is wrong with a call, the view while it runs, and the result."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import typer

from meshkit.capture.files import Writer
from meshkit.capture.result import Result
from meshkit.capture.session import Session, Wanted
from meshkit.cli import console
from meshkit.config import duration
from meshkit.errors import CombinedError, MeshkitError, UsageError
from meshkit.events import Observer, Progress, ignore
from meshkit.federation.capture.container import TASK
from meshkit.federation.context import Context

HELP = "meshkit capture --help"
SHORTEST_S, LONGEST_S = 0.1, 86_400.0
TOLD_S = 10.0
"""How often a log is told how far it is."""


@dataclass(frozen=True)
class Request:
    """Where to capture live, and for how long: None until Ctrl-C."""

    datacenter: str
    pod: str
    ports: tuple[int, ...]
    image: str
    for_s: float | None


def check(where: str, for_: str, read: Path | None, only_live: Mapping[str, Any]) -> float | None:
    """The time in seconds; UsageError for what does not go together."""
    if read and where:
        raise UsageError("--read takes a file's packets, and a datacenter live ones", hint="one of the two")
    if not read and not where:
        raise UsageError("what is to be captured?", hint="a datacenter, or --read FILE")
    if read:
        alien = [name for name, value in {**only_live, "--for": for_}.items() if value]
        if alien:
            raise UsageError(f"{alien[0]} is for live captures, not for --read", hint=HELP)
    return duration.option("--for", for_, SHORTEST_S, LONGEST_S) if for_ else None


def saved(
    path: Path, wanted: Wanted, writer: Writer | None, ports: Collection[int]
) -> tuple[Result, Sequence[MeshkitError]]:
    """A file's packets."""
    from meshkit.capture import saved as files

    with writer or nullcontext():
        return files.read(path, wanted, writer, ports), _closed(writer)


def live(
    context: Context, request: Request, wanted: Wanted, writer: Writer | None
) -> tuple[Result, Sequence[MeshkitError]]:
    """Capture now. Errors of pods are returned beside what came before them."""
    from meshkit.federation.capture import place
    from meshkit.federation.capture.run import Capture
    from meshkit.federation.probing.targets import datacenter

    dc = datacenter(context, request.datacenter)
    found = place.find(context, dc, request.pod, request.ports, request.image)
    session = Session(dc.name, wanted, writer, found.ports)
    capture = Capture(context, found, session)
    with writer or nullcontext():
        with View(context.observe, dc.name) as view:
            result = capture.run(request.for_s, view)
        return result, (*capture.failures, *(() if capture.failures else _closed(writer)))


def _closed(writer: Writer | None) -> Sequence[MeshkitError]:
    """What the end of the file meets: the result is shown all the same."""
    try:
        if writer:
            writer.close()
    except MeshkitError as error:
        return (error,)
    return ()


def show(result: Result, form: str, *, connections: bool) -> None:
    """The result on stdout."""
    from meshkit.report import capture as report

    if form == "json":
        console.print_json(report.as_json(result))
        return
    for table in report.as_tables(result, connections=connections):
        console.print_table(*table)
    for line in report.remarks(result):
        typer.echo(line)


def fail(failures: Sequence[MeshkitError]) -> None:
    """Raise what went wrong, once the result is printed."""
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise CombinedError(f"{len(failures)} parts of the capture failed", tuple(failures))


class View:
    """What is shown meanwhile: a table on a terminal, a line now and then in a log, nothing when quiet.

    It begins with the first result, when narration has ended: both at once would write across one another.
    """

    def __init__(self, observe: Observer, scope: str) -> None:
        self._observe = observe
        self._scope = scope
        self._told_s = 0.0
        self._screen: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._screen is not None:
            self._screen.stop()

    def __call__(self, result: Result, lasted_s: float) -> None:
        """The result so far, after so many seconds."""
        if self._observe is ignore:
            return
        if sys.stderr.isatty():
            self._draw(result, lasted_s)
        elif lasted_s - self._told_s >= TOLD_S:
            from meshkit.report.capture import progress

            self._told_s = lasted_s
            self._observe(Progress(TASK, progress(result, lasted_s), self._scope))

    def _draw(self, result: Result, lasted_s: float) -> None:
        from rich.console import Console
        from rich.live import Live

        from meshkit.report.capture import live as view

        shown = view(result, lasted_s)
        if self._screen is None:
            terminal = Console(stderr=True, no_color=not console.colors(), highlight=False)
            self._screen = Live(shown, console=terminal, transient=True, auto_refresh=False)
            self._screen.start()
        self._screen.update(shown, refresh=True)
