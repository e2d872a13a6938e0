"""Outcomes as tables: every series with its figures, and one line for the ladder of each ordered pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meshkit.probes.expect import REFUSED
from meshkit.probes.ladder import GATEWAY, MESH, NETWORK, RUNGS, Ladder
from meshkit.probes.outcome import Outcome
from meshkit.probes.reasons import OK
from meshkit.probes.summary import Summary
from meshkit.report.figures import NOTHING, added, bound, duration, interval, share, words

Table = tuple[Sequence[str], Sequence[Sequence[str]]]

COLUMNS = ("from", "to", "service", "probe", "sent", "loss", "95%", "p50", "p90", "p99", "jitter", "clock", "error")
SICK = "*"
"""Follows the name of a source that was late on its own schedule."""
BROKEN = "✘"
ALL_PHASES = "phases"
"""In place of a clock: no round trip was measured, so the latency is that of all phases together."""


def as_tables(outcome: Outcome, *, ladder: bool) -> Iterator[Table]:
    """The series, then the ladders when they are asked for and there are any."""
    ordered = sorted(outcome.summaries.items(), key=lambda item: order(item[1]))
    yield COLUMNS, [_row(summary, outcome) for _, summary in ordered]
    if ladder and outcome.ladders:
        rows = [(words(each.source), words(each.destination), line(each), floor(each)) for each in outcome.ladders]
        yield ("from", "to", "ladder", "floor"), rows


def order(summary: Summary) -> tuple[str, str, int, str, str]:
    """Series by pair, then from the lowest rung; what is no rung comes last."""
    series, rungs = summary.series, list(RUNGS)
    rung = rungs.index(series.probe) if series.probe in rungs else len(rungs)
    return series.source, series.destination, rung, series.probe, series.service


def line(ladder: Ladder) -> str:
    """As ``network 70.4 ms, gateway ok, mesh +1.9 ms (setup 215 ms)``; the broken rung with its sign and reason."""
    return ", ".join(rung(ladder, name) for name in RUNGS if name in ladder.rungs)


def rung(ladder: Ladder, name: str) -> str:
    """One rung: what it costs where that is known, else whether it lets anything through."""
    summary = ladder.rungs[name]
    if not summary.sent:
        return f"{name} not probed"
    if summary.failed == summary.sent:
        return f"{BROKEN} {name} {worst(summary)}" if name == ladder.broken else f"{name} {worst(summary)}"
    losing = f" (loss {share(summary.loss)})" if summary.failed else ""
    if name == NETWORK and ladder.network_s is not None:
        return f"{name} {duration(ladder.network_s)}{losing}"
    if name == MESH and ladder.mesh_adds_s is not None:
        setup = f" (setup {duration(ladder.setup_s)})" if ladder.setup_s is not None else ""
        return f"{name} {added(ladder.mesh_adds_s)}{setup}{losing}"
    if name in (MESH, NETWORK) or (name == GATEWAY and summary.rtt.count):
        return f"{name} {duration(summary.latency.quantile(0.5))}{losing}"
    return f"{name} ok{losing}"


def floor(ladder: Ladder) -> str:
    """Light in fibre, there and back."""
    if ladder.floor_s is None:
        return NOTHING
    return f"light in fibre {ladder.floor_s * 1e3:.{0 if ladder.floor_s >= 0.01 else 1}f} ms"  # noqa: PLR2004, 10 ms


def worst(summary: Summary) -> str:
    """The most frequent reason of failure, empty when nothing failed."""
    failures = [(number, reason) for reason, number in summary.reasons.items() if reason != OK]
    return words(max(failures)[1]) if failures else ""


def clock(summary: Summary) -> str:
    """What measured the latency."""
    if summary.latency_of == "rtt":
        return summary.rtt_source or "user"
    return ALL_PHASES if summary.latency_of else NOTHING


def error(summary: Summary) -> str:
    """How far the latency may be off, where that is known."""
    return bound(summary.rtt_error_s) if summary.latency_of == "rtt" else NOTHING


def _row(summary: Summary, outcome: Outcome) -> tuple[str, ...]:
    series, latency, refused = summary.series, summary.latency, summary.series in outcome.refused
    return (
        words(series.source) + (SICK if series.source in outcome.sick else ""),
        words(series.destination),
        words(series.service),
        words(series.probe),
        str(summary.sent),
        REFUSED if refused else share(summary.loss),
        interval(*summary.loss_interval) if summary.sent and not refused else NOTHING,
        *(duration(latency.quantile(q)) for q in (0.5, 0.9, 0.99)),
        duration(summary.jitter_s),
        clock(summary),
        error(summary),
    )
