"""Rules of the Kubernetes API that need no cluster: names of resources, merging, label selectors."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from meshkit.backends.base import Manifest

CLUSTER_SCOPED = frozenset({"Namespace", "Node", "StorageClass", "PersistentVolume"})
UNCHANGING = frozenset({"endpoints", "serviceintentions", "proxydefaults", "servicedefaults"})


def resource_of(kind: str) -> str:
    """A kind's plural as the API server and its permissions write it."""
    name = kind.lower()
    if name.endswith("s"):
        return name if name in UNCHANGING else f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def merge(found: Any, wanted: Any) -> Any:
    """``wanted`` laid over ``found``: mappings key by key, all else replaced."""
    if not (isinstance(found, Mapping) and isinstance(wanted, Mapping)):
        return deepcopy(wanted)
    return dict(found) | {key: merge(found.get(key), value) for key, value in wanted.items()}


def merge_patch(found: Any, patch: Any) -> Any:
    """RFC 7386: like ``merge``, and null removes."""
    if not isinstance(patch, Mapping):
        return deepcopy(patch)
    merged = dict(found) if isinstance(found, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def without(found: Any, dropped: Any, kept: Any) -> Any:
    """``found`` less what its owner applied before (``dropped``) and no longer applies (``kept``)."""
    if not (isinstance(found, Mapping) and isinstance(dropped, Mapping)):
        return found
    keep = kept if isinstance(kept, Mapping) else {}
    gone = {key for key, value in dropped.items() if key not in keep and not isinstance(value, Mapping)}
    left = {key: without(value, dropped.get(key), keep.get(key)) for key, value in found.items() if key not in gone}
    return {key: value for key, value in left.items() if not (value == {} and key in dropped and key not in keep)}


def matches(manifest: Manifest, selector: str, fields: str = "") -> bool:
    """Whether an object's labels satisfy an equality selector such as ``app=consul,component=server``.

    ``fields`` is the same for fields, such as ``status.podIP=10.42.0.5``.
    """
    for term in filter(None, fields.split(",")):
        path, _, wanted = term.partition("=")
        if _field(manifest, path) != wanted:
            return False
    labels = manifest["metadata"].get("labels") or {}
    pairs = (term.split("=", 1) for term in selector.replace("==", "=").split(",") if term)
    return all(labels.get(pair[0]) == pair[1] if len(pair) > 1 else pair[0] in labels for pair in pairs)


def _field(manifest: Manifest, path: str) -> Any:
    value: Any = manifest
    for part in path.split("."):
        value = value.get(part, {}) if isinstance(value, Mapping) else {}
    return value or ""
