"""The control group that a node's pods live in; v1 with one folder per controller, or v2 with one in all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from meshkit.lab.topology import Node

ROOT = Path("/sys/fs/cgroup")


def name(node: Node) -> str:
    """The group's name below each root."""
    return f"meshkit-{node.name}"


def make(node: Node) -> None:
    """Make the group; in v1 a new cpuset group is empty and must be given the processors of its parent."""
    for root in _roots():
        folder = root / name(node)
        folder.mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):
            if root != ROOT and (root / file).exists():
                (folder / file).write_text((root / file).read_text())


def remove(node: Node) -> None:
    """Remove the group with all below it; nothing is left in it once its processes have ended."""
    for root in _roots():
        folder = root / name(node)
        if folder.exists():
            for below in sorted(folder.glob("**/"), key=lambda path: len(path.parts), reverse=True):
                # A group whose last process ended this instant is busy; its parent then says so below.
                with contextlib.suppress(FileNotFoundError):
                    below.rmdir()


def is_v2() -> bool:
    """Whether the machine has the unified hierarchy only."""
    return (ROOT / "cgroup.controllers").exists()


def _roots() -> Iterator[Path]:
    if is_v2():
        yield ROOT
        return
    for folder in ROOT.iterdir():
        if folder.is_dir() and not folder.is_symlink() and (folder / "cgroup.procs").exists():
            yield folder
