"""Probing itself as the commands call it: resolve, run, and narrate how far it is."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace

from meshkit.cli.probe.request import Pace
from meshkit.events import Finished, Observer, Progress, Started
from meshkit.federation.context import Context
from meshkit.federation.probing import expected, runs, targets
from meshkit.federation.probing.surroundings import Surroundings
from meshkit.probes.expect import REFUSED
from meshkit.probes.outcome import Outcome
from meshkit.probes.probe import Series
from meshkit.probes.reasons import REFUSALS
from meshkit.probes.summary import Summary
from meshkit.probes.wanted import Wanted

TASK = "probing"
INTENTIONS_S, INTENTIONS_COUNT = 0.5, 3
PARTS = 10
"""Progress is told so often in all, however long a run is: a log is read by people."""


def probed(context: Context, wanted: Sequence[Wanted], timing: Pace, seen: Surroundings | None = None) -> Outcome:
    """Probe once, and say so on stderr; what was ``seen`` around is not looked at again."""
    plan = targets.resolve(context, wanted, seen)
    series = sum(len(probes) for probes in plan.probes.values())
    each = timing.count if timing.count is not None else int((timing.for_s or 0) / timing.interval_s)
    refusals = {each_series for each_series, texts in runs.expectations(plan).items() if REFUSED in texts}
    began, telling = time.monotonic(), Telling(context.observe, max(1, series * each), refusals)
    context.observe(Started(TASK, expected_s=each * timing.interval_s))
    outcome = runs.run(context, plan, runs.Pace(timing.count, timing.for_s), on_windows=telling)
    context.observe(Finished(TASK, time.monotonic() - began, text=telling.text))
    return outcome


def intentions(context: Context, ladder: Wanted, seen: Surroundings) -> Outcome:
    """Whether what is allowed passes and what is denied is refused, between the datacenters that the ladder is about.

    It is a run of its own: while the ladder's mesh rung is probed, trial intentions allow what nothing else decides.
    """
    timing = Pace(INTENTIONS_S, ladder.timeout_s, count=INTENTIONS_COUNT)
    found = expected.expected(context, seen)
    wanted = [
        replace(entry, every_s=timing.interval_s, timeout_s=timing.timeout_s)
        for entry in found.wanted
        if set(entry.sources) <= set(ladder.sources or entry.sources)
        and set(entry.destinations) <= set(ladder.destinations or entry.destinations)
    ]
    # A refusal that is wanted is no path that is down: verdicts say what is to be said.
    outcome = probed(context, wanted, timing, seen)
    return replace(outcome, judgements=(), notes=(*found.notes, *outcome.notes))


def together(first: Outcome, second: Outcome) -> Outcome:
    """Two runs, one after the other, as one outcome."""
    return replace(
        second,
        began=first.began,
        windows=(*first.windows, *second.windows),
        verdicts=(*first.verdicts, *second.verdicts),
        judgements=(*first.judgements, *second.judgements),
        sick={**first.sick, **second.sick},
        missing={**first.missing, **second.missing},
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
    )


class Telling:
    """Counts what has come in; one thread at a time calls it."""

    def __init__(self, observe: Observer, expected: int, refusals: Collection[Series] = ()) -> None:
        self._observe = observe
        self._expected = expected
        self._refusals = refusals
        self._sent = self._failed = self._refused = self._told = 0

    def __call__(self, windows: Sequence[Summary]) -> None:
        """Some windows more."""
        self._sent += sum(window.sent for window in windows)
        for window in windows:
            refused = sum(window.reasons.get(r, 0) for r in REFUSALS) if window.series in self._refusals else 0
            self._failed += window.failed - refused
            self._refused += refused
        part = self._sent * PARTS // self._expected
        if part > self._told:
            self._told = part
            self._observe(Progress(TASK, self.text))

    @property
    def text(self) -> str:
        """How far it is."""
        refused = f", {self._refused:,} refused as expected" if self._refused else ""
        return f"{self._sent:,} of {self._expected:,} answered or given up, {self._failed:,} failed{refused}"
