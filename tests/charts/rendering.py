"""The project's charts through the real Helm: what they render, and what Helm says when it refuses."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from meshkit.consul.values import consul_values, merge, probe_values
from meshkit.lab import toolchain
from meshkit.model import Datacenter, Federation

CHARTS = Path(__file__).parents[2] / "charts"
NAMES = ("consul", "mesh-probe", "mesh-probe-schedule")
NAMESPACE = "consul"
ADDRESSES = {"aks": "192.0.2.1", "eks": "192.0.2.2"}
FINGERPRINT = "ab" * 32
ARCHIVE = "mesh-probe-agent-0123456789ab"

Manifest = dict[str, Any]
Values = dict[str, Any]


def meshkit_values(chart: str, place: int = 0, *, servers: int = 1, gateways: int = 1) -> Values:
    """What meshkit gives a chart in the primary, aks (0), or in the secondary, eks (1)."""
    aks = Datacenter("aks", "aks", primary=True, servers=servers, gateways=gateways)
    eks = Datacenter("eks", "eks", servers=servers, gateways=gateways)
    described = Federation("mesh", (aks, eks))
    datacenter = described.datacenters[place]
    if chart == "mesh-probe":
        return probe_values(described, datacenter, ARCHIVE)
    if chart == "mesh-probe-schedule":
        return schedule_values(datacenter.name)
    return consul_values(described, datacenter, ADDRESSES, FINGERPRINT)


def schedule_values(source: str) -> Values:
    """One probe of the agent's loop, and the same in a CronJob."""
    series = {"source": source, "destination": "gke", "service": "mesh-probe-gke", "probe": "network"}
    target = {"host": "192.0.2.3", "port": 443}
    times = {"interval_s": 10.0, "timeout_s": 3.0, "expect": ["p99<120ms"]}
    probe = {"id": "gke-network", "series": series, "mechanism": "tcp", "target": target, **times}
    return {
        "source": source,
        "federation": "mesh",
        "service": f"mesh-probe-{source}",
        "archive": ARCHIVE,
        "caCert": {"secretName": "meshkit-ca", "secretKey": "tls.crt"},
        "aclToken": {"secretName": "meshkit-probe-token", "secretKey": "token"},
        "probes": [probe],
        "jobs": [{"name": "nightly", "schedule": "0 3 * * *", "count": 20, "probes": [probe]}],
        "wanted": '[{"name": "nightly"}]',
    }


def with_value(values: Values, path: str, value: object) -> Values:
    """A copy with one value set; ``path`` is dotted."""
    nested: Any = value
    for key in reversed(path.split(".")):
        nested = {key: nested}
    return merge(copy.deepcopy(values), nested)


def helm(command: str, chart: str, values: Values | None, *options: str) -> subprocess.CompletedProcess[str]:
    """``helm template`` or ``lint`` with values on standard input."""
    release = [chart] if command == "template" else []
    given = ["-f", "-"] if values is not None else []
    argv = [str(toolchain.tool("helm")), command, *release, str(CHARTS / chart), "--namespace", NAMESPACE]
    text = yaml.safe_dump(values) if values is not None else ""
    return subprocess.run([*argv, *given, *options], input=text, capture_output=True, text=True, check=False)


def render(chart: str, values: Values) -> list[Manifest]:
    """The manifests; the test fails with Helm's own words when it refuses."""
    done = helm("template", chart, values)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def refusal(chart: str, values: Values) -> str:
    """What Helm says to values that it must refuse."""
    done = helm("template", chart, values)
    assert done.returncode, f"accepted: {values}"
    return done.stderr


def find(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    """The one manifest of a kind and name."""
    (found,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name))
    return found


def workloads(manifests: Sequence[Manifest]) -> Iterator[tuple[str, Manifest, Manifest]]:
    """Name, labels and pod spec of everything that runs pods, test pods included."""
    for manifest in manifests:
        name = f"{manifest['kind']} {manifest['metadata']['name']}"
        if manifest["kind"] == "Pod":
            yield name, manifest["metadata"]["labels"], manifest["spec"]
        elif manifest["kind"] == "CronJob":
            template = manifest["spec"]["jobTemplate"]["spec"]["template"]
            yield name, template["metadata"]["labels"], template["spec"]
        elif manifest["kind"] in {"Deployment", "StatefulSet"}:
            template = manifest["spec"]["template"]
            yield name, template["metadata"]["labels"], template["spec"]


def containers(manifests: Sequence[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Every container, init containers included, by workload and name."""
    for name, _, spec in workloads(manifests):
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            yield f"{name}, container {container['name']}", container
