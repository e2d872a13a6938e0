"""A diagnosis in a terminal: a line per hop, the first broken one marked, and below it what to do."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.report.figures import duration
from meshkit.trace.cause import Finding
from meshkit.trace.diagnosis import Diagnosis, HopResult

SIGNS = {"passes": "✔", "broken": "✘", "degraded": "!", "not reached": "·", "not seen": "?"}
WORDS = {
    "healthy": "nothing found wrong",
    "degraded": "the request passed, and something is wrong",
    "broken": "broken",
    "unknown": "it does not work, and no known cause explains why",
}


def as_text(diagnosis: Diagnosis) -> str:
    """All of it."""
    return "\n".join(_lines(diagnosis))


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    yield diagnosis.route
    width = max(len(hop.hop) for hop in diagnosis.hops)
    yield from (_hop(hop, width) for hop in diagnosis.hops)
    yield ""
    yield _verdict(diagnosis)
    if diagnosis.cause:
        yield from _finding(diagnosis.cause)
    if diagnosis.beside:
        yield "also found:"
        for finding in diagnosis.beside:
            yield f"  {finding.code}: {finding.text}"
            yield f"    {finding.remedy}"
    if diagnosis.cause is None:
        yield "tried:"
        yield from (f"  {line}" for line in diagnosis.tried)
    if diagnosis.unseen:
        yield "could not be seen:"
        yield from (f"  {name}: {why}" for name, why in diagnosis.unseen)


def _hop(hop: HopResult, width: int) -> str:
    took = duration(hop.took_s) if hop.took_s is not None else ""
    return f"  {SIGNS[hop.verdict]} {hop.hop.ljust(width)}  {took.rjust(9)}  {hop.said}".rstrip()


def _verdict(diagnosis: Diagnosis) -> str:
    cause, where = diagnosis.cause, diagnosis.first_broken
    took = f" ({diagnosis.took_s:.1f} s)"
    if cause:
        return f"{WORDS[diagnosis.verdict]} at {cause.hop}: {cause.code}: {cause.fact}{took}"
    place = f"; the request did not get beyond {where}" if where else ""
    return f"{WORDS[diagnosis.verdict]}{place}{took}"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"  evidence: {finding.text}"
    yield f"  remedy:   {finding.remedy}"
    yield f"  more:     meshkit trace --explain {finding.code}"
