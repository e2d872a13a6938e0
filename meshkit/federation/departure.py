"""Datacenters leave: out of their clusters, out of the others' memory, out of the description.

The description lets go of them while the others are settled anew, which can fail. Their server certificates in the
state directory go last: one that belongs to no datacenter any more says that its leaving is not finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from meshkit.errors import MeshkitError, UsageError
from meshkit.federation import runner, teardown
from meshkit.federation.context import Context
from meshkit.federation.plan import STEPS
from meshkit.federation.state import State
from meshkit.model import Datacenter, Federation


@dataclass(frozen=True)
class Departure:
    """Who leaves: ``going`` are still described, the other ``names`` were let go by a run that did not finish."""

    names: tuple[str, ...]
    going: tuple[Datacenter, ...]


def find(federation: Federation, names: Sequence[str], state: State) -> Departure:
    """The datacenters that may leave together, or UsageError."""
    described = {dc.name: dc for dc in federation.datacenters}
    unique = tuple(dict.fromkeys(names))
    for name in unique:
        if name not in described and state.server_certificate(name) is None:
            raise UsageError(
                f"no datacenter {name} in federation {federation.name}", hint=f"there are: {', '.join(described)}"
            )
        if name == federation.primary.name:
            raise UsageError(
                f"{name} is the primary and can't leave: tokens and intentions live there",
                hint="meshkit destroy ends the whole federation",
            )
    return Departure(unique, tuple(described[name] for name in unique if name in described))


def leave(context: Context, departure: Departure, *, lost: bool) -> None:
    """Safe to repeat, whatever failed; ``lost`` clusters are not touched, nor is any of them asked to forget."""
    state, going = context.state, departure.going
    if state.identity() is None or state.ca_certificate() is None:
        raise MeshkitError(
            "a datacenter leaves from the machine that holds the federation's state", hint=f"restore {state.path}"
        )
    if not lost:
        again = f"meshkit leave {' '.join(departure.names)} --lost"
        teardown.remove_datacenters(context, going, lambda _: again)
    teardown.forget_in_mesh(context, going)
    remaining = tuple(dc for dc in context.federation.datacenters if dc not in going)
    smaller = replace(context, federation=replace(context.federation, datacenters=remaining))
    # Trust, the first of these steps, also notes the smaller description.
    runner.run(smaller, [step for step in STEPS if step.name != "preflight"])
    for name in departure.names:
        state.forget_certificate(name)
