"""Helm in memory: releases with their statuses, and the workloads that this project's charts would make."""

from __future__ import annotations

import hashlib
import json
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from fakes.definitions import DEFINITION
from fakes.kube import FakeCluster, Rollout
from meshkit.backends.base import InstalledChart, Manifest, Ref, Release
from meshkit.errors import MeshkitError

Condition = Callable[[str], str]
CONSUL_IMAGE = "docker.io/hashicorp/consul"
PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


def nothing(workload: str) -> str:
    """The condition of workloads that wait for nothing but their secrets."""
    del workload
    return ""


class FakeHelm:
    """``base.Helm`` for one cluster; ``waits_for`` says what a workload still lacks before it is ready."""

    def __init__(self, cluster: FakeCluster, waits_for: Condition = nothing, *, polls: int = 0) -> None:
        self.cluster = cluster
        self.polls = polls
        self.fails_with = ""
        self.refuses = ""
        self.repository: dict[str, Path | MeshkitError] = {}
        self.pulls: list[str] = []
        self.hooks: Callable[[threading.Event | None], None] = lambda _: None
        self.begins: Callable[[threading.Event | None], None] = lambda _: None
        self.brings: Callable[[], object] = lambda: None
        self.installs: list[str] = []
        self._waits_for = waits_for
        self._releases: dict[tuple[str, str], Release] = {}
        self._values: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._charts: dict[tuple[str, str], InstalledChart] = {}

    def release(self, name: str, namespace: str) -> Release | None:
        self.cluster.faults.check("get", "secrets")
        return self._releases.get((namespace, name))

    def chart(self, name: str, namespace: str) -> InstalledChart | None:
        self.cluster.faults.check("get", "secrets")
        return self._charts.get((namespace, name))

    def values(self, name: str, namespace: str) -> Mapping[str, Any]:
        return self._values.get((namespace, name), {})

    def leave(self, name: str, namespace: str, status: str) -> None:
        """Put a release into the status in which a killed or failed helm leaves it."""
        before = self._releases.get((namespace, name))
        self._releases[namespace, name] = Release(status, before.revision + 1 if before else 1, "")

    def pull(self, repository: str, chart: str, version: str, folder: Path) -> Path:
        """What ``repository`` holds by version, as an archive."""
        self.pulls.append(f"{repository} {chart} {version}")
        found = self.repository.get(version, MeshkitError(f"{repository} has no chart {chart} {version}"))
        if isinstance(found, MeshkitError):
            raise found
        with tarfile.open(folder / f"{chart}-{version}.tmp", "w:gz") as archive:
            archive.add(found, chart)
        return folder / f"{chart}-{version}.tmp"

    def template(self, name: str, namespace: str, chart: Path | str, values: Mapping[str, Any]) -> list[Manifest]:
        return list(_manifests(_chart(self.cluster.context, chart), name, namespace, values))

    def deliver(self, name: str, namespace: str, chart: Path, values: Mapping[str, Any]) -> None:
        """What Argo CD does: the same objects as ``install``, and no release of Helm's."""
        self.install(name, namespace, chart, values, "")
        self._releases.pop((namespace, name))
        self._charts.pop((namespace, name))

    def withdraw(self, name: str, namespace: str) -> None:
        """Argo CD again: what it has brought goes."""
        self._releases[namespace, name] = Release("deployed", 1, "")
        self.uninstall(name, namespace)

    def check(self, name: str, namespace: str, chart: Path | str, values: Mapping[str, Any]) -> None:
        """``refuses`` is the chart's ``fail`` text."""
        del name, namespace, values
        _chart(self.cluster.context, chart)
        if self.refuses:
            place = "execution error at (consul/templates/workloads.yaml:1:4)"
            raise MeshkitError(f"{self.cluster.context}: helm: {place}: {self.refuses}")

    def repair(self, name: str, namespace: str) -> None:
        found = self._releases.get((namespace, name))
        if found and found.status in PENDING:
            self._releases[namespace, name] = Release("failed", found.revision, "")

    def install(  # noqa: PLR0913 - that of base.Helm
        self,
        name: str,
        namespace: str,
        chart: Path | str,
        values: Mapping[str, Any],
        description: str,
        *,
        timeout_s: float = 60.0,
        stop: threading.Event | None = None,
    ) -> None:
        """``begins`` is what comes before the objects, ``hooks`` what comes after them."""
        del timeout_s
        if name == "consul":
            self.begins(stop)
        self.cluster.faults.check("apply", "secrets")
        where = self.cluster.context
        read = _chart(where, chart)
        with self.cluster.lock:
            if not self._namespace_open(namespace):
                raise MeshkitError(f'{where}: helm: create: failed to create: namespaces "{namespace}" not found')
            before = self._releases.get((namespace, name))
            if before and before.status in PENDING:
                self.uninstall(name, namespace)
                before = None
            revision = before.revision + 1 if before else 1
            if self.fails_with:
                self._releases[namespace, name] = Release("failed", revision, self.fails_with)
                raise MeshkitError(f"{where}: helm: {self.fails_with}")
            self.installs.append(name)
            self._values[namespace, name] = json.loads(json.dumps(values))
            self._charts[namespace, name] = read
            if values.get("connectInject", {}).get("enabled") and not self.cluster.every("CustomResourceDefinition"):
                self.brings()
            for manifest in _manifests(read, name, namespace, values):
                self._put(manifest, values)
            self._releases[namespace, name] = Release("pending-install", revision, "")
        try:
            self.hooks(stop) if name == "consul" else None
        except MeshkitError:
            self._releases[namespace, name] = Release("failed", revision, "")
            raise
        self._releases[namespace, name] = Release("deployed", revision, description)

    def uninstall(self, name: str, namespace: str, *, hooks: bool = True) -> None:
        del hooks
        self.cluster.faults.check("delete", "secrets")
        with self.cluster.lock:
            if (namespace, name) not in self._releases:
                return
            self.leave(name, namespace, "uninstalling")
            for manifest in self._of_release(name, namespace):
                self.cluster.remove(Ref(manifest["kind"], manifest["metadata"]["name"], namespace))
            self._remove_templates(name, namespace)
            del self._releases[namespace, name]
            self._values.pop((namespace, name), None)

    def _remove_templates(self, name: str, namespace: str) -> None:
        """What carries Helm's annotations, definitions among it, which may never go."""
        ours = {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace}
        for kind in ("MutatingWebhookConfiguration", "Service", DEFINITION):
            for manifest in self.cluster.every(kind):
                meta = manifest["metadata"]
                if ours.items() <= meta.get("annotations", {}).items():
                    self.cluster.delete(Ref(kind, meta["name"], meta.get("namespace", "")))
        self.cluster.settle(DEFINITION, "", "")
        going = [
            d["metadata"]["name"] for d in self.cluster.every(DEFINITION) if d["metadata"].get("deletionTimestamp")
        ]
        if going:
            where = self.cluster.context
            raise MeshkitError(f"{where}: helm: uninstallation completed with 1 error(s): context deadline exceeded")
            self._charts.pop((namespace, name), None)

    def _namespace_open(self, namespace: str) -> bool:
        found = self.cluster.find(Ref("Namespace", namespace))
        return found is not None and found["status"]["phase"] == "Active"

    def _put(self, manifest: Manifest, values: Mapping[str, Any]) -> None:
        """A workload of the release, which rolls out again when its template changed, or anything else as it is."""
        if manifest["kind"] == "ConfigMap":
            self.cluster.put(manifest)
            return
        name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
        before = self.cluster.find(Ref(manifest["kind"], name, namespace))
        if before is None or before["spec"] != manifest["spec"]:
            secrets = tuple(_secret_names(values))
            self.cluster.rollouts[manifest["kind"], namespace, name] = Rollout(
                self.polls, lambda: self._lacking_secret(namespace, secrets) or self._waits_for(name)
            )
        self.cluster.put(manifest)
        if manifest["kind"] == "StatefulSet":
            self._claim(manifest)

    def _claim(self, servers: Manifest) -> None:
        """The servers' volume claims, which outlive the release."""
        namespace = servers["metadata"]["namespace"]
        for place in range(servers["spec"]["replicas"]):
            name = f"data-{namespace}-{servers['metadata']['name']}-{place}"
            if self.cluster.find(Ref("PersistentVolumeClaim", name, namespace)) is None:
                labels = dict(servers["metadata"]["labels"])
                meta = {"name": name, "namespace": namespace, "labels": labels}
                self.cluster.put({"kind": "PersistentVolumeClaim", "metadata": meta, "status": {"phase": "Bound"}})

    def _lacking_secret(self, namespace: str, names: tuple[str, ...]) -> str:
        for name in names:
            if self.cluster.find(Ref("Secret", name, namespace)) is None:
                return "ContainerCreating"
        return ""

    def _of_release(self, name: str, namespace: str) -> list[Manifest]:
        return [
            manifest | {"kind": kind}
            for kind in ("StatefulSet", "Deployment", "ConfigMap")
            for manifest in self.cluster.list(kind, namespace, selector=f"release={name}")
        ]


