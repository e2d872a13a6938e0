"""StatefulSets and Deployments that come up: after so many looks at them, and once what they wait for is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshkit.backends.base import Manifest

SERVER_ADDRESS = "10.42.0.9"
"""Of every pod in these clusters."""

WORKLOADS = ("StatefulSet", "Deployment")


def at_once() -> str:
    """The condition of a workload that waits for nothing."""
    return ""


@dataclass
class Rollout:
    """How one workload comes up: ``waits_for`` names what is still lacking, empty when nothing is."""

    polls: int = 0
    waits_for: Callable[[], str] = at_once
    image_missing: bool = False

    def look(self) -> str:
        """One observation; the reason why it is not ready, empty when it is."""
        if self.image_missing:
            return "ErrImageNeverPull"
        if self.polls > 0:
            self.polls -= 1
            return "ContainerCreating"
        return self.waits_for()


def status(manifest: Manifest, reason: str) -> Manifest:
    """The workload's status, all replicas or none ready."""
    replicas = manifest["spec"]["replicas"]
    ready = 0 if reason else replicas
    return {
        "observedGeneration": manifest["metadata"]["generation"],
        "replicas": replicas,
        "updatedReplicas": replicas,
        "readyReplicas": ready,
        "availableReplicas": ready,
    }


def pod_names(manifest: Manifest) -> list[str]:
    """Names as the controllers give them: ordinals for a StatefulSet, something made up for a Deployment."""
    name, replicas = manifest["metadata"]["name"], manifest["spec"]["replicas"]
    infix = "" if manifest["kind"] == "StatefulSet" else "6d5f8b9c4-"
    return [f"{name}-{infix}{place}" for place in range(replicas)]


def pod(manifest: Manifest, name: str, reason: str) -> Manifest:
    """One of a workload's pods."""
    metadata = manifest["metadata"]
    names = [container["name"] for container in manifest["spec"]["template"]["spec"]["containers"]]
    state = {"waiting": {"reason": reason}} if reason else {"running": {}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": dict(manifest["spec"]["template"]["metadata"]["labels"]),
            "ownerReferences": [{"kind": manifest["kind"], "name": metadata["name"], "uid": metadata["uid"]}],
        },
        "spec": {"containers": [{"name": each} for each in names]},
        "status": {
            "phase": "Pending" if reason else "Running",
            "podIP": SERVER_ADDRESS,
            "conditions": [{"type": "Ready", "status": "False" if reason else "True"}],
            "containerStatuses": [{"name": each, "ready": not reason, "state": state} for each in names],
        },
    }
