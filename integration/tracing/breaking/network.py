"""The network: between the clouds, and inside a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clusters import DELAY_S
from tracing.breaking.breakage import breakage
from tracing.workload import SIDECAR_PORT
from tracing.world import World

from meshkit.lab import wan
from meshkit.lab.command import run
from meshkit.lab.network import NAMESPACES


@breakage("link_cut", "network")
def link_cut(world: World) -> Iterator[None]:
    wan.cut(*world.nodes)
    yield
    wan.heal(*world.nodes)


@breakage("link_cut_one_way", "network")
def link_cut_there(world: World) -> Iterator[None]:
    wan.cut(*world.nodes, one_way=True)
    yield
    wan.heal(*world.nodes)


@breakage("link_cut_one_way", "network")
def link_cut_back(world: World) -> Iterator[None]:
    wan.cut(*reversed(world.nodes), one_way=True)
    yield
    wan.heal(*world.nodes)


@breakage("packet_loss", "network", "any")
def loss(world: World) -> Iterator[None]:
    world.link(loss=0.1)
    yield
    world.link(loss=0.0)


@breakage("network_slow", "network", "any")
def long_way(world: World) -> Iterator[None]:
    world.link(delay_s=0.4)
    yield
    world.link(delay_s=DELAY_S)


@breakage("mtu_black_hole", "network", "any")
def black_hole(world: World) -> Iterator[None]:
    world.link(mtu=1000, mtu_blackhole=True)
    yield
    world.link(mtu=1500, mtu_blackhole=False)


@breakage("handshake_blocked", "network")
def names_are_filtered(world: World) -> Iterator[None]:
    """By a firewall that reads the SNI: connections are made, what names the service is dropped."""
    with _filtered(world, "DROP"):
        yield


@breakage("handshake_blocked", "network")
def names_are_refused(world: World) -> Iterator[None]:
    """By a firewall that ends such connections."""
    with _filtered(world, "REJECT", "--reject-with", "tcp-reset"):
        yield


@contextmanager
def _filtered(world: World, *verdict: str) -> Iterator[None]:
    """What leaves the source's node and holds the destination's name meets a rule."""
    node, name = world.nodes[0], f"{world.destination.name}.default"
    rule = ("FORWARD", "-p", "tcp", "--dport", "443", "-m", "string", "--algo", "bm", "--string", name, "-j", *verdict)
    enter = ("nsenter", f"--net={NAMESPACES / node.namespace}", "iptables", "-w")
    run(*enter, "-I", *rule)
    try:
        yield
    finally:
        run(*enter, "-D", *rule)


@breakage("packets_dropped", "network")
def packets_from_the_source_gateway_dropped(world: World) -> Iterator[None]:
    """By a rule for what leaves it, while other pods of the cluster get there."""
    gateway = world.gateways(world.source.datacenter)[0]["status"]["podIP"]
    with world.dropped(gateway, "OUTPUT", "-p", "tcp", "--dport", "443"):
        yield


@breakage("packets_dropped", "remote sidecar")
def packets_to_the_sidecar_dropped(world: World) -> Iterator[None]:
    address = world.destination.address
    with world.dropped(address, "INPUT", "-p", "tcp", "--dport", str(SIDECAR_PORT)):
        yield


@breakage("packets_dropped", "remote sidecar")
def packets_to_the_sidecar_rejected(world: World) -> Iterator[None]:
    address = world.destination.address
    with world.dropped(address, "INPUT", "-p", "tcp", "--dport", str(SIDECAR_PORT), verdict="REJECT"):
        yield


@breakage("packets_dropped", "remote sidecar")
def packets_from_the_gateway_to_the_sidecar_dropped(world: World) -> Iterator[None]:
    gateway = world.gateways(world.destination.datacenter)[0]["status"]["podIP"]
    with world.dropped(world.destination.address, "INPUT", "-s", gateway, "-p", "tcp", "--dport", str(SIDECAR_PORT)):
        yield


@breakage("packets_dropped", "source gateway")
def packets_from_the_source_dropped(world: World) -> Iterator[None]:
    with world.dropped(world.source.address, "OUTPUT", "-p", "tcp", "--dport", "443"):
        yield


@breakage("packets_dropped", "source gateway")
def packets_to_the_source_gateway_dropped(world: World) -> Iterator[None]:
    pod = world.gateways(world.source.datacenter)[0]["status"]["podIP"]
    with world.dropped(pod, "INPUT", "-p", "tcp", "--dport", "8443"):
        yield
