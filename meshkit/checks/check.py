"""A check is data: a fact in the present tense, how to judge it, and what to do when it does not hold.

Judging needs no I/O: ``observe`` looks once at every cluster, and all checks read what it saw. The runner knows no
particular check, and a check that could not look everywhere never says that all is well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from meshkit.model import CheckResult, DatacenterState, FederationState, Verdict

Needs = Literal["nothing", "cluster", "consul"]


@dataclass(frozen=True)
class Check:
    """``judge`` yields one sentence per violation; ``needs`` is what must have been seen of every datacenter."""

    category: str
    fact: str
    hint: str
    judge: Callable[[FederationState], Iterable[str]]
    needs: Needs = "consul"
    on_failure: Verdict = "fail"


def run(state: FederationState, checks: Sequence[Check]) -> tuple[CheckResult, ...]:
    """Judge every check over one observation, in order."""
    return tuple(_judged(state, check) for check in checks)


def _judged(state: FederationState, check: Check) -> CheckResult:
    problems = tuple(check.judge(state))
    unseen = [dc.name for dc in state.datacenters if not _seen(dc, check.needs)]
    if problems:
        return CheckResult(check.category, check.fact, check.on_failure, "; ".join(problems), check.hint)
    if unseen:
        detail = f"could not be looked at in {', '.join(unseen)}"
        return CheckResult(check.category, check.fact, "skip", detail, "mend the failures above first")
    return CheckResult(check.category, check.fact, "pass", "", "")


def _seen(dc: DatacenterState, needs: Needs) -> bool:
    if needs == "cluster":
        return not dc.error
    return needs == "nothing" or dc.consul is not None
