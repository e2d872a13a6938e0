"""Who needs an intention that meshkit made: its description names them, and it goes with the last one.

Two runs at once may need the same intention, and neither may take it away from the other. A run that is killed can't
let go, so what it holds is over at a time that stands there too: whoever comes later then takes it away. What a
schedule holds has no end. An intention that says anything else, or that does not simply allow, is somebody's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from meshkit.consul import config_entries
from meshkit.consul.config_entries import Entry, Intention
from meshkit.errors import MeshkitError

SCHEDULE = "probe schedule"
LONGEST = 512
"""Consul's limit, https://github.com/hashicorp/consul/blob/v1.22.7/agent/structs/config_entry_intentions.go."""

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_HOLD = re.compile(r"meshkit ([a-z]+(?: [a-z0-9]+)?)(?: until (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ))?")
_BETWEEN = ", "


@dataclass(frozen=True)
class Hold:
    """``holder`` is one or two words; ``until`` (UTC, to the second) is None for what lasts."""

    holder: str
    until: datetime | None = None

    def __str__(self) -> str:
        """As it stands in a description."""
        return f"meshkit {self.holder}" + (f" until {self.until.strftime(_TIME)}" if self.until else "")

    def is_over(self, now: datetime) -> bool:
        """Whether its holder has had all the time it can need."""
        return self.until is not None and self.until <= now


def of(source: Entry) -> tuple[Hold, ...]:
    """Who holds a source of a service-intentions entry; nobody when it is somebody's own."""
    if source.get("Action") != "allow" or not config_entries.is_local(source, source["Name"]):
        return ()
    found = [_parsed(part) for part in str(source.get("Description") or "").split(_BETWEEN)]
    return tuple(hold for hold in found if hold) if all(found) else ()


def on(entry: Entry | None, source: str) -> tuple[Hold, ...]:
    """Who holds the intention from a service of this federation in its destination's entry."""
    found = (s for s in (entry or {}).get("Sources") or () if config_entries.is_local(s, source))
    return next((of(s) for s in found), ())


def lasts(holds: Iterable[Hold]) -> bool:
    """Whether a schedule is among the holders; else the intention is there for runs only."""
    return any(hold.holder == SCHEDULE for hold in holds)


def added(entry: Entry | None, intention: Intention, hold: Hold, now: datetime) -> Entry | None:
    """The destination's entry with the intention held too; the entry itself when it is, or is somebody's own."""
    there = any(config_entries.is_local(s, intention.source) for s in (entry or {}).get("Sources") or ())
    before = on(entry, intention.source)
    if there and (not before or hold in before):
        return entry
    return _held(entry, intention, (*_others(before, hold.holder, now), hold))


def released(entry: Entry, which: Callable[[str], bool], holder: str, now: datetime) -> Entry | None:
    """The entry without what ``holder`` holds from the sources in question, and without what is over.

    It is the entry itself when that changes nothing, and None when nothing is left.
    """
    kept: Entry | None = entry
    for source in entry.get("Sources") or ():
        before, name = of(source), source["Name"]
        left = _others(before, holder if which(name) else "", now)
        if kept is None or left == before:
            continue
        if left:
            kept = _held(kept, Intention(name, entry["Name"], "allow"), left)
        else:
            kept = config_entries.without_intention(kept, name)
    return kept


def _others(holds: tuple[Hold, ...], holder: str, now: datetime) -> tuple[Hold, ...]:
    return tuple(hold for hold in holds if hold.holder != holder and not hold.is_over(now))


def _held(entry: Entry | None, intention: Intention, holds: tuple[Hold, ...]) -> Entry:
    text = _BETWEEN.join(map(str, holds))
    if len(text) > LONGEST:
        raise MeshkitError(
            f"{len(holds)} runs at once need the intention from {intention.source} to {intention.destination}",
            hint="try again when some have ended",
        )
    return config_entries.with_intention(entry, intention, text)


def _parsed(text: str) -> Hold | None:
    found = _HOLD.fullmatch(text)
    if not found:
        return None
    holder, until = found.groups()
    try:
        return Hold(holder, datetime.strptime(until, _TIME).replace(tzinfo=UTC) if until else None)
    except ValueError:
        return None
