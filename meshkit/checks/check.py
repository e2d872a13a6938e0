"""A check is data: a fact in the present tense, how to judge it, and what to do when it does not hold.

Judging needs no I/O: ``observe`` looks once at every cluster, and all checks read what it saw. The runner knows no
particular check, and a check that could not look everywhere never says that all is well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from meshkit.kubernetes import kubectl
from meshkit.model import CheckResult, DatacenterState, FederationState, Verdict

Needs = Literal["nothing", "cluster", "consul"]


@dataclass(frozen=True)
class Finding:
    """One violation in a sentence; ``datacenter`` is where to look further, empty when none in particular."""

    datacenter: str
    text: str


@dataclass(frozen=True)
class Check:
    """``judge`` yields one finding per violation; ``needs`` is what must have been seen of every datacenter.

    ``codes`` are causes of ``meshkit trace`` that say the same of one path, more exactly.

    In ``hint``, ``{kubectl}`` stands for kubectl with the context and namespace of the first finding's datacenter.
    """

    category: str
    fact: str
    hint: str
    judge: Callable[[FederationState], Iterable[Finding]]
    needs: Needs = "consul"
    on_failure: Verdict = "fail"
    codes: frozenset[str] = frozenset()


def run(state: FederationState, checks: Sequence[Check]) -> tuple[CheckResult, ...]:
    """Judge every check over one observation, in order."""
    return tuple(_judged(state, check) for check in checks)


def _judged(state: FederationState, check: Check) -> CheckResult:
    problems = tuple(check.judge(state))
    unseen = [dc.name for dc in state.datacenters if not _seen(dc, check.needs)]
    if problems:
        detail, hint = "; ".join(problem.text for problem in problems), _filled(check.hint, problems, state)
        return CheckResult(check.category, check.fact, check.on_failure, detail, hint)
    if unseen:
        detail = f"could not be looked at in {', '.join(unseen)}"
        return CheckResult(check.category, check.fact, "skip", detail, "mend the failures above first")
    return CheckResult(check.category, check.fact, "pass", "", "")


def _filled(hint: str, problems: Sequence[Finding], state: FederationState) -> str:
    """The hint as it can be pasted; capitals stay for the reader to fill in where no datacenter is known."""
    named = (dc for problem in problems for dc in state.datacenters if dc.name == problem.datacenter)
    where = next(named, None)
    context, namespace = (where.context, where.namespace) if where else ("CONTEXT", "NAMESPACE")
    return hint.replace("{kubectl}", kubectl(context, namespace))


def _seen(dc: DatacenterState, needs: Needs) -> bool:
    if needs == "cluster":
        return not dc.error
    return needs == "nothing" or dc.consul is not None
