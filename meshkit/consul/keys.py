"""The official chart's keys, so that a typo is an error: the chart has no schema and ignores what it does not know.

``chart_keys`` holds one path a line, ``.*`` at the end of those below which anything may stand; a minor's first version
in full, of later ones what came and went. ``scripts/chart-keys`` writes them from the chart.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from meshkit.consul import official

_FOLDER = Path(__file__).with_name("chart_keys")
_RESOURCES: Mapping[str, Any] = {"limits": {"cpu": {}}, "requests": {"cpu": {}}}
"""Kubernetes' own keys, of which the chart's lists have none; the whole may be a text as well."""


@dataclass(frozen=True)
class Unknown:
    """A key that the chart does not know: the keys that lead to it, and the known one that is most like it."""

    where: tuple[str, ...]
    near: str


def unknown(values: Mapping[str, Any], version: str) -> Iterator[Unknown]:
    """Every key of the values that the official chart of a version does not know."""
    yield from _unknown(values, _tree(official.known(version)), ())


def flat(values: Mapping[str, Any], version: str) -> Iterator[tuple[str, ...]]:
    """Every key under which the chart has more, and that is given none: the keys that lead to it.

    Nothing at all may stand there, which takes what the chart has away.
    """
    yield from _flat(values, _tree(official.known(version)), ())


def _unknown(values: Mapping[str, Any], tree: Mapping[str, Any], where: tuple[str, ...]) -> Iterator[Unknown]:
    for key, value in values.items():
        here = (*where, str(key))
        if key not in tree:
            near = difflib.get_close_matches(str(key), list(tree), n=1)
            yield Unknown(here, near[0] if near else "")
        elif isinstance(value, Mapping) and tree[key] is not None:
            yield from _unknown(value, tree[key], here)


def _flat(values: Mapping[str, Any], tree: Mapping[str, Any], where: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        below = tree.get(key)
        if isinstance(value, Mapping):
            inner = _RESOURCES if key == "resources" and key in tree else below or {}
            yield from _flat(value, inner, (*where, str(key)))
        elif below and value is not None:
            yield (*where, str(key))


@cache
def _tree(version: str) -> dict[str, Any]:
    """The keys as nested mappings; None where anything may stand below, an empty mapping where nothing may."""
    tree: dict[str, Any] = {}
    for path in sorted(_paths(version)):  # a key that is a text by default comes before what a template reads below it
        *above, last = path.removesuffix(".*").split(".")
        place = tree
        for name in above:
            place = place.setdefault(name, {})
        place[last] = None if path.endswith(".*") else {}
    return tree


def _paths(version: str) -> set[str]:
    """The first version of the minor, changed by those up to this one."""
    minor = version.rpartition(".")[0]
    patches = [v for v in official.versions() if v.rpartition(".")[0] == minor]
    first, *later = patches[: patches.index(version) + 1]
    paths = set(_lines(first))
    for line in (line for patch in later for line in _lines(patch)):
        (paths.add if line[0] == "+" else paths.discard)(line[1:])
    return paths


def _lines(version: str) -> list[str]:
    """Of a version that changed nothing there is no file."""
    file = _FOLDER / f"{version}.txt"
    return file.read_text().split() if file.exists() else []
