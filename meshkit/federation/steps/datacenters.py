"""Datacenters: Consul's Helm release, in all clusters at the same time.

Helm does not wait: it could only say "timed out waiting for the condition". The next steps wait for what they need of
the pods, so that it is on the screen, and a pod that can't start is shown with its events and log. For the official
chart's hooks helm has to wait; at first it does so in the background, and ``proxies`` sees it end.
"""

from __future__ import annotations

import threading

from meshkit.backends.base import Ref
from meshkit.consul.names import CONSUL_RELEASE, SERVERS
from meshkit.errors import MeshkitError
from meshkit.federation import releases, workloads
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.model import Datacenter

TASK = "datacenters"


def plan(context: Context) -> tuple[Change, ...]:
    """Releases that differ."""
    datacenters = context.federation.datacenters
    made = all(context.state.server_certificate(dc.name) for dc in datacenters)
    addresses = releases.addresses(context) if made else None
    if addresses is None:
        if context.federation.gitops:
            return tuple(Change("await", f"{CONSUL_RELEASE}, by GitOps", dc.name) for dc in datacenters)
        return tuple(Change("create", f"helm release {CONSUL_RELEASE}", dc.name) for dc in datacenters)
    found = context.each(lambda dc: releases.difference(context, dc, releases.consul(context, dc, addresses)))
    return tuple(change for change in found.values() if change)


def act(context: Context) -> None:
    """Install or upgrade what differs everywhere.

    With the light chart the primary's release goes first, by the second that helm takes: a new secondary asks for its
    CA 2, 6 and 14 s after it has a leader (``retryLoopBackoff`` in Consul's leader_connect.go), and what it needs of
    the primary should be there by the second time. The official one takes longer to begin with.
    """
    addresses = releases.addresses(context)
    if addresses is None:
        raise MeshkitError("a mesh gateway has lost its address", hint="run meshkit federate again; it waits for one")
    first_done = threading.Event()

    def ensure(dc: Datacenter) -> None:
        try:
            if not dc.primary and not context.federation.official and not context.federation.gitops:
                first_done.wait()
            wanted = releases.consul(context, dc, addresses)
            if context.federation.official and _has_servers(context, dc):
                # What is ready before helm gets to it says nothing, and servers that restart answer nobody.
                releases.ensure(context, TASK, dc, wanted)
                workloads.wait(context, TASK, dc, workloads.SERVERS)
            else:
                releases.begin(context, TASK, dc, wanted)
        finally:
            first_done.set()

    context.each(ensure)


def _has_servers(context: Context, datacenter: Datacenter) -> bool:
    return context.kube[datacenter.name].get(Ref("StatefulSet", SERVERS, datacenter.namespace)) is not None
