"""Waiting for pods, and what to show of one that does not start: its state, its events, its last log lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from meshkit.backends.base import Kube, Manifest
from meshkit.errors import DeadlineError, MeshkitError, UnreachableError
from meshkit.federation.context import Context
from meshkit.kubernetes import is_ready, is_ready_without, kubectl
from meshkit.model import Datacenter

HOPELESS = frozenset({"ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"})
"""Waiting reasons that time does not mend. ImagePullBackOff and CrashLoopBackOff may pass."""

EVENTS_SHOWN, LINES_SHOWN = 5, 10


def not_ready(workload: Manifest | None, what: str, ready: int | None = None) -> str:
    """What a StatefulSet or Deployment still lacks, empty when all its replicas are ready and current.

    ``ready`` counts its ready pods where that is not for the workload's own status to say.
    """
    if workload is None:
        return f"{what}s are not there yet"
    status, replicas = workload.get("status", {}), workload["spec"]["replicas"]
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return f"{what}s are about to be updated"
    updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0) if ready is None else ready
    if min(updated, ready) < replicas or status.get("replicas", 0) > replicas:
        return f"{min(updated, ready)} of {replicas} {what}s ready"
    return ""


def ready_without(kube: Kube, namespace: str, selector: str, aside: str) -> int:
    """How many pods, of those that are not ending, are ready but for one container that others do not depend on."""
    found = kube.list("Pod", namespace, selector=selector)
    return sum(is_ready_without(pod, aside) for pod in found if not pod["metadata"].get("deletionTimestamp"))


def wait_ready(  # noqa: PLR0913 - where, what and how to tell
    context: Context, task: str, datacenter: Datacenter, selector: str, pending: Callable[[], str], *, aside: str = ""
) -> None:
    """``Context.wait`` that fails early where no time helps or helm has failed, and ends with the pod's own words.

    The container ``aside`` is never a reason to fail.
    """
    kube = context.kube[datacenter.name]

    def looked_at() -> str:
        context.installs.running(datacenter.name)
        try:
            reason = pending()
        except UnreachableError as error:
            reason = error.message.removeprefix(f"{datacenter.name}: ")
        if reason:
            _fail_if_hopeless(kube, datacenter, selector, aside)
        return reason

    try:
        context.wait(task, datacenter.name, looked_at)
    except DeadlineError as error:
        evidence = "\n".join(describe(kube, datacenter, selector))
        hint = f"{kubectl(datacenter.context, datacenter.namespace)} get pods,events"
        raise DeadlineError(error.message, hint=hint, detail=evidence) from error


def describe(kube: Kube, datacenter: Datacenter, selector: str) -> Iterator[str]:
    """Lines about every pod of a selector that is neither ready nor done."""
    for pod in kube.list("Pod", datacenter.namespace, selector=selector):
        if not is_ready(pod) and pod["status"].get("phase") != "Succeeded":
            yield from _describe_pod(kube, pod)


def _describe_pod(kube: Kube, pod: Manifest) -> Iterator[str]:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    yield f"pod {name}: {pod['status'].get('phase', 'unknown')}"
    for container, reason in waiting(pod):
        yield f"  container {container}: {reason}"
    about = [e for e in kube.list("Event", namespace) if e["involvedObject"].get("name") == name]
    for event in about[-EVENTS_SHOWN:]:
        yield f"  event {event.get('reason', '')}: {event.get('message', '').strip()}"
    for container, _ in waiting(pod):
        for line in kube.logs(name, namespace, container, lines=LINES_SHOWN).splitlines():
            yield f"  {container} | {line}"


def waiting(pod: Manifest) -> Iterator[tuple[str, str]]:
    """Containers that are not ready, and why as far as the kubelet knows."""
    status = pod["status"]
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        state = container.get("state", {})
        if container.get("ready"):
            continue
        if "waiting" in state:
            yield container["name"], state["waiting"].get("reason", "waiting")
        elif "terminated" in state and state["terminated"].get("exitCode"):
            yield container["name"], f"ended with exit code {state['terminated']['exitCode']}"
        elif "running" in state:
            yield container["name"], "running, not ready"


def _fail_if_hopeless(kube: Kube, datacenter: Datacenter, selector: str, aside: str) -> None:
    for pod in kube.list("Pod", datacenter.namespace, selector=selector):
        for container, reason in waiting(pod):
            if reason in HOPELESS and container != aside:
                raise MeshkitError(
                    f"{datacenter.name}: pod {pod['metadata']['name']} can't start: {container}: {reason}",
                    hint=f"{kubectl(datacenter.context, datacenter.namespace)} describe pod {pod['metadata']['name']}",
                    detail="\n".join(_describe_pod(kube, pod)),
                )
