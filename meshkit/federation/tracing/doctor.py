"""The whole federation at once.

Every ordered pair of datacenters is traced between their probes, every service judged by its entries in the catalog,
and all the checks of ``meshkit check`` are made.

The probes stand for all services where only datacenters matter: their paths pass the same gateways and network, and
need the same trust. That the mesh refuses them without an intention is no ailment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from meshkit.checks import check
from meshkit.checks.catalogue import CATALOGUE
from meshkit.checks.observe import observe
from meshkit.consul.names import probe_service
from meshkit.federation.context import Context
from meshkit.federation.drift import drift
from meshkit.federation.together import together
from meshkit.federation.tracing import registered
from meshkit.federation.tracing.gather import Trace
from meshkit.model import FederationState
from meshkit.trace import ailments
from meshkit.trace.ailments import Ailment, Checked, Examination
from meshkit.trace.diagnosis import Diagnosis, diagnose
from meshkit.trace.hops import Party, Route

AT_ONCE = 4
"""Traces at the same time: each has a dozen threads and a run of the agents at both ends."""

TRACE_S, CHECKS_S = 14.0, 30.0
Look = Callable[[], Any]


def examine(context: Context, state: FederationState | None = None) -> Examination:
    """Look at everything, and say what is wrong. ``state`` is what somebody has observed just now."""
    began = context.clock.monotonic()
    routes = [_between(*pair) for pair in context.federation.pairs]
    diagnoses: list[Diagnosis] = []
    unseen: dict[str, str] = {}
    for begin in range(0, len(routes), AT_ONCE):
        looks: dict[str, Look] = {
            str(route): partial(_diagnosed, context, route) for route in routes[begin : begin + AT_ONCE]
        }
        answers, missed = together(context.clock, looks, TRACE_S)
        diagnoses += answers.values()
        unseen |= missed
    rest: dict[str, Look] = {"checks": partial(_checks, context, state)}
    rest |= {f"{dc.name}: services": partial(registered.look, context, dc) for dc in context.federation.datacenters}
    answers, missed = together(context.clock, rest, CHECKS_S)
    took_s = context.clock.monotonic() - began
    found = ailments.gathered(diagnoses, _services(answers), answers.get("checks", ()))
    missed |= unseen | {name: why for diagnosis in diagnoses for name, why in diagnosis.unseen}
    looked_at = tuple(diagnosis.route for diagnosis in diagnoses)
    return Examination(context.federation.name, found, looked_at, tuple(sorted(missed.items())), took_s)


def _between(here: Any, there: Any) -> Route:
    return Route(Party(here.name, probe_service(here.name)), Party(there.name, probe_service(there.name)))


def _diagnosed(context: Context, route: Route) -> Diagnosis:
    return diagnose(Trace(context, route)())


def _checks(context: Context, state: FederationState | None) -> tuple[Checked, ...]:
    results = check.run(state or observe(context, lambda dc: drift(context, dc)), CATALOGUE)
    return tuple(Checked(result, made.codes) for made, result in zip(CATALOGUE, results, strict=True))


def _services(answers: dict[str, Any]) -> Iterator[Ailment]:
    for name, found in answers.items():
        if name != "checks":
            yield from found
