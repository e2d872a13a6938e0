"""A CronJob's run in a real cluster: with the mesh's identity, its results kept, also when the schedule is upgraded."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from federation.mesh import NAMESPACE, Mesh, settles

from meshkit.probes.summary import Summary

pytestmark = pytest.mark.lab

Schedule = Callable[[str, dict[str, Any]], None]
RESULTS = "mesh-probe-results-job-leader"


def test_a_job_keeps_its_results_through_an_upgrade(federated: Mesh, schedule: Schedule) -> None:
    """Helm has never set the data of the ConfigMap, so it leaves alone what the job wrote there."""
    name = federated.names[0]
    schedule(name, _values(name, "0 3 * * *"))
    federated.kubectl(name, "create", "job", "run-1", "--from=cronjob/mesh-probe-leader")
    try:
        settles(lambda: _ended(federated, name) != "", "a job that ends")
        assert _ended(federated, name) == "Complete", federated.kubectl(name, "logs", "job/run-1")
    finally:
        federated.kubectl(name, "delete", "job", "run-1", "--ignore-not-found", "--wait=false")
    (stored,) = _stored(federated, name)
    assert (stored.series.probe, stored.sent, stored.failed) == ("rpc", 3, 0)

    schedule(name, _values(name, "0 4 * * *"))

    assert federated.lab.get(name, "-n", NAMESPACE, "cronjob", "mesh-probe-leader")["spec"]["schedule"] == "0 4 * * *"
    assert [kept.as_wire() for kept in _stored(federated, name)] == [stored.as_wire()]


def _values(name: str, when: str) -> dict[str, Any]:
    """A job of three TCP connects to the cluster's own Consul servers."""
    probe = {
        "id": "leader",
        "series": {"source": name, "destination": name, "service": "consul-server", "probe": "rpc"},
        "mechanism": "tcp",
        "target": {"host": "consul-server-api", "port": 8501},
        "interval_s": 0.1,
        "timeout_s": 3.0,
        "expect": ["reachable"],
    }
    return {"jobs": [{"name": "leader", "schedule": when, "count": 3, "probes": [probe]}]}


def _ended(mesh: Mesh, name: str) -> str:
    """How the job ended, empty while it runs."""
    conditions = mesh.lab.get(name, "-n", NAMESPACE, "job", "run-1").get("status", {}).get("conditions", ())
    return next((c["type"] for c in conditions if c["status"] == "True" and c["type"] in {"Complete", "Failed"}), "")


def _stored(mesh: Mesh, name: str) -> list[Summary]:
    data = mesh.lab.get(name, "-n", NAMESPACE, "configmap", RESULTS)["binaryData"]
    return [
        Summary.from_wire(json.loads(line))
        for line in gzip.decompress(base64.b64decode(data["results.gz"])).splitlines()
    ]
