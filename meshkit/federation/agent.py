"""What a datacenter's probe agent needs of meshkit before it starts: its program, and ConfigMaps for what it measures.

Both are made outside of Helm. The program is one archive that would not fit into a release's Secret beside the chart.
The results must outlive every release: Kubernetes can't limit "create" to names, so they are made here, empty, and the
agent may only update them. What was measured is the agent's, so a ConfigMap that is there is never written again.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from meshkit.backends.base import Kube, Manifest, Ref
from meshkit.consul import names
from meshkit.consul.values import at
from meshkit.federation.context import Context
from meshkit.federation.objects import MANAGED
from meshkit.model import Datacenter
from meshkit.probes import bundle

ARCHIVE_LABELS = {"app": "mesh-probe", "component": "agent"} | MANAGED
RESULTS_LABELS = {"app": "mesh-probe", "component": "results"}
ARCHIVE_SELECTOR, RESULTS_SELECTOR = "app=mesh-probe,component=agent", "app=mesh-probe,component=results"
SEGMENTS = 8
"""The chart's own number of ConfigMaps for results."""


def archive_name() -> str:
    """The ConfigMap of the agent that this meshkit would install."""
    return names.agent_archive(bundle.archive().digest)


def ensure(context: Context, datacenter: Datacenter, values: Mapping[str, Any]) -> None:
    """Put the archive and the empty results where they are missing; ``values`` are those of the probe's release.

    What the chart's schema will refuse counts as not given.
    """
    if at(values, "agent.enabled") is False:
        return
    kube = context.kube[datacenter.name]
    archive = Ref("ConfigMap", archive_name(), datacenter.namespace)
    if kube.get(archive) is None:
        kube.apply(_archive(datacenter))
    there = {
        item["metadata"]["name"] for item in kube.list("ConfigMap", datacenter.namespace, selector=RESULTS_SELECTOR)
    }
    segments = at(values, "agent.results.segments")
    for place in range(segments if isinstance(segments, int) else SEGMENTS):
        name = f"{names.PROBE_RELEASE}-results-{place}"
        if name not in there:
            kube.apply(_config_map(name, datacenter, RESULTS_LABELS))


def prune(context: Context, datacenter: Datacenter) -> None:
    """Remove the archives of earlier versions, but for those that a CronJob still runs."""
    kube, keep = context.kube[datacenter.name], {archive_name()}
    keep.update(_mounted(kube, datacenter))
    for item in kube.list("ConfigMap", datacenter.namespace, selector=ARCHIVE_SELECTOR):
        if item["metadata"]["name"] not in keep:
            kube.delete(Ref("ConfigMap", item["metadata"]["name"], datacenter.namespace))


def _mounted(kube: Kube, datacenter: Datacenter) -> Iterator[str]:
    for job in kube.list("CronJob", datacenter.namespace, selector="app=mesh-probe"):
        for volume in job["spec"]["jobTemplate"]["spec"]["template"]["spec"].get("volumes", ()):
            if "configMap" in volume:
                yield volume["configMap"]["name"]


def _archive(datacenter: Datacenter) -> Manifest:
    content = base64.b64encode(bundle.archive().content).decode()
    manifest = _config_map(archive_name(), datacenter, ARCHIVE_LABELS)
    # Its name says what is in it, so nothing in it changes; kubelets need not watch it.
    return manifest | {"immutable": True, "binaryData": {"agent.zip": content}}


def _config_map(name: str, datacenter: Datacenter, labels: Mapping[str, str]) -> Manifest:
    metadata = {"name": name, "namespace": datacenter.namespace, "labels": dict(labels)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
