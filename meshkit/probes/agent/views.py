"""What the peers see, fetched from their /view through the mesh; an agent alone can't tell a path from its target.

A peer speaks for itself only: what its view says of other sources is not looked at. A view that is garbage, too large,
too late or too old counts as none, and what only it could decide as unknown.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from time import monotonic, time

from meshkit.errors import UnreachableError
from meshkit.probes import peers
from meshkit.probes.agent.fetch import request
from meshkit.probes.agent.metrics import Family, Labels
from meshkit.probes.outcome import Judgement, Standing
from meshkit.probes.probe import Series
from meshkit.probes.summary import Summary

TIMEOUT_S = 5.0
OLD_S = 120.0
"""A view of longer ago, by its reading or by its own clock, is none."""

MOST_BYTES = 16 << 20
MOST_SERIES = 50_000
OK = 200
STANDINGS: tuple[Standing, ...] = ("up", "path down", "target down", "unknown")


class Views:
    """The last good view of each peer."""

    def __init__(self, source: str, addresses: Mapping[str, str]) -> None:
        self._source = source
        self._addresses = addresses
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, list[Summary]]] = {}

    def fetch(self) -> dict[str, str]:
        """Ask every peer; those that gave no view, with the reason."""
        failed = {}
        for name, url in self._addresses.items():
            try:
                summaries = _view(name, url)
            except UnreachableError as error:
                failed[name] = error.message
                continue
            with self._lock:
                self._seen[name] = monotonic(), summaries
        return failed

    def recent(self) -> dict[str, list[Summary]]:
        """By peer, without what is too old."""
        now = monotonic()
        with self._lock:
            return {name: summaries for name, (at, summaries) in self._seen.items() if now - at < OLD_S}

    def judge(
        self, own: Iterable[Summary], wanted: AbstractSet[Series]
    ) -> tuple[tuple[Judgement, ...], dict[str, str]]:
        """How the targets of ``wanted`` stand as seen from here, and who is sick (this agent among them)."""
        own = list(own)
        mine = {(s.series.destination, s.series.service, s.series.probe) for s in own if s.series in wanted}
        everyone = [*own, *(summary for summaries in self.recent().values() for summary in summaries)]
        unwell = peers.sick(everyone)
        everyone = [s for s in everyone if (s.series.destination, s.series.service, s.series.probe) in mine]
        judgements = [self._from_here(judgement, self._source in unwell) for judgement in peers.judge(everyone, unwell)]
        known = {(j.destination, j.service, j.probe) for j in judgements}
        judgements += [Judgement(*target, "unknown") for target in sorted(mine - known)]
        return tuple(judgements), unwell

    def _from_here(self, judgement: Judgement, ill: bool) -> Judgement:  # noqa: FBT001, one call
        """A path that is down from elsewhere is up from here; who is sick can't say."""
        standing = judgement.standing
        if ill:
            standing = "unknown"
        elif self._source not in judgement.sources:
            standing = "up"
        return Judgement(judgement.destination, judgement.service, judgement.probe, standing, judgement.sources)


def families(source: str, judgements: Iterable[Judgement], unwell: Mapping[str, str]) -> list[Family]:
    """The judgement as metrics."""
    points: list[tuple[Labels, int]] = []
    for judgement in judgements:
        labels = (
            ("src_cluster", source),
            ("dst_cluster", judgement.destination),
            ("service", judgement.service),
            ("probe", judgement.probe),
        )
        points += [((*labels, ("standing", name)), int(name == judgement.standing)) for name in STANDINGS]
    return [
        Family(
            "meshkit_probe_standing",
            "gauge",
            "1 for how a target stands from here, the peers' views considered.",
            points,
        ),
        Family(
            "meshkit_agent_sick",
            "gauge",
            "Whether this agent is late on its own schedule.",
            [((("src_cluster", source),), int(source in unwell))],
        ),
    ]


def _view(name: str, url: str) -> list[Summary]:
    answer = request(url, timeout_s=TIMEOUT_S, limit=MOST_BYTES)
    if answer.status != OK:
        raise UnreachableError(f"HTTP {answer.status}")
    try:
        wire = json.loads(answer.body)
        if wire["source"] != name:
            raise UnreachableError("this is another agent's view")
        if abs(time() - wire["now"]) > OLD_S:
            raise UnreachableError("this view is old, or one of the clocks is wrong")
        summaries = [Summary.from_wire(entry) for entry in wire["windows"][:MOST_SERIES]]
        return [summary for summary in summaries if summary.series.source == name]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreachableError("this is no view") from error
