"""Outcomes as CSV (RFC 4180), for spreadsheets: one row per series and window, oldest first."""

from __future__ import annotations

import csv
import io

from meshkit.probes.outcome import Outcome
from meshkit.probes.summary import Summary
from meshkit.report.figures import moment, words
from meshkit.report.probes.tables import order, worst

COLUMNS = (
    *("began", "width_s", "from", "to", "service", "probe", "prober_sick"),
    *("sent", "failed", "resent", "loss", "loss_low", "loss_high"),
    *("p50_s", "p90_s", "p99_s", "jitter_s", "latency_of", "rtt_source", "rtt_error_s"),
    *("late", "skipped", "suspect", "reason", "fault"),
)
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A spreadsheet takes a text that begins so for a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""


def as_csv(outcome: Outcome) -> str:
    """A heading, then the rows; lines end in CRLF, what was not measured is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for window in sorted(outcome.windows, key=lambda window: (order(window), window.begin)):
        writer.writerow(_row(window, sick=window.series.source in outcome.sick))
    return text.getvalue()


def _row(window: Summary, *, sick: bool) -> tuple[str, ...]:
    series, latency = window.series, window.latency
    low, high = window.loss_interval if window.sent else (None, None)
    return (
        moment(window.begin),
        f"{window.width_s:g}",
        *map(_text, (series.source, series.destination, series.service, series.probe)),
        "yes" if sick else "no",
        *map(str, (window.sent, window.failed, window.resent)),
        *map(_number, (window.loss, low, high)),
        *(_number(latency.quantile(q)) for q in (0.5, 0.9, 0.99)),
        _number(window.jitter_s),
        window.latency_of,
        window.rtt_source,
        _number(window.rtt_error_s or None),
        *map(str, (window.late, window.skipped, window.suspect)),
        _text(worst(window)),
        _text(window.fault),
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.9f}".rstrip("0").rstrip(".")


def _text(value: str) -> str:
    """One line, and never a formula: an apostrophe makes it text."""
    line = words(value)
    return f"'{line}" if line.startswith(FORMULA) else line
