"""Mounts below a folder: volumes that a kubelet mounted, container roots, pods' network namespaces."""

from __future__ import annotations

import re
from pathlib import Path

from meshkit.lab.command import run

OCTAL = re.compile(r"\\([0-7]{3})")


def undo(folder: Path) -> None:
    """Unmount everything at or below a folder, deepest first; lazily, since what held it was killed just now."""
    for place in reversed(below(folder)):
        run("umount", "--lazy", place, check=False)


def below(folder: Path) -> tuple[str, ...]:
    """Mount points at or below a folder in the order in which they were mounted."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    places = (_unescape(line.split()[4]) for line in lines)
    return tuple(place for place in places if Path(place).is_relative_to(folder))


def _unescape(text: str) -> str:
    """The kernel writes blanks and the like as octal numbers."""
    return OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
