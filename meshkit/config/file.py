"""A description in a file, or on standard input, to a document; and a finding to its place in it."""

from __future__ import annotations

import sys
from pathlib import Path

from meshkit.config import document
from meshkit.config.document import BrokenError, Document
from meshkit.config.problem import Problem
from meshkit.errors import UsageError

STDIN = "-"


def read(path: Path | str, example: str) -> tuple[str, Document]:
    """The file's name as errors call it, and what it holds; ``example`` is the hint where there is no better one.

    UsageError when the file can't be read, is no YAML, or is empty.
    """
    name = "standard input" if str(path) == STDIN else str(path)
    try:
        found = document.read(_content(Path(path), name, example))
    except BrokenError as error:
        line = f":{error.problem.line}" if error.problem.line else ""
        raise UsageError(f"{name}{line}: {error.problem.text}", hint=error.problem.hint or example) from None
    if found.data is None and not found.problems:
        raise UsageError(f"{name}: the file is empty", hint=example)
    return name, found


def shown(name: str, found: Document, problem: Problem) -> str:
    """File, line, key and what is wrong."""
    place = ".".join(problem.where)
    return (
        f"{name}:{found.line(problem)}: {place}: {problem.text}"
        if place
        else f"{name}:{found.line(problem)}: {problem.text}"
    )


def _content(path: Path, name: str, example: str) -> bytes:
    """At most one byte more than allowed, so that a device or an endless pipe is no trap."""
    try:
        if str(path) == STDIN:
            return sys.stdin.buffer.read(document.LARGEST_BYTES + 1)
        with path.open("rb") as file:
            return file.read(document.LARGEST_BYTES + 1)
    except FileNotFoundError as error:
        raise UsageError(f"{name}: there is no such file", hint=example) from error
    except (OSError, ValueError) as error:
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{name}: can't be read: {reason}", hint="-f takes a file, or - for standard input") from error
