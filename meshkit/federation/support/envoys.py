"""The Envoys of one cluster as a support bundle shows them: what the admin of each says, one file each.

The admin keeps private keys to itself. The token with which an Envoy asks for its configuration stands in the dump of
its bootstrap, and is taken out like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from meshkit.errors import MeshkitError
from meshkit.federation.context import Context
from meshkit.model import Datacenter
from meshkit.support.document import File, Gap
from meshkit.trace import envoy

FILES = {
    "server_info.json": envoy.SERVER_INFO,
    "certs.json": envoy.CERTS,
    "clusters.json": envoy.CLUSTERS,
    "listeners.json": "/listeners?format=json",
    "stats.json": envoy.STATS,
    "config_dump.json": envoy.CONFIG,
}
"""File to what is asked of the admin for it."""

AT_ONCE = 4


def gather(context: Context, dc: Datacenter) -> Iterator[File | Gap]:
    """The files of every Envoy in the federation's namespace; a gap for one that does not answer."""
    try:
        pods = [pod for pod in context.kube[dc.name].list("Pod", dc.namespace) if _has_envoy(pod)]
    except MeshkitError as error:
        yield Gap(f"envoy/{dc.name}", error.message)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for found in pool.map(lambda pod: list(_of_pod(context, dc, str(pod["metadata"]["name"]))), pods):
            yield from found


def _has_envoy(pod: Mapping[str, Any]) -> bool:
    return any(container["name"] in envoy.CONTAINERS for container in pod.get("spec", {}).get("containers", ()))


def _of_pod(context: Context, dc: Datacenter, pod: str) -> Iterator[File | Gap]:
    place = f"envoy/{dc.name}/{pod}"
    try:
        answers = context.kube[dc.name].loopback_get(pod, dc.namespace, envoy.ADMIN_PORT, tuple(FILES.values()))
    except MeshkitError as error:
        yield Gap(place, error.message)
        return
    for (name, path), text in zip(FILES.items(), answers, strict=True):
        yield File(f"{place}/{name}", path, text)
