"""The page of a cause, and the README's section of all of them: both are made from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.kubernetes import kubectl
from meshkit.trace.cause import Cause
from meshkit.trace.causes import CATEGORIES
from meshkit.trace.hops import MEANINGS

WEIGHTS = {
    "breaks": "breaks the path",
    "fallback": "breaks the path; named when nothing more exact explains it",
    "degrades": "harms the path, or will",
    "note": "worth knowing; the path does not depend on it",
}

PIPE = "\\|"
"""A bar within a cell of Markdown."""


def page(cause: Cause) -> str:
    """What ``--explain`` prints."""
    return "\n".join(
        (
            f"{cause.code}: {cause.fact}",
            "",
            f"  hop:      {cause.hop}, {MEANINGS[cause.hop]}",
            f"  weight:   {WEIGHTS[cause.weight]}",
            f"  symptom:  {cause.symptom}",
            f"  evidence: {cause.evidence}",
            f"  remedy:   {shown(cause.remedy)}",
        )
    )


def shown(remedy: str) -> str:
    """A remedy without a trace: capitals stand for what a trace fills in."""
    text = remedy.replace("{kubectl}", kubectl("CONTEXT", "NAMESPACE"))
    text = text.replace("{kubectl_all}", kubectl("CONTEXT"))
    for name in (
        "source_dc",
        "destination_dc",
        "source",
        "destination",
        "datacenter",
        "pod",
        "port",
        "id",
        "node",
        "address",
        "token",
        "service",
    ):
        text = text.replace(f"{{{name}}}", name.upper())
    return text


def section() -> str:
    """The README's table, Markdown."""
    return "\n".join(_rows())


def _rows() -> Iterator[str]:
    yield "| code | hop | what is wrong | evidence | remedy |"
    yield "|---|---|---|---|---|"
    for causes in CATEGORIES.values():
        for cause in causes:
            cells = (cause.hop, cause.fact, cause.evidence, shown(cause.remedy))
            yield f"| `{cause.code}` | {' | '.join(cell.replace('|', PIPE) for cell in cells)} |"
