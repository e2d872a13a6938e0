"""Outcomes as JSON, the form that scripts rely on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from meshkit.probes.expect import Verdict
from meshkit.probes.ladder import RUNGS, Ladder
from meshkit.probes.outcome import Judgement, Outcome
from meshkit.probes.probe import Series
from meshkit.probes.stats import Sketch
from meshkit.probes.summary import Summary
from meshkit.report.figures import moment, words
from meshkit.report.probes.tables import order

QUANTILES = {"p50_s": 0.5, "p90_s": 0.9, "p95_s": 0.95, "p99_s": 0.99}


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Keys stay; times of day are RFC 3339 in UTC, durations seconds (``_s``), shares 0 to 1; null: not measured.

    ``federation``, ``began``, ``ended``, ``holds``;
    ``series``: per series ``from``, ``to``, ``service``, ``probe``, ``prober_sick``, figures (see ``_figures``), and
    ``windows``, the same figures with ``began`` and ``width_s``, oldest first;
    ``ladders``: per ordered pair ``from``, ``to``, ``broken`` (first rung that lets nothing through, empty when none
    does), ``floor_s``, ``network_s``, ``mesh_adds_s``, ``setup_s``, ``rungs`` (name to ``up``, null without samples);
    ``expectations``: ``from``, ``to``, ``service``, ``probe``, ``condition``, ``holds``, ``seen``;
    ``judgements``: ``destination``, ``service``, ``probe``, ``standing``, ``sources``;
    ``sick``, ``missing``: name to reason; ``notes``.
    """
    return {
        "federation": words(outcome.federation),
        "began": moment(outcome.began),
        "ended": moment(outcome.ended),
        "holds": outcome.holds,
        "series": _all_series(outcome),
        "ladders": [_ladder(ladder) for ladder in outcome.ladders],
        "expectations": [_expectation(verdict) for verdict in outcome.verdicts],
        "judgements": [_judgement(judgement) for judgement in outcome.judgements],
        "sick": _texts(outcome.sick),
        "missing": _texts(outcome.missing),
        "notes": list(map(words, outcome.notes)),
    }


def _all_series(outcome: Outcome) -> list[dict[str, Any]]:
    windows: dict[Series, list[Summary]] = defaultdict(list)
    for window in sorted(outcome.windows, key=lambda window: window.begin):
        windows[window.series].append(window)
    summaries = sorted(outcome.summaries.values(), key=order)
    return [_series(s, windows[s.series], sick=s.series.source in outcome.sick) for s in summaries]


def _series(summary: Summary, windows: Sequence[Summary], *, sick: bool) -> dict[str, Any]:
    return {
        **_name(summary),
        "prober_sick": sick,
        **_figures(summary),
        "windows": [
            {"began": moment(window.begin), "width_s": round(window.width_s, 3)} | dict(_figures(window))
            for window in windows
        ],
    }


def _name(summary: Summary) -> dict[str, str]:
    series = summary.series
    names = {"from": series.source, "to": series.destination, "service": series.service, "probe": series.probe}
    return _texts(names)


def _figures(summary: Summary) -> Mapping[str, Any]:
    """``latency_s`` is of the network's round trip (``latency_of`` rtt), else of all phases (total)."""
    low, high = summary.loss_interval
    return {
        "sent": summary.sent,
        "failed": summary.failed,
        "resent": summary.resent,
        "loss": summary.loss,
        "loss_95": [round(low, 6), round(high, 6)] if summary.sent else None,
        "reasons": {words(reason): number for reason, number in sorted(summary.reasons.items())},
        "fault": words(summary.fault),
        "latency_of": summary.latency_of or None,
        "latency_s": _distribution(summary.latency),
        "jitter_s": _seconds(summary.jitter_s),
        "rtt_source": summary.rtt_source or None,
        "rtt_error_s": summary.rtt_error_s if summary.rtt.count else None,
        "phases_s": {words(name): _seconds(summary.phase_s(name)) for name in summary.phases},
        "late": summary.late,
        "skipped": summary.skipped,
        "suspect": summary.suspect,
        "certificate": [moment(at) for at in summary.certificate] if summary.certificate else None,
        "answers": list(map(words, summary.answers)),
    }


def _distribution(sketch: Sketch) -> dict[str, float | int | None]:
    least, most = (sketch.least, sketch.most) if sketch.count else (None, None)
    ends = {"min_s": _seconds(least), "max_s": _seconds(most)}
    quantiles = {name: _seconds(sketch.quantile(q)) for name, q in QUANTILES.items()}
    return {"count": sketch.count, "mean_s": _seconds(sketch.mean), **ends, **quantiles}


def _ladder(ladder: Ladder) -> dict[str, Any]:
    rungs = {name: ladder.rungs[name] for name in RUNGS if name in ladder.rungs}
    return {
        "from": ladder.source,
        "to": ladder.destination,
        "broken": ladder.broken,
        "floor_s": ladder.floor_s,
        "network_s": _seconds(ladder.network_s),
        "mesh_adds_s": _seconds(ladder.mesh_adds_s),
        "setup_s": _seconds(ladder.setup_s),
        "rungs": {name: rung.failed < rung.sent if rung.sent else None for name, rung in rungs.items()},
    }


def _expectation(verdict: Verdict) -> dict[str, Any]:
    wanted = {"condition": words(verdict.condition), "holds": verdict.holds, "seen": words(verdict.seen)}
    return {**_name(verdict.summary), **wanted}


def _judgement(judgement: Judgement) -> dict[str, Any]:
    target = {"destination": judgement.destination, "service": judgement.service, "probe": judgement.probe}
    return {**_texts(target), "standing": judgement.standing, "sources": list(map(words, judgement.sources))}


def _seconds(value: float | None) -> float | None:
    """To the nanosecond, so that no digits are there that nobody measured."""
    return None if value is None else round(value, 9)


def _texts(named: Mapping[str, str]) -> dict[str, str]:
    """Foreign text, as one line that any encoding takes."""
    return {words(name): words(value) for name, value in named.items()}
