"""``meshkit probe``: one file per command; parse, call, render."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from meshkit.cli.probe import matrix, results, run, schedule, unschedule, watch


class InOrder(TyperGroup):
    """Commands in the order in which they are used, not groups last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names."""
        del ctx
        return ["run", "matrix", "watch", "schedule", "results", "unschedule"]


app = typer.Typer(
    name="probe",
    cls=InOrder,
    add_completion=False,
    rich_markup_mode=None,
    help="Measure connectivity and latency between services and clouds, once or on a schedule.",
)
app.command(short_help="Probe now: datacenters, a service, any address.")(run.run)
app.command(short_help="Probe all pairs of datacenters, and try the intentions.")(matrix.matrix)
app.command(short_help="Probe until q, and show how the links are doing.")(watch.watch)
app.add_typer(schedule.app, short_help="Let the agents in all clusters probe by themselves.")
app.command(short_help="Collect what scheduled probes have seen.")(results.results)
app.command(short_help="End the schedule in all clusters.")(unschedule.unschedule)
