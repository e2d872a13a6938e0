"""Whether what GitOps brings is there, and is what was described.

Argo CD installs what ``helm template`` renders and leaves no release behind, so releases say nothing here. The chart is
rendered as it should be, once, and the objects that pods are made of are compared: settings and workloads. What the API
server fills in, or a tool adds for itself, is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from meshkit.backends.base import Kube, Manifest, Ref
from meshkit.federation.context import Context
from meshkit.model import Datacenter

HOOK = "helm.sh/hook"
CONTAINER = ("name", "image", "command", "args", "env")
HINT = "meshkit render shows what is expected; is it committed, and has Argo CD, Flux or Terraform applied it?"


def pending(context: Context, datacenter: Datacenter, rendered: Sequence[Manifest]) -> Callable[[], str]:
    """A condition for ``Context.wait``: the first object that is missing or different, empty when none is."""
    wanted = [manifest for manifest in rendered if _is_compared(manifest)]
    kube = context.kube[datacenter.name]
    return lambda: next(_lacking(kube, datacenter.namespace, wanted), "")


def _is_compared(manifest: Manifest) -> bool:
    """Jobs and hooks come and go; everything else that pods are made of stays."""
    hook = HOOK in (manifest["metadata"].get("annotations") or {})
    return manifest["kind"] in ("ConfigMap", "StatefulSet", "Deployment") and not hook


def _lacking(kube: Kube, namespace: str, wanted: Sequence[Manifest]) -> Iterator[str]:
    for manifest in wanted:
        ref = Ref(manifest["kind"], manifest["metadata"]["name"], manifest["metadata"].get("namespace") or namespace)
        found = kube.get(ref)
        if found is None:
            yield f"{ref} is not there yet"
        else:
            place = _difference(_said(manifest), _said(found))
            if place:
                yield f"{ref} is not as rendered: {place}"


def _said(manifest: Manifest) -> Manifest:
    """The part that decides what runs."""
    if manifest["kind"] == "ConfigMap":
        return {"data": manifest.get("data") or {}}
    spec = manifest["spec"]
    pod = spec["template"]["spec"]
    return {
        "replicas": spec.get("replicas"),
        "annotations": spec["template"]["metadata"].get("annotations") or {},
        "initContainers": [_container(one) for one in pod.get("initContainers") or ()],
        "containers": [_container(one) for one in pod["containers"]],
    }


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    return {key: container[key] for key in CONTAINER if container.get(key)}


def _difference(wanted: Any, found: Any, place: str = "") -> str:
    """The path to the first thing that is wanted and is not found so; what it holds is not said. Empty without one.

    What is empty may be left out: API servers do.
    """
    if isinstance(wanted, Mapping):
        below = found if isinstance(found, Mapping) else {}
        inner = (_difference(value, below.get(key), f"{place}.{key}") for key, value in wanted.items())
        return next(filter(None, inner), "")
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = zip(wanted, found, strict=True)
        inner = (_difference(mine, theirs, f"{place}.{number}") for number, (mine, theirs) in enumerate(pairs))
        return next(filter(None, inner), "")
    return "" if wanted == found or (not wanted and not found) else place.lstrip(".")
