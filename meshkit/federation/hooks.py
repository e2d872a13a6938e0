"""Installing the official chart: helm beside our own waiting, and why it does not get on, as soon as that is seen.

Helm itself waits for the chart's hooks, Jobs that end when ACLs are set up, and would say "timed out" in the end. What
an earlier run has left behind is taken away before: Jobs, which can't be changed nor made twice, and the lock of a
controller that is no more, which the next one would wait 91 s for.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from meshkit.backends.base import Kube, Manifest, Ref
from meshkit.consul.names import CONSUL_OBJECTS, CONTROLLER_LOCK, INJECTOR, SERVERS
from meshkit.errors import ConflictError, MeshkitError, UnreachableError
from meshkit.events import Progress
from meshkit.federation import pods
from meshkit.federation.context import Context
from meshkit.kubernetes import kubectl
from meshkit.model import Datacenter


class Wanted(Protocol):
    """What ``releases`` wants installed."""

    @property
    def name(self) -> str:
        """The release."""
        ...

    @property
    def chart(self) -> Path:
        """Folder or archive."""
        ...

    @property
    def values(self) -> Mapping[str, Any]:
        """Of the chart."""
        ...

    @property
    def mark(self) -> str:
        """The release's description."""
        ...


def begin(context: Context, task: str, datacenter: Datacenter, wanted: Wanted) -> None:
    """Let helm install or upgrade, and return when it has begun to make the chart's objects, or has ended."""
    kube, helm = context.kube[datacenter.name], context.helm(datacenter.name)
    helm.repair(wanted.name, datacenter.namespace)  # brings Jobs back, so they go after it
    _clear(context, task, datacenter)

    def install(stop: threading.Event) -> None:
        what = (wanted.name, datacenter.namespace, wanted.chart, wanted.values, wanted.mark)
        try:
            helm.install(*what, timeout_s=context.timeout_s, stop=stop)
        except UnreachableError as error:
            # For who waits this is the end, and not a reason to look again.
            raise MeshkitError(error.message, hint=error.hint or "run again", detail=error.detail) from error

    context.observe(Progress(task, f"helm installs {wanted.name}", datacenter.name))
    context.installs.start(datacenter.name, install)

    def pending() -> str:
        at_work = context.installs.running(datacenter.name)
        there = kube.get(Ref("StatefulSet", SERVERS, datacenter.namespace))
        return f"helm installs {wanted.name}" if at_work and there is None else ""

    context.wait(task, datacenter.name, pending)


def finish(context: Context, task: str, datacenter: Datacenter) -> None:
    """Return when helm and all its hooks are done; an error shows the log of the pod that it failed with."""
    kube = context.kube[datacenter.name]
    seen: dict[str, list[str]] = {}

    def pending() -> str:
        return _unfinished(context, datacenter, seen)

    try:
        pods.wait_ready(context, task, datacenter, CONSUL_OBJECTS, pending)
    except MeshkitError as error:
        if error.detail.startswith("pod "):
            raise
        shown = [line for lines in seen.values() for line in lines]
        shown = shown or list(pods.describe(kube, datacenter, CONSUL_OBJECTS))
        evidence = "\n".join((*error.detail.splitlines(), *shown))
        raise type(error)(error.message, hint=error.hint or _hint(datacenter), detail=evidence) from error


def free_lock(context: Context, task: str, datacenter: Datacenter) -> None:
    """Take the controller's lock from an injector that a new one has replaced, which goes without giving it back.

    Until it runs out, 90 s later, the new one does nothing: no resource is synced, and gateways that are gone stay in
    the catalog, where servers look for the way to the other datacenters.
    """
    kube, ref = context.kube[datacenter.name], Ref("Lease", CONTROLLER_LOCK, datacenter.namespace)

    def held() -> str:
        rolling = pods.not_ready(kube.get(Ref("Deployment", INJECTOR, datacenter.namespace)), "injector")
        if rolling:
            return rolling
        lease = kube.get(ref)
        holder = str(lease["spec"].get("holderIdentity") or "").partition("_")[0] if lease else ""
        if not lease or not holder:
            return ""
        pod = kube.get(Ref("Pod", holder, datacenter.namespace))
        if pod:
            return f"injector {holder} is being replaced" if pod["metadata"].get("deletionTimestamp") else ""
        with contextlib.suppress(ConflictError):
            kube.delete(ref, version=lease["metadata"]["resourceVersion"])
        return ""

    context.wait(task, datacenter.name, held)


def _unfinished(context: Context, datacenter: Datacenter, seen: dict[str, list[str]]) -> str:
    """What helm still waits for; a Job that has failed for good is an error, since helm would go on waiting for it.

    ``seen`` keeps what failing pods say: helm deletes a hook that has failed, and its log with it.
    """
    kube, at_work = context.kube[datacenter.name], context.installs.running(datacenter.name)
    jobs = kube.list("Job", datacenter.namespace, selector=CONSUL_OBJECTS)
    for job in jobs:
        if job.get("status", {}).get("failed"):
            name = job["metadata"]["name"]
            seen[name] = list(pods.describe(kube, datacenter, f"job-name={name}")) or seen.get(name, [])
    failed = [job["metadata"]["name"] for job in jobs if _condition(job, "Failed")]
    if failed and at_work:
        raise MeshkitError(f"{datacenter.name}: job {failed[0]} has failed", hint=_hint(datacenter))
    open_jobs = [job["metadata"]["name"] for job in jobs if not _condition(job, "Complete")]
    return f"helm waits for {', '.join(open_jobs) or 'its hooks'}" if at_work else ""


def _clear(context: Context, task: str, datacenter: Datacenter) -> None:
    """Take away what an earlier install has left and the next one would stumble over."""
    kube, namespace = context.kube[datacenter.name], datacenter.namespace
    for job in kube.list("Job", namespace, selector=CONSUL_OBJECTS):
        kube.delete(Ref("Job", job["metadata"]["name"], namespace))
    if kube.get(Ref("Deployment", INJECTOR, namespace)) is None:
        kube.delete(Ref("Lease", CONTROLLER_LOCK, namespace))
    context.wait(task, datacenter.name, lambda: _jobs_left(kube, namespace))


def _jobs_left(kube: Kube, namespace: str) -> str:
    left = [job["metadata"]["name"] for job in kube.list("Job", namespace, selector=CONSUL_OBJECTS)]
    return f"jobs of an earlier run are being deleted: {', '.join(left)}" if left else ""


def _condition(job: Manifest, kind: str) -> bool:
    conditions = job.get("status", {}).get("conditions") or ()
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


def _hint(datacenter: Datacenter) -> str:
    return f"{kubectl(datacenter.context, datacenter.namespace)} get jobs,pods,events"
