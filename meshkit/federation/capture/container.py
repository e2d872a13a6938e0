"""The container in a gateway's pod that captures: an ephemeral one, which shares the pod's network and nothing else.

Kubernetes adds such a container to a pod that runs and never takes it out again. So there is one, which waits for
captures as long as any come and ends ten minutes after the last; what stays is its name in the pod's status. After that
the next capture adds another. Deleting the pod removes them; its Deployment makes a new one.
https://kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers/
"""

from __future__ import annotations

from typing import Any

from meshkit.backends.base import Kube, Manifest, Ref
from meshkit.errors import ConflictError, ForbiddenError, MeshkitError, NotFoundError
from meshkit.federation.capture.place import Place
from meshkit.federation.context import Context
from meshkit.federation.pods import HOPELESS
from meshkit.kubernetes import kubectl

NAME = "meshkit-capture"
TRIES = 5
START_S = 60.0
TASK = "capture"

IDLE_LOOKS = 60
WAIT = f"""\
trap 'exit 0' TERM
n=0
while [ $n -lt {IDLE_LOOKS} ]; do
  sleep 10 &
  wait $!
  set -- /proc/[0-9]*
  if [ $# -gt 1 ]; then n=0; else n=$((n + 1)); fi
done"""
"""Ends when for ten minutes no other process was there; a pod that is deleted does not wait for it."""

SECURITY = {
    "runAsUser": 0,  # a capability is effective for root alone: Kubernetes sets no ambient ones
    "runAsGroup": 0,
    "runAsNonRoot": False,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def ensure(context: Context, place: Place, pod: str) -> str:
    """The name of a container that runs, made where there is none."""
    kube, dc = context.kube[place.datacenter.name], place.datacenter
    ref = Ref("Pod", pod, dc.namespace)
    name = _added(kube, ref, place)
    hint = f"{kubectl(dc.context, dc.namespace)} describe pod {pod}"
    context.wait(TASK, dc.name, lambda: _pending(kube, ref, name, hint), timeout_s=START_S, hint=hint)
    return name


def _added(kube: Kube, ref: Ref, place: Place) -> str:
    for _ in range(TRIES):
        pod = _pod(kube, ref)
        there = pod["spec"].get("ephemeralContainers") or []
        ours = [str(each["name"]) for each in there if each["name"].startswith(NAME)]
        for name in ours:
            if "terminated" not in _state(pod, name):
                return name
        name = f"{NAME}-{len(ours) + 1}" if ours else NAME
        body = {
            "metadata": {"resourceVersion": pod["metadata"]["resourceVersion"]},
            "spec": {"ephemeralContainers": [*there, _container(name, place.image)]},
        }
        try:
            kube.patch(ref, body, subresource="ephemeralcontainers")
        except ConflictError:
            continue  # its status has changed meanwhile
        except ForbiddenError as error:
            raise _refused(error, place) from error
        return name
    raise MeshkitError(f"{place.datacenter.name}: pod {ref.name} changes all the time", hint="try again")


def _container(name: str, image: str) -> Manifest:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-c", WAIT],
        "securityContext": SECURITY,
    }


def _refused(error: ForbiddenError, place: Place) -> MeshkitError:
    """Pod Security says no to NET_RAW; anything else is a matter of permissions."""
    dc = place.datacenter
    if "violates PodSecurity" not in error.message:
        return ForbiddenError(
            error.message, hint="capture needs: patch pods/ephemeralcontainers, create pods/exec, get and list pods"
        )
    return ForbiddenError(
        f"{dc.name}: Pod Security does not let a container capture packets in namespace {dc.namespace}",
        hint="capture on the node with tcpdump and look at it with --read, or let the namespace have NET_RAW: "
        f"{kubectl(dc.context)} label namespace {dc.namespace} pod-security.kubernetes.io/enforce=privileged",
        detail=error.message,
    )


def _pending(kube: Kube, ref: Ref, name: str, hint: str) -> str:
    state = _state(_pod(kube, ref), name)
    if "running" in state:
        return ""
    reason = "".join(str(detail.get("reason", "")) for detail in state.values())
    if reason in HOPELESS or "terminated" in state:
        raise MeshkitError(f"{kube.context}: container {name} can't start: {reason}", hint=hint)
    return f"container {name} of pod {ref.name} starts" + (f": {reason}" if reason else "")


def _pod(kube: Kube, ref: Ref) -> Manifest:
    pod = kube.get(ref)
    if pod is None:
        raise NotFoundError(f"{kube.context}: pod {ref.name} is gone", hint="try again: another one may be there")
    return pod


def _state(pod: Manifest, name: str) -> dict[str, Any]:
    """What the kubelet says of a container, empty while it says nothing."""
    for status in pod.get("status", {}).get("ephemeralContainerStatuses") or ():
        if status["name"] == name:
            return dict(status.get("state") or {})
    return {}
