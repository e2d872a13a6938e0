"""Taking a datacenter, or all of them, apart again, so that nothing is left behind.

The marker goes last: whatever a killed run leaves, the next one finds and finishes. Only what meshkit made is
removed; a namespace that was there before, or that holds something else by now, stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from meshkit.backends.base import Ref
from meshkit.consul.names import (
    CONSUL_RELEASE,
    GATEWAY,
    GATEWAY_SELECTOR,
    PROBE,
    PROBE_RELEASE,
    PROBES_OBJECTS,
    SCHEDULE_RELEASE,
    SERVER_SELECTOR,
    SERVER_SETTINGS,
    SERVERS,
)
from meshkit.errors import MeshkitError, UnreachableError, UsageError
from meshkit.events import Finished, Note, Progress, Started
from meshkit.federation import ownership, uninstall
from meshkit.federation.context import Context
from meshkit.federation.objects import FEDERATION_CONFIGMAP, MANAGED, MANAGED_SELECTOR
from meshkit.kubernetes import kubectl
from meshkit.model import Datacenter, Federation

TASK = "remove"
TAKE_OUT = "take both releases out of git (or delete their Applications with what they manage), then run this again"
GONE_TIMEOUT_S = 180.0
REMOVE_EXPECTED_S = 20.0
HELD = ("Deployment", "StatefulSet", "Pod", "PersistentVolumeClaim", "Service", "Secret", "ConfigMap")
"""Kinds that keep a namespace of meshkit's from being deleted when somebody else has put some into it."""

KUBERNETES_OWN = frozenset({"kube-root-ca.crt"})
Failure = MeshkitError | None
"""Why a datacenter can't be removed while the others can."""


def without_lost(federation: Federation, lost: Collection[str], known: Federation) -> tuple[Datacenter, ...]:
    """The datacenters whose clusters are still there.

    ``known`` is the federation as this machine describes it, where ``federation`` may be only what was found of it.
    UsageError for a name that is none of the federation's, and for a datacenter that was neither found nor lost.
    """
    names = [dc.name for dc in known.datacenters]
    found = [dc.name for dc in federation.datacenters]
    for name in lost:
        if name not in names:
            raise UsageError(
                f"no datacenter {name} in federation {federation.name}", hint=f"there are: {', '.join(names)}"
            )
    missing = [name for name in names if name not in found and name not in lost]
    if missing:
        raise UsageError(
            f"the federation {federation.name} has more datacenters: {', '.join(missing)}",
            hint="name their contexts too",
        )
    return tuple(dc for dc in federation.datacenters if dc.name not in lost)


def destroy(context: Context, datacenters: tuple[Datacenter, ...]) -> None:
    """Remove the federation from these clusters, and when that is done its state from this machine."""
    remove_datacenters(context, datacenters, lambda dc: f"add --lost {dc.name}; what it holds of meshkit's stays there")
    context.state.remove()


def remove_datacenters(
    context: Context, datacenters: tuple[Datacenter, ...], without: Callable[[Datacenter], str]
) -> None:
    """Remove Consul and everything that meshkit made from these clusters, all at the same time.

    Nothing is touched when one of them turns out not to be the federation's. ``without`` says how to go on without a
    cluster. Custom resources go everywhere before any Consul does: their entries are in the primary, which has to be
    there for a secondary's controller to delete them.
    """

    def require_ours(context: Context, dc: Datacenter) -> None:
        ownership.require(context, dc, f"to leave the cluster as it is: {without(dc)}")

    def hinted(dc: Datacenter, work: Callable[[Context, Datacenter], None]) -> None:
        try:
            work(context, dc)
        except UnreachableError as error:
            hint = f"if the cluster is gone for good: {without(dc)}"
            raise UnreachableError(error.message, hint=hint, detail=error.detail) from error

    def attempt(dc: Datacenter, work: Callable[[Context, Datacenter], None], kept: type[MeshkitError]) -> Failure:
        try:
            hinted(dc, work)
        except kept as error:
            return error
        return None

    def remove(dc: Datacenter) -> None:
        failure = held[dc.name]
        if failure:
            raise failure
        hinted(dc, _remove)

    held = context.each(lambda dc: attempt(dc, require_ours, UnreachableError), datacenters)
    uninstall.refuse_foreign(context, datacenters)
    if context.federation.official:
        reached = [dc for dc in datacenters if not held[dc.name]]
        held |= context.each(lambda dc: attempt(dc, uninstall.let_go, MeshkitError), reached)
    context.each(remove, datacenters)


def forget_in_mesh(context: Context, gone: tuple[Datacenter, ...]) -> None:
    """Make the remaining datacenters forget the WAN members of those that left.

    Their gateways' federation states need no call, and Consul has none: leaders prune them within the hour once the
    datacenter has no members.
    """
    if gone:
        remaining = tuple(dc for dc in context.federation.datacenters if dc not in gone)
        names = {dc.name for dc in gone}
        context.each(lambda dc: _forget_members(context, dc, names), remaining)


