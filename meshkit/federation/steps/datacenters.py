"""Datacenters: Consul's Helm release, in all clusters at the same time, until the primary's servers have a leader.

Helm does not wait: it could only say "timed out waiting for the condition". Waiting is done here on the pods
themselves, so that what is awaited is on the screen and a pod that can't start is shown with its events and log.
The secondaries' servers are not waited for: what brings them into the mesh is written in the next step.
"""

from __future__ import annotations

from meshkit.consul.names import CONSUL_RELEASE
from meshkit.errors import MeshkitError
from meshkit.federation import releases, workloads
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.model import Datacenter

TASK = "datacenters"


def plan(context: Context) -> tuple[Change, ...]:
    """Releases that differ, and servers of the primary that are not ready."""
    datacenters = context.federation.datacenters
    made = all(context.state.server_certificate(dc.name) for dc in datacenters)
    addresses = releases.addresses(context) if made else None
    if addresses is None:
        return tuple(Change("create", f"helm release {CONSUL_RELEASE}", dc.name) for dc in datacenters)
    found = context.each(lambda dc: releases.difference(context, dc, releases.consul(context, dc, addresses)))
    differing = tuple(change for change in found.values() if change)
    return differing or workloads.awaited(context, context.federation.primary, workloads.SERVERS)


def act(context: Context) -> None:
    """Install or upgrade what differs everywhere, and wait for the primary's servers."""
    addresses = releases.addresses(context)
    if addresses is None:
        raise MeshkitError("a mesh gateway has lost its address", hint="run meshkit federate again; it waits for one")

    def ensure(dc: Datacenter) -> None:
        releases.ensure(context, TASK, dc, releases.consul(context, dc, addresses))
        if dc.primary:
            workloads.wait(context, TASK, dc, workloads.SERVERS)

    context.each(ensure)