def _chart(where: str, chart: Path | str) -> InstalledChart:
    """The chart as its Chart.yaml has it; MeshkitError for what is no chart that this fake knows."""
    try:
        read = yaml.safe_load(_described(Path(chart)))
    except OSError as error:
        raise MeshkitError(f"{where}: helm: path {Path(chart).name!r} not found") from error
    if read["name"] not in _WORKLOADS:
        raise MeshkitError(f"{where}: helm: chart {read['name']!r} is not one that the fake knows")
    return InstalledChart(read["name"], str(read["version"]), str(read.get("appVersion", "")))


def _described(chart: Path) -> bytes:
    """The Chart.yaml of a folder or of an archive."""
    if chart.is_dir():
        return (chart / "Chart.yaml").read_bytes()
    with tarfile.open(chart) as archive:
        return archive.extractfile(next(m for m in archive if m.name.endswith("/Chart.yaml"))).read()  # type: ignore[union-attr]


def _secret_names(values: object) -> Iterator[str]:
    """Every Secret that the values name."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            if key == "secretName" and value:
                yield str(value)
            else:
                yield from _secret_names(value)


def _manifests(chart: InstalledChart, name: str, namespace: str, values: Mapping[str, Any]) -> Iterator[Manifest]:
    """What a chart makes; servers whose image the values leave to it run the Consul that it says it installs."""
    for manifest in _WORKLOADS[chart.name](name, namespace, values):
        if manifest["kind"] == "StatefulSet":
            container = manifest["spec"]["template"]["spec"]["containers"][0]
            container.setdefault("image", f"{CONSUL_IMAGE}:{chart.app_version}")
        yield manifest


def _consul(name: str, namespace: str, values: Mapping[str, Any]) -> Iterator[Manifest]:
    if not isinstance(values.get("global", {}).get("datacenter"), str):
        raise MeshkitError("helm: values don't meet the specifications of the schema: global.datacenter is required")
    server, gateway = values.get("server", {}), values.get("meshGateway", {})
    labels = {"app": "consul", "release": name}
    made = _workload("StatefulSet", _meta("consul-server", namespace, labels | {"component": "server"}), server)
    if values["global"].get("image"):
        made["spec"]["template"]["spec"]["containers"][0]["image"] = values["global"]["image"]
    yield made
    if gateway.get("enabled"):
        yield _workload(
            "Deployment", _meta("consul-mesh-gateway", namespace, labels | {"component": "mesh-gateway"}), gateway
        )
    injector = values.get("connectInject", {})
    if injector.get("enabled"):
        labels = labels | {"component": "connect-injector"}
        yield _workload("Deployment", _meta("consul-connect-injector", namespace, labels), injector)


def _probe(name: str, namespace: str, values: Mapping[str, Any]) -> Iterator[Manifest]:
    labels = {"app": "mesh-probe", "release": name}
    made = _workload("Deployment", _meta(name, namespace, labels), dict(values) | {"replicas": 1})
    if values.get("agent", {}).get("enabled", True):
        made["spec"]["template"]["spec"]["containers"].append({"name": "agent"})
    yield made


def _schedule(name: str, namespace: str, values: Mapping[str, Any]) -> Iterator[Manifest]:
    labels = {"app": "mesh-probe", "release": name}
    probes = json.dumps({"probes": values["probes"], "window_s": 60})
    data = {"probes.json": probes, "wanted.json": values["wanted"]}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(name, namespace, labels), "data": data}
    if values["jobs"]:
        jobs = {f"{job['name']}.json": json.dumps({"probes": job["probes"]}) for job in values["jobs"]}
        metadata = _meta(f"{name}-jobs", namespace, labels)
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": jobs}


def _meta(name: str, namespace: str, labels: Mapping[str, str]) -> Manifest:
    return {"name": name, "namespace": namespace, "labels": dict(labels)}


def _workload(kind: str, metadata: Manifest, values: Mapping[str, Any]) -> Manifest:
    """A workload whose template changes with its values; its one container has the last part of its name."""
    checksum = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    labels, container = metadata["labels"], metadata["name"].removeprefix("consul-")
    template = {
        "metadata": {"labels": dict(labels), "annotations": {"checksum": checksum}},
        "spec": {"containers": [{"name": container}]},
    }
    spec = {"replicas": int(values.get("replicas", 1)), "selector": {"matchLabels": dict(labels)}, "template": template}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


_WORKLOADS = {"consul": _consul, "mesh-probe": _probe, "mesh-probe-schedule": _schedule}