def leftovers(context: Context, datacenter: Datacenter) -> Iterator[str]:
    """What of meshkit's is still in a cluster, as kind/name."""
    kube, namespace = context.kube[datacenter.name], datacenter.namespace
    for kind in ("Secret", "Service", "ConfigMap"):
        for found in kube.list(kind, namespace, selector=MANAGED_SELECTOR):
            yield f"{kind.lower()}/{found['metadata']['name']}"
    for found in kube.list("ConfigMap", namespace, selector=PROBES_OBJECTS):
        yield f"configmap/{found['metadata']['name']}"
    for selector in (SERVER_SELECTOR, GATEWAY_SELECTOR, PROBES_OBJECTS):
        for kind in ("Pod", "PersistentVolumeClaim"):
            for found in kube.list(kind, namespace, selector=selector):
                yield f"{kind.lower()}/{found['metadata']['name']}"


def _remove(context: Context, dc: Datacenter) -> None:
    begin = context.clock.monotonic()
    context.observe(Started(TASK, dc.name, REMOVE_EXPECTED_S))
    kube, helm = context.kube[dc.name], context.helm(dc.name)
    if context.federation.gitops:
        # Who brings the releases takes them away; until then it would only bring them back.
        context.wait(TASK, dc.name, lambda: _still_brought(context, dc), hint=TAKE_OUT)
    for release in (SCHEDULE_RELEASE, PROBE_RELEASE, CONSUL_RELEASE):
        context.observe(Progress(TASK, f"helm uninstalls {release}", dc.name))
        helm.uninstall(release, dc.namespace, hooks=False)
    if context.federation.official:
        uninstall.remove_rest(context, dc)
    for claim in kube.list("PersistentVolumeClaim", dc.namespace, selector=SERVER_SELECTOR):
        kube.delete(Ref("PersistentVolumeClaim", claim["metadata"]["name"], dc.namespace))
    for kind in ("Secret", "Service"):
        for found in kube.list(kind, dc.namespace, selector=MANAGED_SELECTOR):
            kube.delete(Ref(kind, found["metadata"]["name"], dc.namespace))
    for found in kube.list("ConfigMap", dc.namespace, selector=PROBES_OBJECTS):
        kube.delete(Ref("ConfigMap", found["metadata"]["name"], dc.namespace))
    kube.delete(Ref("ConfigMap", SERVER_SETTINGS, dc.namespace))
    context.wait(TASK, dc.name, lambda: _left(context, dc), timeout_s=GONE_TIMEOUT_S)
    kube.delete(Ref("ConfigMap", FEDERATION_CONFIGMAP, dc.namespace))
    _remove_namespace(context, dc)
    context.observe(Finished(TASK, context.clock.monotonic() - begin, dc.name, text="nothing left"))


def _still_brought(context: Context, dc: Datacenter) -> str:
    workloads = (Ref("StatefulSet", SERVERS), Ref("Deployment", GATEWAY), Ref("Deployment", PROBE))
    kube = context.kube[dc.name]
    there = [str(ref) for ref in workloads if kube.get(replace(ref, namespace=dc.namespace))]
    return f"GitOps has not taken away {', '.join(there)}" if there else ""


def _left(context: Context, dc: Datacenter) -> str:
    left = [name for name in leftovers(context, dc) if name != f"configmap/{FEDERATION_CONFIGMAP}"]
    if context.federation.official:
        left += uninstall.leftovers(context.kube[dc.name], dc)
    return f"still there: {', '.join(left)}" if left else ""


def _remove_namespace(context: Context, dc: Datacenter) -> None:
    kube = context.kube[dc.name]
    found = kube.get(Ref("Namespace", dc.namespace))
    if found is None or not MANAGED.items() <= (found["metadata"].get("labels") or {}).items():
        return
    others = [
        f"{kind.lower()}/{item['metadata']['name']}"
        for kind in HELD
        for item in kube.list(kind, dc.namespace)
        if item["metadata"]["name"] not in KUBERNETES_OWN
    ]
    if others:
        context.observe(Note(f"namespace {dc.namespace} stays, it holds {', '.join(others[:5])}", dc.name))
        return
    kube.delete(Ref("Namespace", dc.namespace))
    context.wait(
        TASK,
        dc.name,
        lambda: f"namespace {dc.namespace} is being deleted" if kube.get(Ref("Namespace", dc.namespace)) else "",
        timeout_s=GONE_TIMEOUT_S,
        hint=f"{kubectl(dc.context)} get namespace {dc.namespace} -o yaml shows what holds it",
    )


def _forget_members(context: Context, dc: Datacenter, gone: Collection[str]) -> None:
    def still_known() -> str:
        consul = context.consul(dc.name)  # may be without a leader for a moment
        members = [m.name for m in consul.wan_members() if m.datacenter in gone]
        for name in members:
            try:
                consul.force_leave(name)
            except MeshkitError:
                continue  # seen again at the next look
        return f"still knows {', '.join(members)}" if members else ""

    context.wait(TASK, dc.name, still_known, timeout_s=GONE_TIMEOUT_S)
