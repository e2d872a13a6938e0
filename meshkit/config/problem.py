"""What is wrong with a description, and how several such findings become one error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshkit.errors import UsageError

Where = tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """One finding: the keys that lead to its place, what is wrong, and what to do about it.

    ``line`` counts from 1 and is set only where the place alone does not lead to it, as with a key given twice.
    """

    where: Where
    text: str
    hint: str = ""
    line: int = 0


def as_error(subject: str, problems: Sequence[Problem], shown: Callable[[Problem], str], hint: str) -> UsageError:
    """One UsageError for all: a single problem is the message itself, several are listed below their number.

    ``subject`` is what has the problems, ``shown`` gives a problem's line, ``hint`` stands in where there is no
    better one.
    """
    lines = list(dict.fromkeys(_printable(shown(problem)) for problem in problems))
    if len(lines) == 1:
        return UsageError(lines[0], hint=problems[0].hint or hint)
    return UsageError(f"{subject}: {len(lines)} problems", hint=hint, detail="\n".join(lines))


def _printable(text: str) -> str:
    """A name from outside may hold terminal escapes; they are not passed on."""
    return "".join(c if c.isprintable() else "?" for c in text)
