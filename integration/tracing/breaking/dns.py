"""The source's cluster's DNS: not forwarding to Consul, forwarding to nobody, down."""

from __future__ import annotations

from collections.abc import Iterator

from tracing.breaking.breakage import breakage
from tracing.world import World

NOBODY = "10.99.77.78"


@breakage("dns_not_forwarded", "lookup", by_name=True)
def dns_not_forwarded(world: World) -> Iterator[None]:
    """As a cluster is from the start."""
    del world
    yield


@breakage("dns_not_forwarded", "lookup", "degraded")
def dns_forwarded_to_nobody(world: World) -> Iterator[None]:
    before = world.dns(world.source.datacenter)
    world.write_dns(world.source.datacenter, f"{before}\nconsul:53 {{\n    errors\n    forward . {NOBODY}\n}}\n")
    yield
    world.write_dns(world.source.datacenter, before)


@breakage("cluster_dns_down", "lookup", "degraded")
def dns_down(world: World) -> Iterator[None]:
    dc = world.source.datacenter
    world.scale_dns(dc, 0)
    yield
    world.scale_dns(dc, 1)
