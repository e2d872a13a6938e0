"""Reading Kubernetes objects: the few questions that several parts ask of a manifest."""

from __future__ import annotations

import base64
import binascii
import shlex
from typing import Any

Manifest = dict[str, Any]


def kubectl(context: str, namespace: str = "") -> str:
    """The beginning of a command that can be pasted, for a hint."""
    return f"kubectl --context {shlex.quote(context)}" + (f" -n {namespace}" if namespace else "")


def is_ready(pod: Manifest) -> bool:
    """Whether a pod has the condition Ready."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def is_ready_without(pod: Manifest, aside: str) -> bool:
    """Whether a pod is ready, or would be if the container ``aside`` were."""
    states = pod.get("status", {}).get("containerStatuses", ())
    others = [state["ready"] for state in states if state["name"] != aside]
    return is_ready(pod) or (len(others) < len(states) and bool(others) and all(others))


def load_balancer_address(service: Manifest) -> str:
    """The address in a Service's status, empty while there is none; EKS gives a host name, the others an IP."""
    ingress = (service.get("status", {}).get("loadBalancer") or {}).get("ingress") or []
    return str(ingress[0].get("ip") or ingress[0].get("hostname") or "") if ingress else ""


def secret_text(secret: Manifest | None, key: str) -> str:
    """The text below a Secret's key; empty when there is none, or what is there is no text."""
    try:
        return base64.b64decode(secret["data"][key]).decode() if secret else ""
    except (KeyError, binascii.Error, UnicodeDecodeError):
        return ""
