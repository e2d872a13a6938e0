"""What ails a federation: the findings of many traces and checks as one list, worst first, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from meshkit.model import CheckResult, Verdict
from meshkit.trace.cause import Finding, Weight
from meshkit.trace.diagnosis import Diagnosis
from meshkit.trace.hops import PLANES, Hop, order

REFUSALS = frozenset({"intention_deny", "intention_deny_wildcard", "intention_missing", "intention_permissions"})
"""That something is denied is how a mesh is meant to be."""

WEIGHTS: dict[Verdict, Weight] = {"fail": "breaks", "warn": "degrades"}
WORST_FIRST: tuple[Weight, ...] = ("breaks", "fallback", "degrades", "note")


@dataclass(frozen=True)
class Ailment:
    """One thing that is wrong. ``code`` is a cause's, or ``check``; ``paths`` are those on which it was seen."""

    code: str
    weight: Weight
    hop: Hop
    datacenter: str
    fact: str
    text: str
    remedy: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """A check's result, and the codes of causes that say the same more exactly."""

    result: CheckResult
    codes: frozenset[str]


@dataclass(frozen=True)
class Examination:
    """The whole: ``looked_at`` are the paths, ``unseen`` what could not be looked at."""

    federation: str
    ailments: tuple[Ailment, ...]
    looked_at: tuple[str, ...]
    unseen: tuple[tuple[str, str], ...]
    took_s: float

    @property
    def well(self) -> bool:
        """Nothing breaks a path."""
        return all(ailment.weight in ("degrades", "note") for ailment in self.ailments)


def of_traces(diagnoses: Iterable[Diagnosis]) -> Iterator[Ailment]:
    """The findings of traces, refusals left out, and what only would explain a break where something else does."""
    for diagnosis in diagnoses:
        found = [*((diagnosis.cause,) if diagnosis.cause else ()), *diagnosis.beside]
        found = [finding for finding in found if finding.code not in REFUSALS]
        exact = any(finding.weight == "breaks" for finding in found)
        for finding in found:
            if not (exact and finding.weight == "fallback"):
                yield of_finding(finding, diagnosis.route)


def of_finding(finding: Finding, path: str) -> Ailment:
    """One finding on one path."""
    return Ailment(
        finding.code,
        finding.weight,
        finding.hop,
        finding.datacenter,
        finding.fact,
        finding.text,
        finding.remedy,
        (path,),
    )


def of_checks(checks: Iterable[Checked], known: frozenset[str]) -> Iterator[Ailment]:
    """Checks that did not pass, but for those that a cause tells more exactly."""
    for checked in checks:
        result, weight = checked.result, WEIGHTS.get(checked.result.verdict)
        if weight and not checked.codes & known:
            fact = f"it does not hold that {result.check}"
            yield Ailment("check", weight, PLANES, "", fact, result.detail, result.hint)


def sorted_out(ailments: Iterable[Ailment]) -> tuple[Ailment, ...]:
    """Each once with all its paths; what breaks most paths first, then in the order of the hops."""
    merged: dict[tuple[str, str, str], Ailment] = {}
    for ailment in ailments:
        key = (ailment.code, ailment.datacenter, ailment.text)
        before = merged.get(key)
        paths = (*before.paths, *ailment.paths) if before else ailment.paths
        merged[key] = replace(ailment, paths=tuple(dict.fromkeys(paths)))
    return tuple(sorted(merged.values(), key=_rank))


def _rank(ailment: Ailment) -> tuple[int, int, int]:
    return WORST_FIRST.index(ailment.weight), -len(ailment.paths), order(ailment.hop)


def gathered(diagnoses: Iterable[Diagnosis], more: Iterable[Ailment], checks: Iterable[Checked]) -> tuple[Ailment, ...]:
    """What traces, catalogs and checks found, as one list."""
    found = [*of_traces(diagnoses), *more]
    return sorted_out([*found, *of_checks(checks, frozenset(ailment.code for ailment in found))])
