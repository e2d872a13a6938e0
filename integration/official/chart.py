"""A stand-in for the official chart: its object names, kinds of the same names, an injector that does nothing.

The schemas are ours and take anything: what is tried is the API server's part of it (definitions in deletion,
finalizers, versions, a webhook whose policy is Fail), not what HashiCorp's programs do.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clusters import CONSUL_IMAGE

from meshkit.backends.base import Manifest

INJECTOR = "consul-connect-injector"
LABELS = {"app": "consul", "component": "connect-injector", "release": "consul"}
KINDS = {"ServiceIntentions": "serviceintentions", "ProxyDefaults": "proxydefaults", "Mesh": "meshes"}


def write(folder: Path, namespace: str, *, webhooks: bool) -> Path:
    """A chart in a folder: definitions and injector, and webhooks that nobody answers when asked for."""
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: consul\nversion: 0.0.1\n")
    objects = [*map(_definition, KINDS), _injector(), *([_webhooks(namespace)] if webhooks else [])]
    for place, manifest in enumerate(objects):
        (folder / "templates" / f"{place}.yaml").write_text(json.dumps(manifest))
    return folder


def webhooks(namespace: str) -> Manifest:
    """The webhooks alone, as somebody's release would leave them."""
    return _webhooks(namespace)


def _definition(kind: str) -> Manifest:
    plural = KINDS[kind]
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: dict[str, Any] = {"name": "v1alpha1", "served": True, "storage": True, "subresources": {"status": {}}}
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.consul.hashicorp.com"},
        "spec": {
            "group": "consul.hashicorp.com",
            "scope": "Namespaced",
            "names": names,
            "versions": [version | {"schema": {"openAPIV3Schema": schema}}],
        },
    }


def _injector() -> Manifest:
    container = {"name": "sidecar-injector", "image": CONSUL_IMAGE, "command": ["/bin/sleep", "3600"]}
    pod = {"containers": [container], "terminationGracePeriodSeconds": 0}
    template = {"metadata": {"labels": LABELS}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template}
    metadata = {"name": INJECTOR, "labels": LABELS}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def _webhooks(namespace: str) -> Manifest:
    rule = {
        "apiGroups": ["consul.hashicorp.com"],
        "apiVersions": ["v1alpha1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": list(KINDS.values()),
    }
    hook = {
        "name": "mutate.consul.hashicorp.com",
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "rules": [rule],
        "clientConfig": {"service": {"name": INJECTOR, "namespace": namespace, "path": "/mutate"}},
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": INJECTOR},
        "webhooks": [hook],
    }
