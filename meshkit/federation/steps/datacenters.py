"""Datacenters: the Helm releases, in all clusters at the same time, until every server has a leader.

Helm does not wait: it could only say "timed out waiting for the condition". Waiting is done here on the pods
themselves, so that what is awaited is on the screen and a pod that can't start is shown with its events and log.
"""

from __future__ import annotations

from collections.abc import Mapping

from meshkit.backends.base import Ref
from meshkit.consul.names import SERVER_SELECTOR, SERVERS
from meshkit.errors import MeshkitError
from meshkit.events import Progress
from meshkit.federation import pods, releases
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.model import Datacenter

TASK = "datacenters"


def plan(context: Context) -> tuple[Change, ...]:
    """Releases that differ, and servers that are not ready."""
    addresses = releases.addresses(context) if _certificates_made(context) else None
    if addresses is None:
        return tuple(
            Change("create", f"helm release {name}", dc.name)
            for dc in context.federation.datacenters
            for name in releases.NAMES
        )
    found = context.each(lambda dc: tuple(releases.differences(context, dc, addresses)) or _awaited(context, dc))
    return tuple(change for changes in found.values() for change in changes)


def act(context: Context) -> None:
    """Install or upgrade what differs, then wait for the servers of all datacenters."""
    addresses = releases.addresses(context)
    if addresses is None:
        raise MeshkitError("a mesh gateway has lost its address", hint="run meshkit federate again; it waits for one")
    context.each(lambda dc: _ensure(context, dc, addresses))


def _certificates_made(context: Context) -> bool:
    return all(context.state.server_certificate(dc.name) for dc in context.federation.datacenters)


def _awaited(context: Context, datacenter: Datacenter) -> tuple[Change, ...]:
    reason = _servers_pending(context, datacenter)
    return (Change("await", "Consul servers", datacenter.name, reason),) if reason else ()


def _ensure(context: Context, datacenter: Datacenter, addresses: Mapping[str, str]) -> None:
    helm = context.helm(datacenter.name)
    for release in releases.wanted(context, datacenter, addresses):
        found = helm.release(release.name, datacenter.namespace)
        if found is None or found.status != "deployed" or found.description != release.mark:
            context.observe(Progress(TASK, f"helm installs {release.name}", datacenter.name))
            helm.install(release.name, datacenter.namespace, release.chart, release.values, release.mark)
    pods.wait_ready(context, TASK, datacenter, SERVER_SELECTOR, lambda: _servers_pending(context, datacenter))


def _servers_pending(context: Context, datacenter: Datacenter) -> str:
    found = context.kube[datacenter.name].get(Ref("StatefulSet", SERVERS, datacenter.namespace))
    return pods.not_ready(found, "server")
