"""What the terminal shows: narration and errors on stderr, data on stdout.

On a terminal one line shows what is under way and is overwritten; elsewhere (a file, a CI log) each new condition is
a line of its own. Colours follow NO_COLOR, --no-color and whether stderr is a terminal.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer

from meshkit.errors import CombinedError, MeshkitError
from meshkit.events import Observer, ignore

COLUMN_GAP = "  "


@dataclass
class _Settings:
    color: bool = True
    quiet: bool = False
    verbose: bool = False


_settings = _Settings()


def configure(*, color: bool, quiet: bool, verbose: bool) -> None:
    """Take over the root command's options."""
    _settings.color = color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    _settings.quiet = quiet
    _settings.verbose = verbose


@contextmanager
def narrator() -> Iterator[Observer]:
    """An observer that shows events on stderr for as long as the context is open."""
    if _settings.quiet:
        yield ignore
        return
    from meshkit.cli.narration import live, plain

    with live(color=_settings.color) if sys.stderr.isatty() else plain() as observer:
        yield observer


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns on stdout."""
    typer.echo(table(columns, rows))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, headings in upper case, as kubectl prints them."""
    lines = [[column.upper() for column in columns], *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "\n".join(
        COLUMN_GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def colors() -> bool:
    """Whether a terminal is to be shown colours."""
    return _settings.color


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """One line of narration on stderr."""
    if not _settings.quiet:
        typer.echo(text, err=True)


def print_error(error: MeshkitError) -> None:
    """The error's line, its evidence, its hint; several failures one below the other."""
    _line("error", error.message, typer.colors.RED)
    if error.detail:
        typer.echo(textwrap.indent(error.detail.rstrip(), "  "), err=True)
    for part in error.errors if isinstance(error, CombinedError) else ():
        typer.echo(f"  - {part.message}", err=True)
        if part.detail:
            typer.echo(textwrap.indent(part.detail.rstrip(), "      "), err=True)
        if part.hint:
            typer.echo(f"    hint: {part.hint}", err=True)
    if error.hint:
        _line("hint", error.hint, typer.colors.CYAN)
    if _settings.verbose:
        traceback.print_exception(error)


def print_usage_error(error: typer.TyperException) -> None:
    """A wrong call as the option parser saw it, in this program's form."""
    message = getattr(error, "format_message", lambda: str(error))().strip().rstrip(".")
    if not message:
        return
    _line("error", message[:1].lower() + message[1:], typer.colors.RED)
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "meshkit"
    _line("hint", f"{path} --help", typer.colors.CYAN)


def _line(word: str, text: str, color: str) -> None:
    mark = f"{word}:"
    if _settings.color and sys.stderr.isatty():
        mark = typer.style(mark, fg=color, bold=True)
    typer.echo(f"meshkit: {mark} {text}", err=True)
