"""The git repository that a rendered tree is committed to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Repository:
    """Its URL, the revision that is followed, and the folder of the tree in it."""

    url: str
    folder: str = ""
    revision: str = "main"

    def inside(self, path: str) -> str:
        """A path of the tree as a path of the repository."""
        folder = self.folder.strip("/")
        return f"{folder}/{path}" if folder else path
