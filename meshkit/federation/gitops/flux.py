"""Releases as Flux has them: sources and HelmReleases, for the Flux that runs in the datacenter's own cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meshkit.backends.base import Manifest
from meshkit.federation.gitops.rendering import Delivery, Rendering
from meshkit.federation.gitops.repository import Repository

NAMESPACE = "flux-system"
GIT = "meshkit"
CONSUL_REPOSITORY = "hashicorp"
TIMEOUT = "15m"
"""The official chart's jobs wait for the primary: longer than the 5 minutes that Flux gives."""


def manifests(rendering: Rendering, repository: Repository) -> Iterator[Manifest]:
    """The sources of a datacenter's releases, then the releases."""
    sources = [delivery.source for delivery in rendering.deliveries]
    if any(source.local for source in sources):
        spec: dict[str, Any] = {"interval": "1m", "url": repository.url, "ref": {"branch": repository.revision}}
        yield _object("source.toolkit.fluxcd.io/v1", "GitRepository", GIT, spec)
    for source in sources:
        if source.local is None:
            kind = {"type": "oci"} if source.repository.startswith("oci://") else {}
            spec = {"interval": "1h", "url": source.repository} | kind
            yield _object("source.toolkit.fluxcd.io/v1", "HelmRepository", CONSUL_REPOSITORY, spec)
    for delivery in rendering.deliveries:
        yield _release(delivery, rendering.datacenter.namespace, repository)


def _release(delivery: Delivery, namespace: str, repository: Repository) -> Manifest:
    spec = {
        "interval": "10m",
        "timeout": TIMEOUT,
        "releaseName": delivery.release,
        "targetNamespace": namespace,
        "storageNamespace": namespace,
        "chart": {"spec": _chart(delivery, repository)},
        # meshkit federate waits and verifies; a rollback in between would only start all over.
        "install": {"disableWait": True, "remediation": {"retries": 3}},
        "upgrade": {"disableWait": True, "remediation": {"retries": 3}},
        "values": delivery.values,
    }
    return _object("helm.toolkit.fluxcd.io/v2", "HelmRelease", delivery.release, spec)


def _chart(delivery: Delivery, repository: Repository) -> dict[str, Any]:
    source = delivery.source
    if source.local:
        reference = {"kind": "GitRepository", "name": GIT, "namespace": NAMESPACE}
        # A chart of a git repository changes with its files, not with the version that it says it has.
        path = f"./{repository.inside(source.path)}"
        return {"chart": path, "reconcileStrategy": "Revision", "sourceRef": reference}
    reference = {"kind": "HelmRepository", "name": CONSUL_REPOSITORY, "namespace": NAMESPACE}
    return {"chart": source.name, "version": source.version, "sourceRef": reference}


def _object(version: str, kind: str, name: str, spec: dict[str, Any]) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}
