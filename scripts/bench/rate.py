"""How many probes a second of one core: CPU seconds of the prober alone, and only probes that succeed count.

All ask the same responder on loopback, the prober pinned to one core and the responder to another. Each is asked for
several rates, the last of them more than any makes, and its best counts among those at which hardly any failed: a
closed loop that is asked for too much only collects timeouts, and is not to be judged by them.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from bench import probers
from bench.ground import Ground, say
from bench.probers import Load, Score

TARGETS = 500
RATES = {"tcp": (2_000, 4_000, 6_000, 8_000, 10_000, 40_000), "http": (1_000, 2_500, 4_000, 20_000)}
QUICK = {"tcp": (6_000, 8_000, 40_000), "http": (2_500, 4_000, 20_000)}
"""Probes a second that are asked for."""

MOST_FAILED = 0.01
"""A rate at which a larger share fails does not count."""


def measure(ground: Ground, seconds: float, repeats: int, *, quick: bool) -> dict[str, Any]:
    """Per mechanism and prober, the median over repeats (in turns) of the best rate per CPU second."""
    rates: dict[str, dict[str, float]] = {}
    details: dict[str, dict[str, Any]] = {}
    for mechanism, asked in (QUICK if quick else RATES).items():
        runs: dict[str, list[list[dict[str, float]]]] = {name: [] for name in probers.ALL}
        for _ in range(repeats):
            for name in probers.ALL:
                runs[name].append(_ladder(ground, name, mechanism, asked, seconds))
        rates[mechanism] = {name: round(statistics.median(map(_best, found))) for name, found in runs.items()}
        details[mechanism] = runs
    return {"rate_per_core": rates, "rate_runs": details}


def _ladder(
    ground: Ground, name: str, mechanism: str, asked: Sequence[float], seconds: float
) -> list[dict[str, float]]:
    """One prober at every rate."""
    rungs = []
    for rate in asked:
        score = probers.ALL[name](ground, Load(mechanism, probers.loopback(TARGETS), rate, seconds))
        rungs.append(_rung(rate, score))
        say("{mechanism} {name}: asked {asked:,.0f}/s, made {made:,.0f}/s, {per_cpu_s:,.0f} per CPU second,"
            " {failed_share:.1%} failed".format(mechanism=mechanism, name=name, **rungs[-1]))  # fmt: skip
    return rungs


def _rung(rate: float, score: Score) -> dict[str, float]:
    return {
        "asked": rate,
        "made": round(score.ok / score.wall_s),
        "per_cpu_s": round(score.per_cpu_s),
        "failed_share": round(score.failed / max(1, score.ok + score.failed), 4),
    }


def _best(rungs: Sequence[dict[str, float]]) -> float:
    """Of the rates at which hardly any failed; of the lowest when there is none."""
    good = [rung["per_cpu_s"] for rung in rungs if rung["failed_share"] <= MOST_FAILED]
    return max(good, default=rungs[0]["per_cpu_s"])
