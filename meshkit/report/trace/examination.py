"""What a doctor found, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meshkit.report.figures import count
from meshkit.trace.ailments import Ailment, Examination

SIGNS = {"breaks": "✘", "fallback": "✘", "degrades": "!", "note": "·"}


def as_text(examination: Examination) -> str:
    """Worst first, each with its remedy, and a count at the end."""
    return "\n".join(_lines(examination))


def _lines(examination: Examination) -> Iterator[str]:
    for ailment in examination.ailments:
        yield from _ailment(ailment)
    if examination.unseen:
        yield "could not be seen:"
        yield from (f"  {name}: {why}" for name, why in examination.unseen)
    paths = count(len(examination.looked_at), "path")
    broken = sum(ailment.weight in ("breaks", "fallback") for ailment in examination.ailments)
    words = (
        f"{count(broken, 'thing')} that {'breaks' if broken == 1 else 'break'} paths"
        if broken
        else "nothing breaks a path"
    )
    yield f"{words}, {len(examination.ailments)} found in all ({paths} traced, {examination.took_s:.1f} s)"


def _ailment(ailment: Ailment) -> Iterator[str]:
    where = f"{ailment.datacenter}: " if ailment.datacenter else ""
    yield f"{SIGNS[ailment.weight]} {where}{ailment.code}: {ailment.fact}"
    yield f"    evidence: {ailment.text}"
    if ailment.paths:
        yield f"    seen on:  {', '.join(ailment.paths)}"
    yield f"    remedy:   {ailment.remedy}"


def as_json(examination: Examination) -> dict[str, Any]:
    """One object."""
    return {
        "federation": examination.federation,
        "well": examination.well,
        "ailments": [
            {
                "code": ailment.code,
                "weight": ailment.weight,
                "hop": ailment.hop,
                "datacenter": ailment.datacenter,
                "fact": ailment.fact,
                "evidence": ailment.text,
                "remedy": ailment.remedy,
                "paths": list(ailment.paths),
            }
            for ailment in examination.ailments
        ],
        "looked_at": list(examination.looked_at),
        "unseen": dict(examination.unseen),
        "took_s": round(examination.took_s, 3),
    }
