"""One request through the mesh, from a datacenter's probe to another's, sent by the API server's pod proxy."""

from __future__ import annotations

import json
from http import HTTPStatus

from meshkit.consul.names import AGENT_CONTAINER, PROBE_SELECTOR, probe_service
from meshkit.consul.values import upstream_ports
from meshkit.errors import UnreachableError
from meshkit.federation.context import Context
from meshkit.kubernetes import is_ready_without
from meshkit.model import Datacenter

Pair = tuple[Datacenter, Datacenter]


def differs(context: Context, pair: Pair, *, passes: bool) -> str:
    """How a request's outcome differs from the expected one, empty when it does not."""
    answer = send(context, pair)
    came = answer.get("service") == probe_service(pair[1].name)
    if came and not passes:
        return "without an intention, and the request still passes"
    if not came and passes:
        return "allowed, and the request is not through yet"
    return ""


def send(context: Context, pair: Pair) -> dict[str, str]:
    """What the target's echo said of itself (``service``, ``datacenter``), nothing when the request was refused."""
    source, target = pair
    port = upstream_ports(context.federation, source)[target]
    status, body = context.kube[source.name].pod_get(_probe_pod(context, source), source.namespace, port)
    if status != HTTPStatus.OK:
        return {}
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _probe_pod(context: Context, datacenter: Datacenter) -> str:
    pods = context.kube[datacenter.name].list("Pod", datacenter.namespace, selector=PROBE_SELECTOR)
    ready = [str(pod["metadata"]["name"]) for pod in pods if is_ready_without(pod, AGENT_CONTAINER)]
    if not ready:
        raise UnreachableError(f"{datacenter.name}: no mesh probe is ready")
    return ready[0]
