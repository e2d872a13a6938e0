"""Clocks that are wrong: a cluster's, that of the node or pod of one Envoy, or this machine's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from meshkit.trace import clocks
from meshkit.trace.cause import Cause, Symptom, Weight
from meshkit.trace.clocks import SKEW_S
from meshkit.trace.evidence import Evidence
from meshkit.trace.places import envoys
from meshkit.trace.proxy import Leaf


def _skew(evidence: Evidence) -> Iterator[Symptom]:
    behind = clocks.behind_s(evidence)
    if behind:
        yield Symptom(f"this machine's clock is {_shown(-behind, 'those of the clusters, which agree')}")
        return
    wrong: set[str] = set()
    for side in evidence.sides:
        if side.skew_s is not None and abs(side.skew_s) > SKEW_S:
            wrong.add(side.datacenter)
            yield Symptom(f"{side.datacenter}'s clock is {_shown(side.skew_s, 'this machine')}", side.datacenter)
    for proxy, side, hop in envoys(evidence):
        skew = proxy.skew_s
        if skew is not None and abs(skew) > SKEW_S and side.datacenter not in wrong:
            text = f"the clock of {proxy.id} in pod {proxy.pod} is {_shown(skew, 'this machine')}"
            refused = _refused(evidence, hop, skew)
            if refused:
                text += f": to it the certificate of {refused.service} is not valid"
            weight: Weight | None = "breaks" if refused else None
            yield Symptom(text, side.datacenter, hop, weight=weight)


def _shown(skew_s: float, whose: str) -> str:
    return f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} {whose}"


def _refused(evidence: Evidence, hop: str, skew_s: float) -> Leaf | None:
    """The other sidecar's certificate, when it is not valid by the clock of this one; gateways look at none."""
    other = {"source sidecar": evidence.destination.sidecar, "remote sidecar": evidence.source.sidecar}.get(hop)
    at = evidence.taken_at + timedelta(seconds=skew_s)
    leaf = other.leaf if other else None
    return leaf if leaf and not leaf.not_before <= at <= leaf.not_after else None


CAUSES = (
    Cause(
        "clock_skew",
        "planes",
        "a clock is wrong",
        "certificates are not valid yet or have run out; tokens are refused",
        "the Date of the API servers and of each Envoy's admin, against this machine's time and each other",
        "set the clock: {kubectl_all} get nodes, then chronyc tracking on them, or here",
        _skew,
        weight="degrades",
    ),
)
