"""Releases as Terraform has them, in its JSON form, whose syntax any JSON parser can check.

One provider per cluster by kubeconfig context, for the helm provider from 3.0 on, where ``kubernetes`` is an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from meshkit.federation.gitops.rendering import Delivery, Rendering

HELM_PROVIDER = {"source": "hashicorp/helm", "version": ">= 3.0.0"}
TIMEOUT_S = 900
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")


def document(renderings: Sequence[Rendering]) -> dict[str, Any]:
    """The content of ``main.tf.json``; values are files beside it."""
    resources = {
        identifier(f"{r.datacenter.name}-{delivery.release}"): _release(r, delivery)
        for r in renderings
        for delivery in r.deliveries
    }
    return {
        "terraform": {"required_providers": {"helm": HELM_PROVIDER}},
        "variable": {"kubeconfig": {"type": "string", "default": "~/.kube/config"}},
        "provider": {
            "helm": [
                {
                    "alias": identifier(r.datacenter.name),
                    "kubernetes": {
                        "config_path": "${var.kubeconfig}",
                        "config_context": literal(r.datacenter.context),
                    },
                }
                for r in renderings
            ]
        },
        "resource": {"helm_release": resources},
    }


def identifier(name: str) -> str:
    """A name as Terraform takes it: it does not begin with a digit."""
    legal = _ILLEGAL.sub("-", name)
    return legal if legal[:1].isalpha() else f"dc-{legal}"


def literal(text: str) -> str:
    """A text in which Terraform finds nothing to fill in."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _release(rendering: Rendering, delivery: Delivery) -> dict[str, Any]:
    dc, source = rendering.datacenter, delivery.source
    chart: dict[str, Any] = {"chart": f"${{path.module}}/{source.path}"}
    if source.local is None:
        chart = {"repository": source.repository, "chart": source.name, "version": source.version}
        if source.repository.startswith("oci://"):
            chart = {"chart": f"{source.repository.rstrip('/')}/{source.name}", "version": source.version}
    return {
        "provider": f"helm.{identifier(dc.name)}",
        "name": delivery.release,
        "namespace": dc.namespace,
        **chart,
        "create_namespace": False,
        # Datacenters wait for one another: a provider that waits for one of them first would wait for ever.
        "wait": False,
        "timeout": TIMEOUT_S,
        "values": [f'${{file("${{path.module}}/{dc.name}/{delivery.release}.values.yaml")}}'],
    }
