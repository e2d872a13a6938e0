"""A capture while it runs: the table of destinations, and how much has come and was lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meshkit.capture.result import Result
from meshkit.report.capture.tables import FAILED, Table, as_tables, lost
from meshkit.report.figures import NOTHING, count, duration, words

BROKEN = "✘"
WRAPPED = "destination"
"""The column that takes what room is left."""

LEFT_OUT = frozenset({"open", "reordered", "mss", "bytes"})
"""For narrow terminals; they are in the result."""


@dataclass(frozen=True)
class Live:
    """Plain data, so that any terminal can show it; with rich it is shown as it is."""

    title: str
    table: Table
    notes: tuple[str, ...]

    def __rich__(self) -> Any:
        """What rich shows; imported here, since only a terminal view needs it."""
        from rich import box  # noqa: PLC0415
        from rich.console import Group  # noqa: PLC0415
        from rich.table import Table as RichTable  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = RichTable(box=box.SIMPLE, header_style="dim", pad_edge=False, collapse_padding=True)
        columns, rows = self.table
        for column in columns:
            table.add_column(Text(column), no_wrap=column != WRAPPED)
        for row in rows:
            table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
        return Group(Text(self.title, style="bold"), table, *(Text(note, style="yellow") for note in self.notes))


def _style(cell: str) -> str:
    return "bold red" if cell.startswith(BROKEN) else ""


def _short(cell: str) -> str:
    """Failures of all kinds as one number, with a sign that needs no colour."""
    parts = [part.partition(" ") for part in cell.split(", ")]
    if all(number.isdigit() and state in FAILED for number, _, state in parts):
        return f"{BROKEN} {sum(int(number) for number, _, _ in parts):,}"
    return cell


def live(result: Result, seconds: float) -> Live:
    """The view after so many seconds; a column is there once it has something to tell."""
    ((columns, rows),) = as_tables(result, connections=False)
    shown = [
        place
        for place, column in enumerate(columns)
        if column not in LEFT_OUT and (column == WRAPPED or any(row[place] != NOTHING for row in rows))
    ]
    table = [columns[place] for place in shown], [[_short(row[place]) for place in shown] for row in rows]
    return Live(f"{words(result.source)}  {progress(result, seconds)}", table, tuple(words(n) for n in result.notes))


def progress(result: Result, seconds: float) -> str:
    """How far it is, in one line."""
    connections = sum(totals.connections for totals in result.destinations.values())
    parts = (count(result.packets, "packet"), count(connections, "connection"), lost(result))
    return f"{duration(seconds)}: {', '.join(parts)}"
