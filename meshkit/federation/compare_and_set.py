"""Intentions are changed so that nothing of anybody else's is lost.

All intentions to one destination are one config entry, which is written whole: a write counts only while the entry is
as it was read, else it is read and changed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meshkit.backends.base import Manifest
from meshkit.errors import MeshkitError
from meshkit.federation.entries import Entries

ATTEMPTS = 10
"""Each lost one is a write of somebody else that went through, so only as many as ran at once are needed."""

Change = Callable[[str, Manifest | None], Manifest | None]
"""From a destination and its entry, None without one, to the entry as it should be: the same object to leave it."""


def rewrite(entries: Entries, change: Change, destinations: Iterable[str] | None = None) -> bool:
    """Change the entries of these destinations, or of all that have one; whether anything was written.

    What was written is in force in the primary when this returns.
    """
    pending = None if destinations is None else tuple(destinations)
    changed = False
    for _ in range(ATTEMPTS):
        lost, written = _attempt(entries, change, pending)
        changed = changed or written
        if not lost:
            entries.settle()
            return changed
        pending = lost
    raise MeshkitError(
        f"the intentions to {', '.join(pending or ())} are changed by others all the time",
        hint="try again when that has stopped",
    )


def _attempt(entries: Entries, change: Change, pending: tuple[str, ...] | None) -> tuple[tuple[str, ...], bool]:
    """One reading and the writes that follow from it: the destinations that were lost, and whether any was not."""
    found, lost, written = entries.intentions(), [], False
    for name in found if pending is None else pending:
        held = found.get(name)
        before = held.entry if held else None
        after = change(name, before)
        if after is before:
            continue
        if entries.write(held, after) if after is not None else held is None or entries.delete(held):
            written = True
        else:
            lost.append(name)
    return tuple(lost), written
