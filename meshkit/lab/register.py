"""Which clusters the lab has: names and the indexes that fix their addresses, in one small file.

A cluster is written down before anything is started for it and struck out after all of it is gone, so that a run
killed at any point leaves nothing that the next one does not know of.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from meshkit.errors import UsageError
from meshkit.lab.topology import MAX_NODES, Node, lab_folder


def known() -> tuple[Node, ...]:
    """Every cluster of the lab, running or half-started, oldest first."""
    try:
        entries = json.loads(_file().read_text())
    except FileNotFoundError:
        return ()
    return tuple(Node(name, index) for name, index in entries.items())


def find(name: str) -> Node:
    """A cluster by name, or UsageError."""
    nodes = {n.name: n for n in known()}
    if name not in nodes:
        there = f"there are: {', '.join(nodes)}" if nodes else "there are none"
        raise UsageError(f"no lab cluster {name!r}", hint=f"{there}; start one with meshkit lab up {name}")
    return nodes[name]


def allocate(names: Sequence[str]) -> tuple[Node, ...]:
    """Nodes for the names, new ones at the lowest free index; UsageError when the lab is full."""
    nodes = {n.name: n for n in known()}
    for name in names:
        if name not in nodes:
            used = {n.index for n in nodes.values()}
            free = next((i for i in range(1, MAX_NODES + 1) if i not in used), None)
            if free is None:
                raise UsageError(f"the lab is full: {MAX_NODES} clusters", hint="meshkit lab down NAME")
            nodes[name] = Node(name, free)
    save(tuple(nodes.values()))
    return tuple(nodes[name] for name in names)


def save(nodes: Sequence[Node]) -> None:
    """Replace the list; an empty one leaves no file."""
    path = _file()
    if not nodes:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({n.name: n.index for n in nodes}))
    partial.replace(path)


def _file() -> Path:
    return lab_folder() / "clusters.json"
