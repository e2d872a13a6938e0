"""What does not fit into a table: judgements, sick probers, suspect samples, what is missing, what does not hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from meshkit.probes.expect import Verdict
from meshkit.probes.ladder import RUNGS
from meshkit.probes.outcome import Judgement, Outcome
from meshkit.probes.reasons import REASONS
from meshkit.probes.summary import Summary
from meshkit.report.figures import count, words
from meshkit.report.probes.tables import worst


def remarks(outcome: Outcome) -> Iterator[str]:
    """One line each, the gravest first; the last one says whether all is as wanted."""
    for datacenter, why in sorted(outcome.missing.items()):
        yield f"✘ {words(datacenter)} could not be asked: {words(why)}"
    for verdict in outcome.verdicts:
        if not verdict.holds:
            yield f"✘ {unmet(verdict)}"
    for judgements in _alike(outcome.judgements):
        yield f"! {judged(judgements)}"
    for source, why in sorted(outcome.sick.items()):
        yield f"! prober sick: {words(source)}: {words(why)}; its samples count, and are marked *"
    for doubt in doubts(outcome):
        yield f"~ {doubt}"
    yield from answers(outcome)
    for note in outcome.notes:
        yield f"~ {words(note)}"
    yield verdict_line(outcome)


def unmet(verdict: Verdict) -> str:
    """What was wanted of which series, what was seen, and what the reason means."""
    reason = worst(verdict.summary)
    meaning = f" ({REASONS[reason]})" if reason in REASONS else ""
    return words(f"{verdict.summary.series}: {verdict.condition} does not hold: {verdict.seen}") + meaning


def _alike(judgements: Iterable[Judgement]) -> Iterable[list[Judgement]]:
    """Those that are not up, the ones of a service that differ only in what was probed together."""
    found: dict[tuple[str, str, str, tuple[str, ...]], list[Judgement]] = {}
    for each in judgements:
        if each.standing != "up":
            found.setdefault((each.destination, each.service, each.standing, each.sources), []).append(each)
    return found.values()


def judged(alike: Sequence[Judgement]) -> str:
    """Where it is broken, as far as the agents together can tell, by all probes of a service that say the same."""
    judgement = alike[0]
    probes = sorted((each.probe for each in alike), key=lambda name: (_height(name), name))
    target = words(f"{judgement.destination}/{judgement.service}: {', '.join(probes)}")
    sources = words(", ".join(judgement.sources))
    if judgement.standing == "path down":
        return f"{target}: path down from {sources}; others reach it"
    if judgement.standing == "target down":
        return f"{target}: target down: nobody reaches it ({sources})"
    answers = "do not answer" if len(alike) > 1 else "does not answer"
    return f"{target}: {answers} {sources}, which is alone: the path or the target is down"


def _height(probe: str) -> int:
    rungs = list(RUNGS)
    return rungs.index(probe) if probe in rungs else len(rungs)


def answers(outcome: Outcome) -> Iterator[str]:
    """What names resolve to, and the hops of paths."""
    for summary in outcome.summaries.values():
        if summary.answers:
            yield words(f"= {summary.series}: {', '.join(summary.answers)}")


def doubts(outcome: Outcome) -> Iterator[str]:
    """By source, why its figures may say less than they seem to."""
    sources: dict[str, list[Summary]] = {}
    for summary in outcome.windows:
        sources.setdefault(summary.series.source, []).append(summary)
    for source, summaries in sorted(sources.items()):
        sent, suspect, skipped = (sum(getattr(s, name) for s in summaries) for name in ("sent", "suspect", "skipped"))
        if suspect:
            samples = f"{suspect:,} of {count(sent, 'sample')}"
            yield f"{words(source)}: {samples} suspect: much of their time may be the prober's own lateness"
        if skipped:
            yield f"{words(source)}: {count(skipped, 'start')} skipped, since the one before was still under way"


def verdict_line(outcome: Outcome) -> str:
    """The whole outcome in one line."""
    unheld = sum(not verdict.holds for verdict in outcome.verdicts)
    if unheld:
        return f"{unheld} of {count(len(outcome.verdicts), 'expectation')} {_do(unheld)} not hold"
    if outcome.missing:
        return f"{count(len(outcome.missing), 'datacenter')} could not be asked"
    if outcome.verdicts:
        return f"{count(len(outcome.verdicts), 'expectation')}, all hold" if len(outcome.verdicts) > 1 else "it holds"
    summaries = outcome.summaries.values()
    sent, failed = sum(s.sent for s in summaries), sum(s.failed for s in summaries)
    return f"{count(sent, 'sample')}, {failed:,} failed" if sent else "no samples"


def _do(number: int) -> str:
    return "does" if number == 1 else "do"
