"""A diagnosis as JSON."""

from __future__ import annotations

from typing import Any

from meshkit.trace.cause import Finding
from meshkit.trace.diagnosis import Diagnosis


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """One object; ``cause`` is null when none is named, a time null where none was measured."""
    return {
        "route": diagnosis.route,
        "verdict": diagnosis.verdict,
        "first_broken": diagnosis.first_broken,
        "cause": finding(diagnosis.cause) if diagnosis.cause else None,
        "hops": [
            {"hop": hop.hop, "verdict": hop.verdict, "took_s": hop.took_s, "said": hop.said} for hop in diagnosis.hops
        ],
        "beside": [finding(other) for other in diagnosis.beside],
        "tried": list(diagnosis.tried),
        "unseen": dict(diagnosis.unseen),
        "tag": diagnosis.tag,
        "took_s": round(diagnosis.took_s, 3),
    }


def finding(found: Finding) -> dict[str, str]:
    """One finding."""
    return {
        "code": found.code,
        "hop": found.hop,
        "datacenter": found.datacenter,
        "fact": found.fact,
        "evidence": found.text,
        "remedy": found.remedy,
        "weight": found.weight,
    }
