"""A cause is data: where it breaks the path, how it is told from evidence, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from meshkit.kubernetes import kubectl
from meshkit.trace.evidence import Evidence
from meshkit.trace.hops import Hop

Weight = Literal["breaks", "fallback", "degrades", "note"]
"""Does it break the path; would it explain a break that nothing else does; does it harm; is it worth a word."""


@dataclass(frozen=True)
class Symptom:
    """What of the evidence a cause was told by: a sentence, where, and names for the remedy.

    ``hop`` is set where the same cause can break several hops, ``weight`` where this time it weighs otherwise.
    """

    text: str
    datacenter: str = ""
    hop: Hop | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    weight: Weight | None = None


@dataclass(frozen=True)
class Cause:
    """``fact`` is what is wrong, ``symptom`` what its users see, ``evidence`` where it shows.

    ``judge`` yields one symptom per place. In ``remedy``, ``{kubectl}`` is kubectl with the context and namespace of
    the symptom's datacenter; ``{source}``, ``{destination}`` and what the symptom names stand for themselves.
    """

    code: str
    hop: Hop
    fact: str
    symptom: str
    evidence: str
    remedy: str
    judge: Callable[[Evidence], Iterable[Symptom]]
    weight: Weight = "breaks"


@dataclass(frozen=True)
class Finding:
    """A cause found in the evidence; ``remedy`` can be pasted."""

    code: str
    hop: Hop
    datacenter: str
    fact: str
    text: str
    remedy: str
    weight: Weight


def found(evidence: Evidence, cause: Cause) -> tuple[Finding, ...]:
    """Every place where a cause holds."""
    return tuple(_finding(evidence, cause, symptom) for symptom in cause.judge(evidence))


def _finding(evidence: Evidence, cause: Cause, symptom: Symptom) -> Finding:
    datacenter = symptom.datacenter or evidence.route.destination.datacenter
    remedy = cause.remedy
    for name, value in _names(evidence, datacenter, symptom).items():
        remedy = remedy.replace(f"{{{name}}}", value)
    hop = symptom.hop or cause.hop
    return Finding(cause.code, hop, datacenter, cause.fact, symptom.text, remedy, symptom.weight or cause.weight)


def _names(evidence: Evidence, datacenter: str, symptom: Symptom) -> dict[str, str]:
    side, route = evidence.side(datacenter), evidence.route
    return {
        "kubectl": kubectl(side.context, side.namespace),
        "kubectl_all": kubectl(side.context),
        "source": route.source.service,
        "destination": route.destination.service,
        "source_dc": route.source.datacenter,
        "destination_dc": route.destination.datacenter,
        "datacenter": datacenter,
    } | dict(symptom.names)
