"""Where to capture: a datacenter's gateway pods, the ports that matter there, and whose the addresses are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from meshkit.backends.base import Kube, Manifest, Ref
from meshkit.consul import gateway
from meshkit.consul.names import (
    AGENT_CONTAINER,
    GATEWAY_CONTAINER_PORT,
    GATEWAY_SELECTOR,
    GATEWAY_SERVICE,
    PROBE_SELECTOR,
)
from meshkit.errors import MeshkitError, UsageError
from meshkit.federation.context import Context
from meshkit.kubernetes import kubectl
from meshkit.model import Datacenter

MOST_PORTS = 8
"""Beside those that gateways listen on; the filter in the kernel takes 16 in all."""

IMAGE = "docker.io/library/python:3.13-slim"
"""Where no agent runs that would name one: its chart's own default."""


@dataclass(frozen=True)
class Place:
    """``ports`` are those that gateways listen on: this one's own and the others' public ones; ``names`` go by address.

    ``image`` is the agent's, so that nothing but what runs here already is fetched.
    """

    datacenter: Datacenter
    pods: tuple[str, ...]
    ports: frozenset[int]
    names: dict[str, str]
    image: str


def find(context: Context, dc: Datacenter, pod: str = "", ports: Collection[int] = (), image: str = "") -> Place:
    """All running gateway pods, or the one that is named; MeshkitError when there is none."""
    kube = context.kube[dc.name]
    if len(ports) > MOST_PORTS:
        raise UsageError("too many ports", hint=f"--port {MOST_PORTS} times at most")
    pods = _gateways(kube, dc, pod)
    listening = {_listening(kube, dc, pods[0])} | {other.gateway_port for other in context.federation.datacenters}
    names = dict(_local(kube, dc)) | _remote(context, dc)
    return Place(
        dc, tuple(_name(each) for each in pods), frozenset(listening) | set(ports), names, image or _image(kube, dc)
    )


def _gateways(kube: Kube, dc: Datacenter, wanted: str) -> list[Manifest]:
    found = [pod for pod in kube.list("Pod", dc.namespace, selector=GATEWAY_SELECTOR) if _runs(pod)]
    if not found:
        raise MeshkitError(
            f"{dc.name}: no mesh gateway runs",
            hint=f"{kubectl(dc.context, dc.namespace)} get pods -l {GATEWAY_SELECTOR}",
        )
    chosen = [pod for pod in found if wanted in ("", _name(pod))]
    if not chosen:
        raise UsageError(
            f"{dc.name}: no gateway pod {wanted} runs", hint=f"there are {', '.join(_name(pod) for pod in found)}"
        )
    return chosen


def _runs(pod: Manifest) -> bool:
    return pod["status"].get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")


def _name(pod: Manifest) -> str:
    return str(pod["metadata"]["name"])


def _listening(kube: Kube, dc: Datacenter, pod: Manifest) -> int:
    """The gateway's port inside its pod: the Service says, by number or by the name of a container's port."""
    service = kube.get(Ref("Service", GATEWAY_SERVICE, dc.namespace))
    target = service["spec"]["ports"][0].get("targetPort") if service else GATEWAY_CONTAINER_PORT
    for container in pod["spec"]["containers"]:
        for port in container.get("ports", ()):
            if port.get("name") == target:
                return int(port["containerPort"])
    return target if isinstance(target, int) else GATEWAY_CONTAINER_PORT


def _local(kube: Kube, dc: Datacenter) -> Iterator[tuple[str, str]]:
    for pod in kube.list("Pod", dc.namespace):
        if address := pod["status"].get("podIP"):
            yield str(address), _name(pod)
    for node in _answered(kube, "Node"):
        for address in node.get("status", {}).get("addresses", ()):
            if address["type"] == "InternalIP":
                yield str(address["address"]), f"node {_name(node)}"


def _remote(context: Context, here: Datacenter) -> dict[str, str]:
    """The public addresses of the other gateways, of clusters that answer: names are a convenience."""
    names: dict[str, str] = {}
    for dc in context.federation.datacenters:
        if dc.name != here.name:
            try:
                service = context.kube[dc.name].get(Ref("Service", GATEWAY_SERVICE, dc.namespace))
            except MeshkitError:
                continue
            if address := gateway.address(dc, service):
                # Packets have addresses: a load balancer's name is resolved, as the Envoys have done.
                names |= dict.fromkeys((address, *context.resolve(address)), f"gateway of {dc.name}")
    return names


def _answered(kube: Kube, kind: str) -> Collection[Manifest]:
    try:
        return kube.list(kind)
    except MeshkitError:
        return ()


def _image(kube: Kube, dc: Datacenter) -> str:
    for pod in kube.list("Pod", dc.namespace, selector=PROBE_SELECTOR):
        for container in pod["spec"]["containers"]:
            if container["name"] == AGENT_CONTAINER and container.get("image"):
                return str(container["image"])
    return IMAGE
