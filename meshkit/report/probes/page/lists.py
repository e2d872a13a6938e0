"""Tables of the whole outcome: failures by reason, expectations, certificates, probers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from meshkit.probes.expect import Verdict
from meshkit.probes.reasons import OK, REASONS
from meshkit.probes.summary import Summary
from meshkit.report.figures import share
from meshkit.report.probes.page.markup import Content, Markup, join, tag
from meshkit.report.probes.page.reading import Reading
from meshkit.report.probes.page.scale import clock, time

SHOWN = 24
"""More rows than this are folded."""
LIFE = 120
"""The width of the bar for a certificate's life."""
COUNTS = ("sent", "late", "skipped", "suspect")


def failures(reading: Reading) -> Markup | None:
    """How often, what the reason means, and the last own words; rungs of a pair that fail alike are one row."""
    alike: dict[tuple[str, str, str], list[Summary]] = defaultdict(list)
    for summary in reading.summaries:
        pair = f"{summary.series.source} to {summary.series.destination}"
        for reason in summary.reasons:
            if reason != OK:
                alike[pair, reason, summary.fault].append(summary)
    rows = []
    for (pair, reason, fault), members in sorted(alike.items(), key=lambda item: -_times(item[0][1], item[1])):
        probes = ", ".join(dict.fromkeys(summary.series.probe for summary in members))
        times = f"{_times(reason, members):,} of {sum(summary.sent for summary in members):,}"
        rows.append(_row([pair, probes, times, reason, REASONS.get(reason, "not known here"), fault], numbers={2}))
    return _folded(("pair", "probe", "failed", "reason", "which means", "last own words"), rows, numbers={2})


def expectations(reading: Reading) -> Markup | None:
    """What was wanted and what was seen, the unmet first."""
    rows = [_verdict(verdict) for verdict in sorted(reading.outcome.verdicts, key=lambda verdict: verdict.holds)]
    return _folded(("", "series", "expectation", "seen"), rows)


def certificates(reading: Reading) -> Markup | None:
    """How much of its life each certificate had left when the probing ended, the shortest first."""
    seen: dict[tuple[str, tuple[float, float]], list[str]] = defaultdict(list)
    for summary in reading.summaries:
        series = summary.series
        if summary.certificate:
            seen[f"{series.destination}/{series.service}: {series.probe}", summary.certificate].append(series.source)
    at = reading.outcome.ended
    rows = [
        _certificate(name, sources, life, at)
        for (name, life), sources in sorted(seen.items(), key=lambda item: (_left(item[0][1], at), item[0][0]))
    ]
    return _folded(("certificate of", "seen from", "valid from", "until", "life left", ""), rows, numbers={4})


def probers(reading: Reading) -> Markup | None:
    """Whether each source kept its own schedule: figures from one that did not are doubtful."""
    sources: dict[str, list[Summary]] = {}
    for summary in reading.summaries:
        sources.setdefault(summary.series.source, []).append(summary)
    rows = []
    for source, summaries in sources.items():
        sent, late, skipped, suspect = (sum(getattr(s, n) for s in summaries) for n in COUNTS)
        sick = reading.outcome.sick.get(source)
        state = tag("span", f"sick: {sick}", class_="bad") if sick else "well"
        numbers = [f"{number:,}" for number in (sent, late, skipped)]
        latest = time(max(s.latest_s for s in summaries))
        rows.append(_row([source, *numbers, latest, f"{suspect:,}", state], numbers={1, 2, 3, 4, 5}))
    columns = ("prober", "sent", "late", "skipped", "latest start", "suspect", "state")
    return _folded(columns, rows, numbers={1, 2, 3, 4, 5})


def _times(reason: str, summaries: Iterable[Summary]) -> int:
    return sum(summary.reasons[reason] for summary in summaries)


def _verdict(verdict: Verdict) -> Markup:
    sign = tag("b", "✔" if verdict.holds else "✘", class_="good" if verdict.holds else "bad")
    hidden = tag("span", "met" if verdict.holds else "unmet", class_="hidden")
    return _row([join(sign, hidden), str(verdict.summary.series), verdict.condition, verdict.seen])


def _left(life: tuple[float, float], at: float) -> float:
    begin, end = life
    return min(max((end - at) / (end - begin), 0.0), 1.0) if end > begin else 0.0


def _certificate(name: str, sources: Sequence[str], life: tuple[float, float], at: float) -> Markup:
    left = _left(life, at)
    bar = tag(
        "svg",
        tag("rect", class_="all", width=LIFE, height=8),
        tag("rect", class_="left", width=LIFE * left, height=8),
        viewBox=f"0 0 {LIFE} 8",
        aria_hidden="true",
    )
    begin, end = (clock(moment, day=True) for moment in life)
    return _row([name, ", ".join(sources), begin, end, share(left), tag("div", bar, class_="life")], numbers={4})


def _row(cells: Sequence[Content], numbers: Iterable[int] = ()) -> Markup:
    return tag("tr", [tag("td", cell, class_="number" if i in numbers else "") for i, cell in enumerate(cells)])


def _folded(columns: Sequence[str], rows: Sequence[Markup], numbers: Iterable[int] = ()) -> Markup | None:
    """A table; rows past SHOWN are in a second one that unfolds."""
    if not rows:
        return None

    def table(some: Sequence[Markup]) -> Markup:
        heads = [
            tag("th", name, scope="col", class_="number" if i in numbers else "") for i, name in enumerate(columns)
        ]
        whole = tag("table", tag("thead", tag("tr", heads)), tag("tbody", some), class_="list")
        return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=columns[0] or columns[1])

    rest = rows[SHOWN:]
    more = tag("details", tag("summary", f"{len(rest):,} more"), table(rest), class_="more") if rest else None
    return join(table(rows[:SHOWN]), more)
