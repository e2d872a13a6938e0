"""A datacenter leaves: out of its cluster, out of the others' memory, out of the description."""

from __future__ import annotations

from dataclasses import replace

from meshkit.errors import MeshkitError, UnreachableError, UsageError
from meshkit.federation import runner, teardown
from meshkit.federation.context import Context
from meshkit.federation.plan import STEPS
from meshkit.model import Datacenter, Federation


def find(federation: Federation, name: str) -> Datacenter:
    """The datacenter that may leave, or UsageError."""
    found = next((dc for dc in federation.datacenters if dc.name == name), None)
    if found is None:
        names = ", ".join(dc.name for dc in federation.datacenters)
        raise UsageError(f"no datacenter {name} in federation {federation.name}", hint=f"there are: {names}")
    if found.primary:
        raise UsageError(
            f"{name} is the primary and can't leave: tokens and intentions live there",
            hint="meshkit destroy ends the whole federation",
        )
    return found


def leave(context: Context, going: Datacenter, *, lost: bool) -> None:
    """Safe to repeat: the description lets go of the datacenter only when all else is done."""
    if context.state.identity() is None or context.state.ca_certificate() is None:
        raise MeshkitError(
            "a datacenter leaves from the machine that holds the federation's state",
            hint=f"restore {context.state.path}",
        )
    if not lost:
        _remove(context, going)
    teardown.forget_in_mesh(context, going)
    remaining = tuple(dc for dc in context.federation.datacenters if dc.name != going.name)
    smaller = replace(context.federation, datacenters=remaining)
    context.state.save_identity(smaller)
    context.state.forget_certificate(going.name)
    runner.run(replace(context, federation=smaller), [step for step in STEPS if step.name != "preflight"])


def _remove(context: Context, going: Datacenter) -> None:
    try:
        teardown.remove_datacenters(context, (going,))
    except UnreachableError as error:
        raise UnreachableError(
            error.message, hint=f"if the cluster is gone for good: meshkit leave {going.name} --lost"
        ) from error
