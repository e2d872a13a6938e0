"""A schedule as people read it: one line per entry, before it is installed and afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meshkit.config import duration, probe_budget
from meshkit.config.probes import AGENT_LIMIT_S
from meshkit.model import host_port
from meshkit.probes.ladder import RUNGS
from meshkit.probes.wanted import LADDER, SERVICE, Wanted

COLUMNS = ("name", "probes", "from", "to", "every", "by", "expect")
EVERY_ONE = "all"


def rows(wanted: Sequence[Wanted]) -> list[tuple[str, ...]]:
    """As a table's rows."""
    return [
        (
            entry.name,
            what(entry),
            ", ".join(entry.sources) or EVERY_ONE,
            ", ".join(entry.destinations) or (EVERY_ONE if entry.kind in {LADDER, SERVICE} else "-"),
            duration.shown(entry.every_s),
            "CronJob" if entry.every_s >= AGENT_LIMIT_S else "agent",
            ", ".join(entry.expect) or "-",
        )
        for entry in wanted
    ]


def merged(found: Mapping[str, Sequence[Wanted]]) -> list[tuple[tuple[str, ...], str]]:
    """Rows of several datacenters' schedules, each once, with the datacenters that have it."""
    places: dict[tuple[str, ...], list[str]] = {}
    for name, wanted in found.items():
        for row in rows(wanted):
            places.setdefault(row, []).append(name)
    return [(row, ", ".join(names)) for row, names in places.items()]


def what(entry: Wanted) -> str:
    """What an entry probes, in a few words."""
    if entry.kind == LADDER:
        return LADDER if entry.rungs == tuple(RUNGS) else f"{LADDER}: {', '.join(entry.rungs)}"
    if entry.kind == SERVICE:
        as_ = f" as {entry.target['as']}" if "as" in entry.target else ""
        return f"service {entry.target['service']}{as_}"
    return f"{entry.kind} {subject(entry.target)}"


def subject(target: Mapping[str, Any]) -> str:
    """What a mechanism's target is about: a URL, a name, or a host and perhaps its port."""
    if "host" in target and "port" in target:
        return host_port(str(target["host"]), int(target["port"]))
    return str(target.get("url") or target.get("name") or target.get("host") or "")


def load(wanted: Sequence[Wanted], datacenters: Sequence[str]) -> str:
    """What each datacenter will do, in one line."""
    parts = []
    for source in datacenters:
        entries = [entry for entry in wanted if source in (entry.sources or datacenters)]
        series = sum(probe_budget.series_of(entry, source, datacenters) for entry in entries)
        rate = sum(probe_budget.series_of(entry, source, datacenters) / entry.every_s for entry in entries)
        parts.append(f"{source}: {series} series, {rate:.3g} probes a second")
    return "; ".join(parts)


def as_json(wanted: Sequence[Wanted]) -> list[dict[str, Any]]:
    """For scripts; times in seconds, an empty list of datacenters is every one."""
    return [
        {
            "name": entry.name,
            "kind": entry.kind,
            "rungs": list(entry.rungs) if entry.kind == LADDER else [],
            "target": dict(entry.target),
            "from": list(entry.sources),
            "to": list(entry.destinations),
            "every_s": entry.every_s,
            "timeout_s": entry.timeout_s,
            "expect": list(entry.expect),
        }
        for entry in wanted
    ]
