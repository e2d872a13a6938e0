"""Pods: when a workload counts as ready, and what is said of one that is not."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.kube import FakeCluster
from meshkit.federation import pods
from meshkit.model import Datacenter

DC = Datacenter("aks", "aks", primary=True)


def workload(replicas: int = 3, generation: int = 2, **status: int) -> dict[str, Any]:
    """A StatefulSet of three that is ready, with changes to its status."""
    whole = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3}
    return {"metadata": {"generation": generation}, "spec": {"replicas": replicas}, "status": whole | status}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(workload(), "", id="all replicas ready and current"),
        pytest.param(None, "servers are not there yet", id="no workload"),
        pytest.param(workload(generation=3), "servers are about to be updated", id="its controller has not seen it"),
        pytest.param(workload(readyReplicas=1), "1 of 3 servers ready", id="some are not ready"),
        pytest.param(workload(updatedReplicas=2), "2 of 3 servers ready", id="some are of the old template"),
        pytest.param(workload(replicas=1), "3 of 1 servers ready", id="too many are still there"),
        pytest.param(workload() | {"status": {}}, "servers are about to be updated", id="no status yet"),
    ],
)
def test_not_ready(found: dict[str, Any] | None, expected: str) -> None:
    """Ready means: the controller has seen this generation, and every replica is of it and ready."""
    assert pods.not_ready(found, "server") == expected


def pod(**status: Any) -> FakeCluster:
    """A cluster with one server pod of this status."""
    cluster = FakeCluster("aks")
    metadata = {"name": "consul-server-0", "namespace": "consul", "labels": {"app": "consul"}}
    cluster.put({"kind": "Pod", "metadata": metadata, "status": status})
    cluster.pod_logs["consul-server-0", "server"] = "".join(f"line {n}\n" for n in range(30))
    return cluster


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        pytest.param({"conditions": [{"type": "Ready", "status": "True"}]}, [], id="a ready pod is not mentioned"),
        pytest.param({}, ["pod consul-server-0: unknown"], id="a pod without any status"),
        pytest.param(
            {"phase": "Pending", "initContainerStatuses": [{"name": "keys", "state": {"terminated": {"exitCode": 2}}}]},
            ["pod consul-server-0: Pending", "  container keys: ended with exit code 2"],
            id="an init container that failed",
        ),
        pytest.param(
            {"phase": "Pending", "initContainerStatuses": [{"name": "keys", "state": {"terminated": {"exitCode": 0}}}]},
            ["pod consul-server-0: Pending"],
            id="an init container that ended well is not mentioned",
        ),
        pytest.param(
            {"phase": "Pending", "containerStatuses": [{"name": "x", "state": {"waiting": {}}}]},
            ["pod consul-server-0: Pending", "  container x: waiting"],
            id="a container that waits for no stated reason",
        ),
    ],
)
def test_describe(status: dict[str, Any], lines: list[str]) -> None:
    """Only what is not ready is described, with the reason as far as the kubelet knows it."""
    assert list(pods.describe(pod(**status), DC, "app=consul")) == lines


def test_describe_shows_the_last_log_lines() -> None:
    """A container that runs but is not ready is shown with the end of its log, not with all of it."""
    cluster = pod(phase="Running", containerStatuses=[{"name": "server", "ready": False, "state": {"running": {}}}])
    lines = list(pods.describe(cluster, DC, "app=consul"))
    assert lines[:2] == ["pod consul-server-0: Running", "  container server: running, not ready"]
    assert lines[2:] == [f"  server | line {n}" for n in range(20, 30)]


def test_describe_shows_the_latest_events() -> None:
    """Five events are enough."""
    cluster = pod(phase="Pending")
    for number in range(8):
        about = {"name": "consul-server-0"}
        metadata = {"name": f"e{number}", "namespace": "consul"}
        cluster.put({"kind": "Event", "metadata": metadata, "involvedObject": about, "message": f"{number}\n"})
    lines = list(pods.describe(cluster, DC, "app=consul"))
    assert lines[1:] == [f"  event : {number}" for number in range(3, 8)]
