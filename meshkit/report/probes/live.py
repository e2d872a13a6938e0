"""Outcomes while they come in: the matrix, how each pair has been doing lately, and what failed last.

Plain data, so that any terminal can show it; with rich it is shown as it is (``Live.__rich__``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from meshkit.probes.expect import REFUSED
from meshkit.probes.ladder import RUNGS
from meshkit.probes.outcome import Outcome
from meshkit.probes.probe import Series
from meshkit.probes.reasons import REASONS
from meshkit.probes.summary import Summary
from meshkit.report.figures import NOTHING, duration, moment, share, words
from meshkit.report.probes.tables import BROKEN, SICK, Table, order, worst

BARS = "▁▂▃▄▅▆▇█"
LAST_WINDOWS = 20
LAST_FAILURES = 8


@dataclass(frozen=True)
class Live:
    """``matrix`` is from (rows) to (columns); ``series`` ends with a bar per window, ✘ where nothing came through."""

    title: str
    matrix: Table
    series: Table
    failures: tuple[str, ...]

    def __rich__(self) -> Any:
        """What rich shows; imported here, since only a terminal view needs it."""
        from rich import box  # noqa: PLC0415
        from rich.console import Group  # noqa: PLC0415
        from rich.table import Table as RichTable  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        parts: list[Any] = [Text(self.title, style="bold")]
        for columns, rows in (self.matrix, self.series):
            table = RichTable(box=box.SIMPLE, header_style="dim", pad_edge=False)
            for column in columns:
                table.add_column(Text(column))
            for row in rows:
                table.add_row(*(Text(cell, style="bold red" if BROKEN in cell else "") for cell in row))
            parts.append(table)
        return Group(*parts, *(Text(failure, style="red") for failure in self.failures))


def live(outcome: Outcome) -> Live:
    """The view of what has come in so far."""
    summaries = sorted(outcome.summaries.values(), key=order)
    windows: dict[Series, list[Summary]] = defaultdict(list)
    for window in sorted(outcome.windows, key=lambda window: window.begin):
        windows[window.series].append(window)
    sent = sum(s.sent for s in summaries)
    failed = sum(s.failed for s in summaries if s.series not in outcome.refused)
    return Live(
        f"{words(outcome.federation)}  {moment(outcome.ended)}  {sent:,} sent, {failed:,} failed",
        _matrix(summaries, outcome),
        (
            ("from", "to", "probe", "p50", "p99", "loss", "lately"),
            [_row(s, windows[s.series], refused=s.series in outcome.refused) for s in summaries],
        ),
        tuple(_failures(window for window in outcome.windows if window.series not in outcome.refused)),
    )


def foremost(summaries: Iterable[Summary]) -> Summary:
    """What stands for a pair: the highest rung, which needs all the others; of several, the one that fares worst."""
    rungs = list(RUNGS)

    def weight(summary: Summary) -> tuple[int, float, float]:
        probe = summary.series.probe
        height = rungs.index(probe) if probe in rungs else -1
        return height, summary.loss or 0.0, summary.latency.quantile(0.5) or 0.0

    return max(summaries, key=weight)


def sparkline(windows: Iterable[Summary]) -> str:
    """Medians of the last windows between their own least and most."""
    medians = [None if w.sent and w.failed == w.sent else w.latency.quantile(0.5) or 0.0 for w in windows]
    medians = medians[-LAST_WINDOWS:]
    known = [median for median in medians if median is not None]
    least, most = min(known, default=0.0), max(known, default=0.0)
    step = (most - least) / (len(BARS) - 1) or 1.0
    return "".join(BROKEN if m is None else BARS[round((m - least) / step)] for m in medians)


def _matrix(summaries: list[Summary], outcome: Outcome) -> Table:
    pairs: dict[tuple[str, str], list[Summary]] = defaultdict(list)
    for summary in summaries:
        pairs[summary.series.source, summary.series.destination].append(summary)
    sources = sorted({source for source, _ in pairs})
    destinations = sorted({destination for _, destination in pairs})
    rows = [
        [words(s) + (SICK if s in outcome.sick else ""), *(_cell(pairs.get((s, d), []), outcome) for d in destinations)]
        for s in sources
    ]
    return ("from \\ to", *map(words, destinations)), rows


def _cell(summaries: list[Summary], outcome: Outcome) -> str:
    if not summaries:
        return NOTHING
    summary = foremost(summaries)
    if summary.series in outcome.refused:
        return REFUSED
    if summary.sent and summary.failed == summary.sent:
        return f"{BROKEN} {worst(summary)}"
    loss = f" {share(summary.loss)}" if summary.loss else ""
    return f"{duration(summary.latency.quantile(0.5))}{loss}"


def _row(summary: Summary, windows: list[Summary], *, refused: bool) -> tuple[str, ...]:
    series, latency = summary.series, summary.latency
    return (
        words(series.source),
        words(series.destination),
        words(series.probe),
        duration(latency.quantile(0.5)),
        duration(latency.quantile(0.99)),
        REFUSED if refused else share(summary.loss),
        "" if refused else sparkline(windows),
    )


def _failures(windows: Iterable[Summary]) -> Iterable[str]:
    """Each series' last window with failures, newest first."""
    last: dict[Series, Summary] = {}
    for window in windows:
        if window.failed and (window.series not in last or window.begin > last[window.series].begin):
            last[window.series] = window
    for window in sorted(last.values(), key=lambda w: w.begin, reverse=True)[:LAST_FAILURES]:
        reason = worst(window)
        said = words(window.fault) or REASONS.get(reason, "")
        yield f"{moment(window.begin)}  {words(str(window.series))}: {window.failed} of {window.sent} {reason}: {said}"
