"""Everything about one ordered pair: a line that says how it does, and what is behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meshkit.probes.expect import REFUSED, Verdict
from meshkit.probes.reasons import OK, REASONS
from meshkit.probes.summary import Summary
from meshkit.report.figures import NOTHING, count, interval, share
from meshkit.report.probes.live import foremost
from meshkit.report.probes.page.distribution import distribution
from meshkit.report.probes.page.markup import Markup, join, tag
from meshkit.report.probes.page.reading import Pair, Reading
from meshkit.report.probes.page.rungs import rungs
from meshkit.report.probes.page.scale import date, error, time
from meshkit.report.probes.page.timeline import spark, timeline
from meshkit.report.probes.tables import SICK, line
from meshkit.report.probes.tables import clock as clock_of

OPEN = 6
"""Up to so many pairs are shown open."""


def pairs(reading: Reading) -> Markup:
    """All pairs, in the order of their names."""
    titles = ("", "pair", "ladder", "over time", "p50", "p90", "p99", "loss")
    head = [tag("span", title, class_="number" if title in titles[4:] else "") for title in titles]
    shown = [_pair(reading, pair) for pair in reading.pairs]
    return join(tag("div", head, class_="pairhead", aria_hidden="true"), shown)


def _pair(reading: Reading, pair: Pair) -> Markup:
    summaries, ladder = reading.pairs[pair], reading.ladders.get(pair)
    inside = [rungs(ladder) if ladder else None, *(_series(reading, summary) for summary in summaries)]
    return tag(
        "details",
        tag("summary", _line(reading, pair)),
        # A link to what is inside of a closed element opens it, without any script.
        tag("div", inside, class_="inside", id=reading.anchors[pair]),
        class_="pair",
        open=len(reading.pairs) <= OPEN,
    )


def _line(reading: Reading, pair: Pair) -> Iterator[Markup]:
    summary, ladder = foremost(reading.pairs[pair]), reading.ladders.get(pair)
    refused = summary.series in reading.outcome.refused
    broken = ladder.broken if ladder else summary.sent and summary.failed == summary.sent and not refused
    said = line(ladder) if ladder else summary.series.probe
    mark = SICK if pair[0] in reading.outcome.sick else ""
    yield tag("span", f"{pair[0]}{mark} → {pair[1]}", class_="name")
    yield tag("span", said.replace(" us", " µs"), class_="said bad" if broken else "said", title=said)
    yield tag("span", spark(reading.windows[summary.series], reading.span), class_="spark")
    for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        value = tag("span", f"{name} ", class_="hidden")
        yield tag("span", value, time(summary.latency.quantile(q)), class_=f"number {name}")
    loss = tag("span", "loss ", class_="hidden")
    lost = REFUSED if refused else share(summary.loss)
    yield tag("span", loss, lost, class_="number bad" if summary.loss and not refused else "number")


def _series(reading: Reading, summary: Summary) -> Markup:
    series = summary.series
    refused = series in reading.outcome.refused
    beside = [*_expectations(reading.verdicts.get(series, ())), *([] if refused else _failures(summary))]
    return tag(
        "div",
        tag("h4", series.probe, tag("small", series.service)),
        tag("dl", _figures(reading, summary), class_="figures"),
        distribution(summary.latency),
        timeline(reading.windows[series], reading.span),
        tag("ul", beside, class_="beside") if beside else None,
        class_="series",
    )


def _figures(reading: Reading, summary: Summary) -> Iterator[Markup]:
    latency, refused = summary.latency, summary.series in reading.outcome.refused
    rows = {
        "sent": f"{summary.sent:,}",
        "loss": REFUSED if refused else share(summary.loss),
        "95%": interval(*summary.loss_interval) if summary.sent and not refused else NOTHING,
        **{name: time(latency.quantile(q)) for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))},
        "jitter": time(summary.jitter_s),
        "clock": clock_of(summary),
        "error": error(summary.rtt_error_s if summary.latency_of == "rtt" else 0.0),
        "resent": f"{summary.resent:,}" if summary.resent else "",
        "suspect": f"{summary.suspect:,}" if summary.suspect else "",
        "skipped": f"{summary.skipped:,}" if summary.skipped else "",
        "certificate": f"to {date(summary.certificate[1])}" if summary.certificate else "",
        "answers": ", ".join(summary.answers),
        "prober": "sick" if summary.series.source in reading.outcome.sick else "",
    }
    for name, value in rows.items():
        if value:
            yield join(tag("dt", name), tag("dd", value, class_="answers"))


def _expectations(verdicts: Sequence[Verdict]) -> Iterator[Markup]:
    for verdict in verdicts:
        sign = tag("b", "✔" if verdict.holds else "✘", class_="good" if verdict.holds else "bad")
        yield tag("li", sign, f" {verdict.condition}: {verdict.seen}")


def _failures(summary: Summary) -> Iterator[Markup]:
    failures = sorted(((n, reason) for reason, n in summary.reasons.items() if reason != OK), reverse=True)
    for number, reason in failures:
        meaning = REASONS.get(reason, "a reason that this version does not know")
        yield tag("li", tag("b", f"{reason} ", class_="bad"), f"{count(number, 'time')}: {meaning}")
    if summary.fault:
        yield tag("li", "last own words: ", tag("q", summary.fault), class_="soft")
