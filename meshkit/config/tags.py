"""Tags of clusters: what ``--tag`` asks for, and the file in which a person gives them on this machine.

Most tags are in the clusters themselves (``federation.inventory``). The file is for those that nobody may label:

    prod-eu: {env: prod, team: payments}

It is ``tags.yaml`` in MESHKIT_CONFIG_DIR, else XDG_CONFIG_HOME/meshkit, else ~/.config/meshkit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from meshkit.config import file
from meshkit.config.document import Document
from meshkit.config.problem import Problem, as_error
from meshkit.errors import UsageError

FILE = "tags.yaml"
_EXAMPLE = "one line per context: prod-eu: {env: prod, team: payments}"
_FORM = "--tag takes NAME=VALUE, or NAME alone for any value, such as --tag env=prod"


def path() -> Path:
    """Where the file is, or would be."""
    own = os.environ.get("MESHKIT_CONFIG_DIR")
    folder = Path(own) if own else Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "meshkit"
    return folder / FILE


def load() -> Mapping[str, Mapping[str, str]]:
    """Tags by context; none without a file. UsageError names file, line and key."""
    where = path()
    if not where.exists():
        return {}
    name, read = file.read(where, _EXAMPLE)
    problems = [*read.problems, *_problems(read)]
    if problems:
        raise as_error(name, sorted(problems, key=read.line), lambda p: file.shown(name, read, p), _EXAMPLE)
    return {str(context): dict(tags) for context, tags in read.data.items()}


def wanted(selectors: Sequence[str]) -> dict[str, str | None]:
    """``--tag`` options by name, None for any value; UsageError for what has no name or contradicts itself."""
    found: dict[str, str | None] = {}
    for selector in selectors:
        name, equals, value = selector.partition("=")
        if not name.strip():
            raise UsageError(f'"{selector}" is no tag', hint=_FORM)
        asked = value if equals else None
        if found.setdefault(name, asked) != asked:
            raise UsageError(f'no cluster has two values of the tag "{name}"', hint=_FORM)
    return found


def fits(tags: Mapping[str, str], asked: Mapping[str, str | None]) -> bool:
    """Whether all that is asked for is there."""
    return all(name in tags and value in (None, tags[name]) for name, value in asked.items())


def _problems(read: Document) -> Iterator[Problem]:
    data: Any = read.data
    if not isinstance(data, Mapping):
        yield Problem((), "expected a mapping from contexts to their tags")
        return
    for context, tags in data.items():
        if not isinstance(tags, Mapping):
            yield Problem((str(context),), "expected a mapping of tags, each a text")
            continue
        for name, value in tags.items():
            if not isinstance(value, str):
                yield Problem((str(context), str(name)), 'expected a text; "true" and "2" need quotes')
