"""Verify: what must come true by itself has come true, and requests really cross both gateways, or are refused.

For each ordered pair of datacenters a request goes from probe to probe: source sidecar, own gateway, the other's
gateway, destination sidecar. It must pass with an intention and must be refused without: the same path is tried both
ways, so a refusal can't be mistaken for a path that was never there. ``trial`` has the intentions that this needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from meshkit.backends.base import Consul, Manifest
from meshkit.checks import check
from meshkit.checks.catalogue import CONVERGENCE
from meshkit.checks.observe import observe
from meshkit.consul import config_entries
from meshkit.events import Note
from meshkit.federation import mesh_request, trial
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.federation.mesh_request import Pair
from meshkit.model import Datacenter

TASK = "verify"


def plan(context: Context) -> tuple[Change, ...]:
    """Always tried, whatever was there: a federation that worked yesterday may not today."""
    count = len(context.federation.pairs)
    return (Change("verify", f"{count} requests through the mesh, allowed and refused"),)


def act(context: Context) -> None:
    """Wait for convergence, then try every ordered pair, all at the same time."""
    prove(context, context.federation.pairs)


def prove(context: Context, pairs: Sequence[Pair]) -> None:
    """Return when the federation is well and requests between these pairs meet what they should."""
    context.wait(TASK, context.federation.name, lambda: _unsettled(context), hint="meshkit check says what to do")
    try_requests(context, context.consul(context.federation.primary.name), pairs)


def try_requests(context: Context, consul: Consul, pairs: Sequence[Pair]) -> None:
    """Prove each pair; a pair that the user's own intentions decide is held to what they say."""
    entries = trial.users_entries(consul)
    ours = trial.undecided(entries, pairs)
    theirs = [pair for pair in pairs if pair not in ours and not trial.has_permissions(entries, pair)]
    for source, target in pairs:
        scope = f"{source.name} to {target.name}"
        if (source, target) in theirs:
            context.observe(Note("an intention of yours decides here, and is held to", scope))
        elif (source, target) not in ours:
            context.observe(Note("an intention of yours with HTTP permissions decides here; not tried", scope))
    with trial.allowed(context, ours, trial.for_federate(context)):
        _expect(context, ours, lambda _: True)
    shared = trial.tried(consul.config_entries(config_entries.INTENTIONS), ours)
    for source, target in shared:
        text = "probes that are run at the same time are allowed here, so the refusal is not tried"
        context.observe(Note(text, f"{source.name} to {target.name}"))
    _expect(context, [pair for pair in ours if pair not in shared], lambda _: False)
    _expect(context, theirs, lambda pair: _allowed(entries, pair))


def _unsettled(context: Context) -> str:
    """The first check that does not hold yet, as a phrase for the screen."""
    for result in check.run(observe(context), CONVERGENCE):
        if result.verdict != "pass":
            return f"not yet: {result.check}: {result.detail}"
    return ""


def _expect(context: Context, pairs: Iterable[Pair], passes: Callable[[Pair], bool]) -> None:
    """Wait until each pair's request passes, or is refused, as it should."""
    by_source: dict[Datacenter, list[Pair]] = {}
    for pair in pairs:
        by_source.setdefault(pair[0], []).append(pair)

    def try_all(source: Datacenter) -> None:
        for pair in by_source[source]:
            context.wait(
                TASK,
                f"{source.name} to {pair[1].name}",
                partial(mesh_request.differs, context, pair, passes=passes(pair)),
                hint="meshkit check names the part that fails",
            )

    context.each(try_all, by_source)


def _allowed(entries: Sequence[Manifest], pair: Pair) -> bool:
    decisive = trial.decision(entries, pair)
    return decisive is not None and decisive.action == "allow"
