"""Agents judge each other: whether a target is down, or only a path to it, or the prober itself is unwell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meshkit.probes.outcome import Judgement, Standing
from meshkit.probes.reasons import OWN
from meshkit.probes.summary import Summary

SICK_SHARE = 0.05
"""An agent is sick when this share of its starts was late or skipped."""


def sick(summaries: Iterable[Summary]) -> dict[str, str]:
    """Sources that do not keep their own schedule, with the figures."""
    starts: dict[str, list[int]] = {}
    for summary in summaries:
        counted = starts.setdefault(summary.series.source, [0, 0, 0])
        counted[0] += summary.sent + summary.skipped
        counted[1] += summary.late
        counted[2] += summary.skipped
    return {
        source: f"{late} of {all_of_them} starts late, {skipped} skipped"
        for source, (all_of_them, late, skipped) in starts.items()
        if all_of_them and late + skipped > SICK_SHARE * all_of_them
    }


def judge(summaries: Iterable[Summary], unwell: Mapping[str, str]) -> tuple[Judgement, ...]:
    """One judgement for each destination's service and probe; only agents that are well have a say.

    A fault of the prober's own (no certificate yet, no free port) says nothing about the target.
    """
    seen: dict[tuple[str, str, str], dict[str, bool]] = {}
    for summary in summaries:
        series = summary.series
        told = summary.sent - sum(summary.reasons.get(reason, 0) for reason in OWN)
        if series.source not in unwell and told:
            votes = seen.setdefault((series.destination, series.service, series.probe), {})
            votes[series.source] = votes.get(series.source, False) or summary.failed < summary.sent
    return tuple(Judgement(*target, *_standing(votes)) for target, votes in sorted(seen.items()))


def _standing(votes: Mapping[str, bool]) -> tuple[Standing, tuple[str, ...]]:
    """From who reaches a target: a single agent can't tell a path from its target."""
    down = tuple(sorted(source for source, up in votes.items() if not up))
    if not down:
        return "up", ()
    if len(down) < len(votes):
        return "path down", down
    return ("target down" if len(votes) > 1 else "unknown"), down
