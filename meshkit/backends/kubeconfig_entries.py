"""What the kubeconfigs say about their contexts, read without a client: for lists, completion and short names.

Several files are merged as kubectl does it: of two entries with one name the first counts. A file or an entry that is
broken is passed over, since a list of contexts must not fail for one of them; who uses a broken one is told by
``kubeconfig.load``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEFAULT = "~/.kube/config"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""A kubeconfig of many clusters is mostly certificates, which the pure Python loader takes seconds for."""


@dataclass(frozen=True)
class Entry:
    """One context; ``login`` is the program that logs in, if one does, and ``file`` where the context stands."""

    name: str
    server: str = ""
    login: str = ""
    file: str = ""


def files() -> tuple[str, ...]:
    """KUBECONFIG's files, else the default one."""
    named = (os.environ.get("KUBECONFIG") or DEFAULT).split(os.pathsep)
    return tuple(name for name in named if name)


def entries() -> tuple[Entry, ...]:
    """Every context of every file, in the order in which they stand there."""
    contexts: dict[str, tuple[Mapping[str, Any], str]] = {}
    clusters: dict[str, Mapping[str, Any]] = {}
    users: dict[str, Mapping[str, Any]] = {}
    for name in files():
        content = _read(name)
        for key, found in _named(content, "contexts", "context"):
            contexts.setdefault(key, (found, name))
        for key, found in _named(content, "clusters", "cluster"):
            clusters.setdefault(key, found)
        for key, found in _named(content, "users", "user"):
            users.setdefault(key, found)
    return tuple(
        Entry(
            name,
            str(clusters.get(str(context.get("cluster")), {}).get("server") or ""),
            _login(users.get(str(context.get("user")), {})),
            file,
        )
        for name, (context, file) in contexts.items()
    )


def _login(user: Mapping[str, Any]) -> str:
    plugin = user.get("exec")
    return str(plugin.get("command") or "") if isinstance(plugin, Mapping) else ""


def _read(name: str) -> Mapping[str, Any]:
    try:
        content = yaml.load(Path(name).expanduser().read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - a safe loader
    except (OSError, ValueError, RuntimeError, yaml.YAMLError):
        return {}
    return content if isinstance(content, Mapping) else {}


def _named(content: Mapping[str, Any], plural: str, singular: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The list ``plural`` of a kubeconfig as pairs of name and content."""
    listed = content.get(plural)
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
            held = entry.get(singular)
            yield entry["name"], held if isinstance(held, Mapping) else {}
