"""Mesh gateways: down, at a wrong address, without a configuration, behind a Service that leads nowhere."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import kill
from typing import Any

from tracing.breaking.breakage import breakage
from tracing.world import World, envoy_of, frozen

PUBLIC_SERVICE = "meshkit-mesh-gateway"


@breakage("gateway_down", "remote gateway")
def remote_gateway_down(world: World) -> Iterator[None]:
    world.scale(world.destination.datacenter, 0)
    yield
    world.scale(world.destination.datacenter, 1)


@breakage("gateway_down", "source gateway")
def source_gateway_down(world: World) -> Iterator[None]:
    world.scale(world.source.datacenter, 0)
    yield
    world.scale(world.source.datacenter, 1)


@breakage("gateway_wrong_address", "network")
def gateway_wrong_address(world: World) -> Iterator[None]:
    with _at(world, world.destination.datacenter, Address="10.99.77.77"):
        world.fails()
        yield


@breakage("gateway_wrong_address", "network")
def gateway_wrong_port(world: World) -> Iterator[None]:
    with _at(world, world.destination.datacenter, Port=444):
        world.fails()
        yield


@contextmanager
def _at(world: World, datacenter: str, **place: Any) -> Iterator[None]:
    """A datacenter's gateway stands in the catalog at a place that is not its own, and the other has read it."""
    entry = world.consul(datacenter).health("mesh-gateway", datacenter)[0]
    service = entry["Service"]
    body = {"Node": entry["Node"]["Node"], "Address": entry["Node"]["Address"], "Service": service}
    right = dict(service["TaggedAddresses"]["wan"])
    other = next(name for name in world.lab.names if name != datacenter)

    def write(wan: dict[str, Any]) -> None:
        service["TaggedAddresses"]["wan"] = wan
        world.register(body, datacenter)
        known = (wan["Address"], wan["Port"])
        world.settles(lambda: world.known_gateways(other, datacenter) == {known}, "a federation state")

    write(right | place)
    try:
        yield
    finally:
        write(right)


@contextmanager
def _changed(world: World, datacenter: str, service: str, key: str, change: Callable[[Any], Any]) -> Iterator[None]:
    """A Service of a gateway has something else under a key of its spec."""
    before = world.lab.get(datacenter, "-n", "consul", "service", service)["spec"][key]

    def write(value: Any) -> None:
        body = json.dumps({"spec": {key: value}})
        world.kubectl(datacenter, "patch", "service", service, "--type=merge", "-p", body)

    write(change(before))
    try:
        yield
    finally:
        write(before)


def _nobody(selector: dict[str, str]) -> dict[str, str]:
    """A selector of what is not there."""
    return selector | {"component": "gateway"}


def _elsewhere(ports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same ports, leading to one on which nothing listens."""
    return [port | {"targetPort": 9443} for port in ports]


@breakage("gateway_wrong_address", "network", "degraded")
def way_back_by_a_wrong_address(world: World) -> Iterator[None]:
    """The source's own gateway, which the destination's servers need; requests go the other way."""
    with _at(world, world.source.datacenter, Address="10.99.77.76"):
        yield


@breakage("gateway_deselected", "remote gateway")
def public_service_selects_nobody(world: World) -> Iterator[None]:
    with _changed(world, world.destination.datacenter, PUBLIC_SERVICE, "selector", _nobody):
        world.fails()
        yield


@breakage("gateway_deselected", "source gateway")
def inner_service_selects_nobody(world: World) -> Iterator[None]:
    with _changed(world, world.source.datacenter, "consul-mesh-gateway", "selector", _nobody):
        world.fails()
        yield


@breakage("gateway_unaddressed", "network")
def public_service_is_gone(world: World) -> Iterator[None]:
    world.kubectl(world.destination.datacenter, "delete", "service", PUBLIC_SERVICE)
    world.fails()
    yield
    world.lab.meshkit("federate", *world.lab.names)


@breakage("gateway_port_refused", "network")
def public_service_leads_to_a_wrong_port(world: World) -> Iterator[None]:
    with _changed(world, world.destination.datacenter, PUBLIC_SERVICE, "ports", _elsewhere):
        world.fails()
        yield


@breakage("envoy_hangs", "remote gateway")
def remote_gateway_hangs(world: World) -> Iterator[None]:
    with world.stopped(world.gateways(world.destination.datacenter)[0]["status"]["podIP"]):
        yield


@breakage("envoy_hangs", "source gateway")
def source_gateway_hangs(world: World) -> Iterator[None]:
    with world.stopped(world.gateways(world.source.datacenter)[0]["status"]["podIP"]):
        yield


@breakage("gateway_down", "remote gateway")
def quota_leaves_no_room_for_a_gateway(world: World) -> Iterator[None]:
    dc = world.destination.datacenter
    world.kubectl(dc, "create", "quota", "none", "--hard=pods=0")
    world.kubectl(dc, "delete", "pod", "-l", "component=mesh-gateway")
    world.fails()
    yield
    world.kubectl(dc, "delete", "quota", "none")
    world.kubectl(dc, "rollout", "restart", "deployment", "consul-mesh-gateway")
    world.kubectl(dc, "rollout", "status", "deployment", "consul-mesh-gateway", "--timeout=60s")


@breakage("gateway_critical", "remote gateway", "any")
def remote_gateway_is_critical(world: World) -> Iterator[None]:
    with _critical(world, world.destination.datacenter):
        yield


@breakage("gateway_critical", "source gateway", "any")
def source_gateway_is_critical(world: World) -> Iterator[None]:
    with _critical(world, world.source.datacenter):
        yield


@contextmanager
def _critical(world: World, datacenter: str) -> Iterator[None]:
    """A gateway that is ready as its cluster has it, and not in Consul. Envoys that know no other go on with it."""
    entry = world.consul(datacenter).health("mesh-gateway", datacenter)[0]
    service = entry["Service"]["ID"]
    check = {"CheckID": "gateway:test", "Name": "gateway answers", "ServiceID": service, "Status": "critical"}
    node = {"Node": entry["Node"]["Node"], "Address": entry["Node"]["Address"], "SkipNodeUpdate": True}
    world.register(node | {"Check": check}, datacenter)
    try:
        yield
    finally:
        remove = {"Node": node["Node"], "CheckID": check["CheckID"], "Datacenter": datacenter}
        world.consul(datacenter)._request("put", "/v1/catalog/deregister", body=remove)


@breakage("xds_never_configured", "remote gateway")
def gateway_without_xds(world: World) -> Iterator[None]:
    dc = world.destination.datacenter
    address = world.gateways(dc)[0]["status"]["podIP"]
    with world.dropped(address, "INPUT", "-p", "tcp", "--sport", "8503"):
        kill(envoy_of(address), signal.SIGKILL)
        world.fails()
        yield
    world.kubectl(dc, "delete", "pod", "-l", "component=mesh-gateway", "--wait=false")


@breakage("service_address_dead", "remote gateway")
def kube_proxy_stopped(world: World) -> Iterator[None]:
    dc = world.destination.datacenter
    with frozen(world.process("kube-proxy", dc)):
        world.scale(dc, 0)
        world.scale(dc, 1)
        yield
