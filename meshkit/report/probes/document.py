"""Outcomes as JSON, the form that scripts rely on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from meshkit.probes.expect import Verdict
from meshkit.probes.ladder import RUNGS, Ladder
from meshkit.probes.outcome import Outcome
from meshkit.probes.stats import Sketch
from meshkit.probes.summary import Summary
from meshkit.report.figures import moment
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
        "federation": outcome.federation,
        "began": moment(outcome.began),
        "ended": moment(outcome.ended),
        "holds": outcome.holds,
        "series": [_series(summary, outcome) for summary in sorted(outcome.summaries.values(), key=order)],
        "ladders": [_ladder(ladder) for ladder in outcome.ladders],
        "expectations": [_expectation(verdict) for verdict in outcome.verdicts],
        "judgements": [asdict(judgement) | {"sources": list(judgement.sources)} for judgement in outcome.judgements],
        "sick": dict(outcome.sick),
        "missing": dict(outcome.missing),
        "notes": list(outcome.notes),
    }


def _series(summary: Summary, outcome: Outcome) -> dict[str, Any]:
    windows = sorted((w for w in outcome.windows if w.series == summary.series), key=lambda w: w.begin)
    return {
        **_name(summary),
        "prober_sick": summary.series.source in outcome.sick,
        **_figures(summary),
        "windows": [
            {"began": moment(window.begin), "width_s": round(window.width_s, 3)} | dict(_figures(window))
            for window in windows
        ],
    }


def _name(summary: Summary) -> dict[str, str]:
    series = summary.series
    return {"from": series.source, "to": series.destination, "service": series.service, "probe": series.probe}


def _figures(summary: Summary) -> Mapping[str, Any]:
    """``latency_s`` is of the network's round trip (``latency_of`` rtt), else of all phases (total)."""
    low, high = summary.loss_interval
    return {
        "sent": summary.sent,
        "failed": summary.failed,
        "resent": summary.resent,
        "loss": summary.loss,
        "loss_95": [round(low, 6), round(high, 6)] if summary.sent else None,
        "reasons": dict(sorted(summary.reasons.items())),
        "fault": summary.fault,
        "latency_of": "rtt" if summary.rtt.count else "total" if summary.total.count else None,
        "latency_s": _distribution(summary.latency),
        "jitter_s": _seconds(summary.jitter_s),
        "rtt_source": summary.rtt_source or None,
        "rtt_error_s": summary.rtt_error_s if summary.rtt.count else None,
        "phases_s": {name: _seconds(summary.phase_s(name)) for name in summary.phases},
        "late": summary.late,
        "skipped": summary.skipped,
        "suspect": summary.suspect,
        "certificate": [moment(at) for at in summary.certificate] if summary.certificate else None,
        "answers": list(summary.answers),
    }


def _distribution(sketch: Sketch) -> dict[str, float | int | None]:
    ends = {"min_s": sketch.least, "max_s": sketch.most} if sketch.count else {"min_s": None, "max_s": None}
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
    wanted = {"condition": verdict.condition, "holds": verdict.holds, "seen": verdict.seen}
    return {**_name(verdict.summary), **wanted}


def _seconds(value: float | None) -> float | None:
    """To the nanosecond, so that no digits are there that nobody measured."""
    return None if value is None else round(value, 9)
