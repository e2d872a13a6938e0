"""Mesh gateways: down, at a wrong address, without a configuration, behind a Service that leads nowhere."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from os import kill

from tracing.breaking.breakage import breakage
from tracing.world import World, envoy_of


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
    dc = world.destination.datacenter
    entry = world.consul(dc).health("mesh-gateway", dc)[0]
    service = entry["Service"]
    body = {"Node": entry["Node"]["Node"], "Address": entry["Node"]["Address"], "Service": service}
    right = dict(service["TaggedAddresses"]["wan"])
    service["TaggedAddresses"]["wan"] = right | {"Address": "10.99.77.77"}
    world.register(body)
    world.fails()
    yield
    service["TaggedAddresses"]["wan"] = right
    world.register(body)


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
    with world.frozen_proxy_rules(dc):
        world.scale(dc, 0)
        world.scale(dc, 1)
        yield
