"""What a run or a collection of results comes to: the one value that every renderer takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from meshkit.probes.expect import REFUSED, Verdict
from meshkit.probes.ladder import Ladder, ladders
from meshkit.probes.probe import Series
from meshkit.probes.summary import Summary, merged

Standing = Literal["up", "path down", "target down", "unknown"]


@dataclass(frozen=True)
class Judgement:
    """A destination's probe as all agents see it: ``path down`` from the ``sources`` that fail while others don't."""

    destination: str
    service: str
    probe: str
    standing: Standing
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """``windows`` hold each series once per stretch of time, so they are the time line as well as the sum.

    ``began`` and ``ended`` are Unix seconds. ``sick`` are agents that are late on their own schedule, with the reason:
    their samples count, and are marked. ``missing`` are datacenters that could not be asked, with the reason.
    ``floors`` is light in fibre, there and back in seconds, by ordered pair of datacenters whose regions are known.
    """

    federation: str
    began: float
    ended: float
    windows: tuple[Summary, ...]
    verdicts: tuple[Verdict, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    sick: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    floors: Mapping[tuple[str, str], float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def summaries(self) -> Mapping[Series, Summary]:
        """Each series over all its windows."""
        return merged(self.windows)

    @property
    def ladders(self) -> tuple[Ladder, ...]:
        """The ladder of each ordered pair."""
        return tuple(ladders(self.summaries, self.floors))

    @cached_property
    def refused(self) -> frozenset[Series]:
        """Series that are refused, and should be: what other series call lost is here as wanted."""
        return frozenset(v.summary.series for v in self.verdicts if v.holds and v.condition == REFUSED)

    @property
    def silent(self) -> tuple[Series, ...]:
        """Series without expectations that nothing came through: as with ping, that is a failure."""
        judged = {verdict.summary.series for verdict in self.verdicts}
        return tuple(
            series
            for series, summary in self.summaries.items()
            if summary.sent and summary.failed == summary.sent and series not in judged
        )

    @property
    def holds(self) -> bool:
        """Whether every expectation holds, every datacenter answered, and no series is silent."""
        return all(verdict.holds for verdict in self.verdicts) and not self.missing and not self.silent
