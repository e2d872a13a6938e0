"""Run the steps: observe, act only where needed, stop at the first that fails and say how to go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshkit.errors import MeshkitError
from meshkit.events import Failed, Finished, Started
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.federation.plan import STEPS, Step


@dataclass(frozen=True)
class StepResult:
    """How one step went: its changes (empty when all was there) and its duration in seconds."""

    name: str
    seconds: float
    changes: tuple[Change, ...]


def plan(context: Context, steps: Sequence[Step] = STEPS) -> tuple[tuple[Step, tuple[Change, ...]], ...]:
    """Every step's changes against what is there now; writes nothing."""
    return tuple((step, step.plan(context)) for step in steps)


def run(context: Context, steps: Sequence[Step] = STEPS) -> tuple[StepResult, ...]:
    """Bring every step about, in order; the first failure ends the run with nothing undone."""
    try:
        return tuple(_run_step(context, step) for step in steps)
    finally:
        context.installs.stop()


def _run_step(context: Context, step: Step) -> StepResult:
    begin = context.clock.monotonic()
    context.observe(Started(step.name, expected_s=step.expected_s))
    try:
        changes = step.plan(context)
        if changes:
            step.act(context)
    except MeshkitError as error:
        context.observe(Failed(step.name, error.message))
        raise
    seconds = context.clock.monotonic() - begin
    text = step.does if changes else "already as described"
    context.observe(Finished(step.name, seconds, changed=bool(changes), text=text))
    return StepResult(step.name, seconds, changes)
