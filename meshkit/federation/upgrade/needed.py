"""Whether a description asks for an upgrade: it names another version of the official chart than that of servers.

``federate`` would install that in all datacenters at once and prove it only afterwards. With GitOps others roll the
releases out, so there nothing is refused but what Consul itself can't do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meshkit.consul import official, upgrades
from meshkit.errors import UsageError
from meshkit.federation.facts import ClusterFacts
from meshkit.federation.upgrade.target import Target, command
from meshkit.model import Federation


def problems(
    federation: Federation, known: Federation | None, seen: Mapping[str, ClusterFacts]
) -> Iterator[UsageError]:
    """Why ``federate`` does not change the chart of datacenters with servers; ``known`` is what they were made from."""
    if known is None or not federation.official:
        return
    before = {dc.name: known.seen_from(dc).chart_version for dc in known.datacenters}
    moved: dict[str, list[str]] = {}
    for dc in federation.datacenters:
        version = before.get(dc.name, "")
        has_servers = dc.name in seen and seen[dc.name].has_servers
        if has_servers and version not in ("", federation.seen_from(dc).chart_version):
            moved.setdefault(version, []).append(dc.name)
    for version, names in moved.items():
        yield from _changed(", ".join(names), version, federation, known)


def _changed(names: str, before: str, federation: Federation, known: Federation) -> Iterator[UsageError]:
    after = federation.chart_version
    consul = official.consul_version(after)
    why = upgrades.refusal(official.consul_version(before), consul)
    if why:
        yield UsageError(
            f"{names}: the chart is {before} and can't become {after}: {why}",
            hint=f"leave out its version, and {before} stays; else meshkit destroy and a new federation",
        )
    elif not federation.gitops:
        # A chart from a path comes from a path again.
        path = federation.chart_path or ("PATH" if known.chart_path else "")
        yield UsageError(
            f"{names}: the chart is {before}, and {after} would come to all datacenters at once",
            hint=f"one after the other: {command(known, Target(consul, after, path))}",
        )
