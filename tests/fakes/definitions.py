"""Custom resource definitions: which kinds a cluster has beyond its own, and how they go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fakes import objects
from meshkit.backends.base import Manifest
from meshkit.backends.kube_paths import KINDS
from meshkit.errors import MeshkitError, NotFoundError

DEFINITION = "CustomResourceDefinition"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
CUSTOM = frozenset({"ServiceIntentions", "ProxyDefaults"})
"""Kinds that meshkit knows by name and that are there only with their definition."""


def definition(kind: str, plural: str = "", **metadata: Any) -> Manifest:
    """A CustomResourceDefinition of Consul's, established."""
    plural = plural or objects.resource_of(kind)
    group = "consul.hashicorp.com"
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"kind": kind, "plural": plural},
        "versions": [{"name": "v1alpha1", "served": True, "storage": True}],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": DEFINITION,
        "metadata": {"name": f"{plural}.{group}", "finalizers": [CLEANUP], **metadata},
        "spec": spec,
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }


class Kinds:
    """The kinds of one cluster, by the definitions in it."""

    def __init__(self, context: str, definitions: Iterable[Manifest]) -> None:
        self._context = context
        self._definitions = {d["spec"]["names"]["kind"]: d for d in definitions}

    def plain(self, kind: str) -> str:
        """The kind that ``plural.version.group`` means."""
        if "." not in kind:
            return kind
        plural, _, group = kind.split(".", 2)
        for known, found in self._definitions.items():
            if found["metadata"]["name"] == f"{plural}.{group}":
                return known
        return next((known for known, (_, resource) in KINDS.items() if resource == plural), kind)

    def require(self, kind: str) -> None:
        """NotFoundError for a kind that needs a definition and has none."""
        if (kind in CUSTOM or "." in kind) and kind not in self._definitions:
            raise NotFoundError(f"{self._context}: the server could not find the requested resource")

    def require_lasting(self, kind: str) -> None:
        """MeshkitError for a kind whose definition is being deleted: nothing new is made of it."""
        self.require(kind)
        if self._definitions.get(kind, {}).get("metadata", {}).get("deletionTimestamp"):
            raise MeshkitError(f"{self._context}: create not allowed while custom resource definition is terminating")

    def terminating(self) -> frozenset[str]:
        """The kinds whose definitions are being deleted."""
        return frozenset(k for k, d in self._definitions.items() if d["metadata"].get("deletionTimestamp"))
