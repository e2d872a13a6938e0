"""Installations that are to be adopted: how they differ, what stands in the way, what would follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from meshkit.errors import MeshkitError
from meshkit.model import Federation


class Row(Protocol):
    """See ``federation.adopt.compare.Row``."""

    @property
    def fact(self) -> str: ...  # noqa: D102

    @property
    def values(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def differs(self) -> bool: ...  # noqa: D102


def as_table(contexts: Sequence[str], rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """A column per installation; ``✘`` marks what must be alike, or must not, and is otherwise."""
    return ["", "fact", *contexts], [["✘" if row.differs else "", row.fact, *row.values] for row in rows]


def as_text(federation: Federation, consequences: Sequence[str]) -> Iterator[str]:
    """What would be made, and what follows."""
    names = ", ".join(f"{dc.name} (primary)" if dc.primary else dc.name for dc in federation.datacenters)
    yield f"they can become federation {federation.name}: {names}"
    for line in consequences:
        yield f"  {line}"


def as_json(
    contexts: Sequence[str], rows: Sequence[Row], problems: Sequence[MeshkitError], consequences: Sequence[str]
) -> dict[str, Any]:
    """The same as data."""
    return {
        "contexts": list(contexts),
        "facts": [
            {"fact": row.fact, "values": dict(zip(contexts, row.values, strict=True)), "differs": row.differs}
            for row in rows
        ],
        "possible": not problems,
        "problems": [{"message": problem.message, "hint": problem.hint} for problem in problems],
        "consequences": list(consequences),
    }
