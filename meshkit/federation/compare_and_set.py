"""Intentions are changed so that nothing of anybody else's is lost.

All intentions to one destination are one config entry, which is written whole: a write counts only while the entry is
as it was read, else it is read and changed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meshkit.backends.base import Consul, Manifest
from meshkit.consul import config_entries
from meshkit.errors import MeshkitError

ATTEMPTS = 10
"""Each lost one is a write of somebody else that went through, so only as many as ran at once are needed."""

Change = Callable[[str, Manifest | None], Manifest | None]
"""From a destination and its entry, None without one, to the entry as it should be: the same object to leave it."""


def rewrite(consul: Consul, change: Change, destinations: Iterable[str] | None = None) -> bool:
    """Change the entries of these destinations, or of all that have one; whether anything was written."""
    pending = None if destinations is None else tuple(destinations)
    changed = False
    for _ in range(ATTEMPTS):
        found = {entry["Name"]: entry for entry in consul.config_entries(config_entries.INTENTIONS)}
        lost: list[str] = []
        for name in found if pending is None else pending:
            before = found.get(name)
            after = change(name, before)
            if after is before:
                continue
            if _written(consul, name, before, after):
                changed = True
            else:
                lost.append(name)
        if not lost:
            return changed
        pending = tuple(lost)
    raise MeshkitError(
        f"the intentions to {', '.join(pending or ())} are changed by others all the time",
        hint="try again when that has stopped",
    )


def _written(consul: Consul, name: str, before: Manifest | None, after: Manifest | None) -> bool:
    index = before["ModifyIndex"] if before else 0
    if after is None:
        return consul.delete_config_entry(config_entries.INTENTIONS, name, cas=index)
    return consul.write_config_entry(after, cas=index)
