"""Proxies: a probe with its sidecar in every datacenter, and servers, gateways and probes ready everywhere.

Probes are installed while the mesh gateways fetch their tokens and certificates: installing them earlier would only
take processor time from the servers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from meshkit.consul.names import CONSUL_RELEASE
from meshkit.errors import MeshkitError
from meshkit.federation import agent, hooks, releases, trial, workloads
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.federation.steps import gateways
from meshkit.model import Datacenter

TASK = "proxies"


def plan(context: Context) -> tuple[Change, ...]:
    """Probes that differ, and workloads that are not ready."""
    found = context.each(lambda dc: tuple(_changes(context, dc)))
    return tuple(change for changes in found.values() for change in changes)


def act(context: Context) -> None:
    """Install or upgrade the probes, and wait for everything in all datacenters.

    The intentions that ``verify`` tries requests with are written already now: sidecars learn of them while they start.
    """
    consul = context.consul(context.federation.primary.name)
    pairs = trial.undecided(trial.users_entries(consul), context.federation.pairs)
    trial.allow(context, pairs, trial.for_federate(context))

    def ensure(dc: Datacenter) -> None:
        wanted = releases.probe(context, dc)
        agent.ensure(context, dc, wanted.values)
        if context.federation.official:
            # Its webhook is asked about every new pod, and none is made while it does not answer.
            workloads.wait(context, TASK, dc, workloads.SERVERS, workloads.INJECTOR)
        releases.ensure(context, TASK, dc, wanted)
        if context.federation.official:
            hooks.finish(context, TASK, dc)
        workloads.wait(context, TASK, dc, *workloads.of(context))
        gateways.stop_early(context, dc)
        agent.prune(context, dc)

    try:
        context.each(ensure)
    except BaseException:
        with contextlib.suppress(MeshkitError):
            trial.remove(context, trial.VERIFICATION)
        raise


def _changes(context: Context, datacenter: Datacenter) -> Iterator[Change]:
    if context.installs.running(datacenter.name):
        # What is ready now is what was there before helm gets to it.
        yield Change("await", f"helm release {CONSUL_RELEASE}", datacenter.name, "helm is at work")
    difference = releases.difference(context, datacenter, releases.probe(context, datacenter))
    if difference:
        yield difference
    else:
        yield from workloads.awaited(context, datacenter, *workloads.of(context))
