"""The control group that a node's pods live in; v1 with one folder per controller, or v2 with one in all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from meshkit.lab.topology import Node
from meshkit.lab.waiting import wait_until

ROOT = Path("/sys/fs/cgroup")
REMOVE_TIMEOUT_S = 10


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
    """Remove the group with all below it; its processes have ended, the last ones maybe this instant."""
    for root in _roots():
        folder = root / name(node)
        wait_until(partial(_removed, folder), REMOVE_TIMEOUT_S, f"the control group {folder} to be free")


def _removed(folder: Path) -> bool:
    """Remove what can be removed; a group is busy for a moment after its last process ended."""
    for below in sorted(folder.glob("**/"), key=lambda path: len(path.parts), reverse=True):
        try:
            below.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


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
