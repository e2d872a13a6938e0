"""An outcome sorted the ways that a page looks at it, each worked out once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meshkit.probes.expect import Verdict
from meshkit.probes.ladder import RUNGS, Ladder
from meshkit.probes.outcome import Outcome
from meshkit.probes.probe import Series
from meshkit.probes.summary import Summary
from meshkit.report.probes.tables import order

Pair = tuple[str, str]


@dataclass(frozen=True)
class Reading:
    """``pairs`` hold their series from the lowest rung; ``windows`` are oldest first.

    ``span`` is from the first window's begin to the last one's end, for all time lines alike.
    """

    outcome: Outcome
    summaries: Sequence[Summary]
    pairs: Mapping[Pair, Sequence[Summary]]
    windows: Mapping[Series, Sequence[Summary]]
    verdicts: Mapping[Series, Sequence[Verdict]]
    ladders: Mapping[Pair, Ladder]
    anchors: Mapping[Pair, str]
    span: tuple[float, float]

    @classmethod
    def of(cls, outcome: Outcome) -> Reading:
        """Sort an outcome."""
        summaries = sorted(outcome.summaries.values(), key=order)
        pairs, windows, verdicts = defaultdict(list), defaultdict(list), defaultdict(list)
        for summary in summaries:
            pairs[summary.series.source, summary.series.destination].append(summary)
        for window in sorted(outcome.windows, key=lambda window: window.begin):
            windows[window.series].append(window)
        for verdict in outcome.verdicts:
            verdicts[verdict.summary.series].append(verdict)
        ladders = {(ladder.source, ladder.destination): ladder for ladder in outcome.ladders}
        # Numbers, since a name may hold anything and two names may not become the same anchor.
        anchors = {pair: f"pair-{number}" for number, pair in enumerate(pairs, 1)}
        begin = min((window.begin for window in outcome.windows), default=outcome.began)
        end = max((window.begin + window.width_s for window in outcome.windows), default=outcome.ended)
        return cls(outcome, summaries, pairs, windows, verdicts, ladders, anchors, (begin, end))

    @property
    def probes(self) -> list[str]:
        """What was probed: the rungs from the lowest, then others by name."""
        found = {summary.series.probe for summary in self.summaries}
        return [rung for rung in RUNGS if rung in found] + sorted(found - set(RUNGS))
