"""How much may be asked of the agents: series and probes a second, by the datacenter that they start in.

A schedule is a ConfigMap (1 MiB at most, of which a probe takes about half a kilobyte), a series is a label set in
Prometheus and a line in each window that is kept, and a second has room for only so many probes of a shared cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from meshkit.config.problem import Problem
from meshkit.probes.wanted import LADDER, SERVICE, Wanted

MOST_SERIES = 1000
MOST_PER_SECOND = 1000.0


def problems(wanted: Sequence[Wanted], datacenters: Sequence[str]) -> Iterator[Problem]:
    """What is too much, or measured twice."""
    series: Counter[str] = Counter()
    rate: dict[str, float] = {}
    rungs: dict[tuple[str, str, str], str] = {}
    for place, entry in enumerate(wanted):
        for source in entry.sources or datacenters:
            count = series_of(entry, source, datacenters)
            series[source] += count
            rate[source] = rate.get(source, 0.0) + count / entry.every_s
        yield from _twice(entry, place, datacenters, rungs)
    for source, count in series.items():
        if count > MOST_SERIES:
            text = f"{count} series from {source}, and an agent keeps {MOST_SERIES}"
            yield Problem(("probes",), text, "name from and to where not every pair matters")
    for source, per_second in rate.items():
        if per_second > MOST_PER_SECOND:
            text = f"{per_second:.0f} probes a second from {source}, and {MOST_PER_SECOND:.0f} are allowed"
            yield Problem(("probes",), text, "probe less often, or fewer pairs")


def series_of(entry: Wanted, source: str, datacenters: Sequence[str]) -> int:
    """How many series an entry makes in one source."""
    others = sum(destination != source for destination in entry.destinations or datacenters)
    if entry.kind == LADDER:
        return len(entry.rungs) * others
    if entry.kind == SERVICE:
        return len(entry.destinations) or others
    return 1


def _twice(
    entry: Wanted, place: int, datacenters: Sequence[str], rungs: dict[tuple[str, str, str], str]
) -> Iterator[Problem]:
    """A rung of a pair is one series, whatever the entry is called: two entries would mix in it."""
    if entry.kind != LADDER:
        return
    for source in entry.sources or datacenters:
        for destination in entry.destinations or datacenters:
            for rung in entry.rungs if source != destination else ():
                first = rungs.setdefault((source, destination, rung), entry.name)
                if first != entry.name:
                    text = f"the {rung} rung from {source} to {destination} is part of {first} already"
                    yield Problem(("probes", str(place), "ladder"), text, "name from, to or rungs in one of them")
                    return
