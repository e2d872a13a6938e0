"""Clocks: of a cluster's API server, and of the node on which a sidecar runs as far as its Envoy is concerned."""

from __future__ import annotations

from collections.abc import Iterator

from tracing.breaking.breakage import breakage
from tracing.clock import shifted
from tracing.world import World, envoy_of

MINUTE_S, DAY_S = 60, 86400


@breakage("clock_skew", "planes", "degraded")
def clock_of_a_cluster(world: World) -> Iterator[None]:
    with shifted(world.process("kube-apiserver", world.destination.datacenter), 5 * MINUTE_S):
        yield


@breakage("clock_skew", "remote gateway", "degraded")
def clock_of_a_gateway(world: World) -> Iterator[None]:
    address = world.gateways(world.destination.datacenter)[0]["status"]["podIP"]
    with shifted(envoy_of(address), -5 * MINUTE_S):
        yield


@breakage("clock_skew", "source sidecar")
def clock_of_the_source(world: World) -> Iterator[None]:
    """So far behind that it calls the destination's certificate not valid yet."""
    with shifted(envoy_of(world.source.address), -10 * DAY_S):
        world.fails()
        yield


@breakage("clock_skew", "remote sidecar")
def clock_of_a_sidecar(world: World) -> Iterator[None]:
    """So far ahead that it calls the source's certificate expired."""
    with shifted(envoy_of(world.destination.address), 10 * DAY_S):
        world.fails()
        yield
