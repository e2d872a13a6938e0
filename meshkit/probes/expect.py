"""What should have been seen, as values: judged against a summary, so that a refusal can be the good result.

    reachable                    nothing failed
    refused                      everything failed because the target, a firewall or the mesh said no
    loss < 0.1%                  share of samples that lost a packet or failed
    p99 < 120ms                  also p50, p90, p95, mean, max, jitter: of the latency (rtt, else all phases)
    resolves to 10.0.0.1         the answers hold this one; several with spaces between
    certificate > 33%            share of the certificate's life that is left

Several are joined by commas. A condition without samples, or without what it speaks of, does not hold.
"""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshkit.probes.reasons import OK, REFUSALS
from meshkit.probes.summary import Summary

REACHABLE, REFUSED = "reachable", "refused"
LATENCIES: dict[str, Callable[[Summary], float | None]] = {
    "p50": lambda s: s.latency.quantile(0.5),
    "p90": lambda s: s.latency.quantile(0.9),
    "p95": lambda s: s.latency.quantile(0.95),
    "p99": lambda s: s.latency.quantile(0.99),
    "mean": lambda s: s.latency.mean,
    "max": lambda s: s.latency.most if s.latency.count else None,
    "jitter": lambda s: s.jitter_s,
}
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_COMPARISON = re.compile(
    r"(?P<what>[a-z0-9]+)\s*(?P<how><=|>=|<|>)\s*(?P<limit>\d+(?:\.\d+)?)\s*(?P<unit>us|ms|s|%)", re.ASCII
)
_RESOLVES = re.compile(r"resolves to (?P<answers>\S+(?: \S+)*)")


@dataclass(frozen=True)
class Condition:
    """One condition, as text and as a function from a summary to (holds, what was seen)."""

    text: str
    look: Callable[[Summary], tuple[bool, str]]


@dataclass(frozen=True)
class Verdict:
    """How a condition stands for one series: what was wanted, what was seen, and the last failure's own words."""

    summary: Summary
    condition: str
    holds: bool
    seen: str


def parse(text: str) -> tuple[Condition, ...]:
    """Conditions of a comma-separated list; ValueError with the one that is none and an example."""
    return tuple(_condition(part.strip()) for part in text.split(","))


def judge(summary: Summary, conditions: Sequence[Condition]) -> tuple[Verdict, ...]:
    """Every condition against a summary."""
    verdicts = []
    for condition in conditions:
        holds, seen = condition.look(summary) if summary.sent else (False, "no samples")
        verdicts.append(Verdict(summary, condition.text, holds, seen))
    return tuple(verdicts)


def _condition(text: str) -> Condition:
    if text == REACHABLE:
        return Condition(text, _reachable)
    if text == REFUSED:
        return Condition(text, _refused)
    if match := _RESOLVES.fullmatch(text):
        return Condition(text, _resolves(frozenset(match["answers"].split())))
    match = _COMPARISON.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an expectation: write reachable, refused, p99<120ms, loss<0.1%")
    return Condition(text, _comparison(match))


def _comparison(match: re.Match[str]) -> Callable[[Summary], tuple[bool, str]]:
    what, unit, limit = match["what"], match["unit"], float(match["limit"])
    holds = OPERATORS[match["how"]]
    shares = {"loss": _loss, "certificate": _certificate}
    if what in shares and unit == "%":
        return lambda summary: _share(shares[what](summary), lambda value: holds(value, limit / 100))
    if what in LATENCIES and unit != "%":
        return lambda summary: _latency(LATENCIES[what](summary), lambda value: holds(value, limit * UNITS[unit]))
    known = ", ".join((*LATENCIES, *shares))
    unit_of = "a share (%)" if what in shares else "a time (us, ms, s)" if what in LATENCIES else ""
    raise ValueError(f"{what} is {unit_of}" if unit_of else f"{what} is not measured: there are {known}")


def _reachable(summary: Summary) -> tuple[bool, str]:
    return summary.failed == 0, "reachable" if summary.failed == 0 else _failures(summary)


def _refused(summary: Summary) -> tuple[bool, str]:
    refusals = sum(count for reason, count in summary.reasons.items() if reason in REFUSALS)
    passed = summary.reasons.get(OK, 0)
    if passed:
        return False, f"{passed} of {summary.sent} passed"
    return refusals == summary.sent, _failures(summary)


def _resolves(wanted: frozenset[str]) -> Callable[[Summary], tuple[bool, str]]:
    def look(summary: Summary) -> tuple[bool, str]:
        if not summary.answers:
            return False, _failures(summary) or "no answers"
        return wanted <= frozenset(summary.answers), f"resolves to {' '.join(summary.answers)}"

    return look


def _loss(summary: Summary) -> tuple[float | None, str]:
    low, high = summary.loss_interval
    loss = summary.loss or 0.0
    return summary.loss, f"loss {loss:.2%} (95%: {low:.2%} to {high:.2%}, {summary.sent} samples)"


def _certificate(summary: Summary) -> tuple[float | None, str]:
    if summary.certificate is None:
        return None, _failures(summary) or "no certificate was seen"
    begin, end = summary.certificate
    left = (end - time.time()) / (end - begin) if end > begin else 0.0
    return left, f"{max(left, 0.0):.0%} of its life is left"


def _share(seen: tuple[float | None, str], holds: Callable[[float], bool]) -> tuple[bool, str]:
    value, text = seen
    return value is not None and holds(value), text


def _latency(value: float | None, holds: Callable[[float], bool]) -> tuple[bool, str]:
    return (False, "no round trip was measured") if value is None else (holds(value), f"{value * 1e3:.1f} ms")


def _failures(summary: Summary) -> str:
    """Failures by reason, the most frequent first, with the last one's own words."""
    failures = sorted(((n, r) for r, n in summary.reasons.items() if r != OK), reverse=True)
    counts = ", ".join(f"{reason} {count} of {summary.sent}" for count, reason in failures)
    return f"{counts}: {summary.fault}" if summary.fault and counts else counts
