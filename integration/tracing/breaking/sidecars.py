"""Sidecars and their certificates."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from os import kill

from tracing import impostor
from tracing.breaking.breakage import breakage
from tracing.workload import PORT, SIDECAR_PORT, Upstream
from tracing.world import ENVOY, World, envoy_of


@breakage("wrong_san", "remote sidecar")
def sidecar_of_another_service(world: World) -> Iterator[None]:
    probe = world.lab.get(world.destination.datacenter, "-n", "consul", "pods", "-l", "app=mesh-probe")["items"][0]
    with world.replaced(probe["status"]["podIP"]):
        yield


@breakage("sidecar_address_stale", "remote sidecar")
def sidecar_with_an_address_of_nobody(world: World) -> Iterator[None]:
    with world.replaced(world.destination.address.rpartition(".")[0] + ".250"):
        yield


@breakage("sidecar_wrong_port", "remote sidecar")
def sidecar_with_a_wrong_port(world: World) -> Iterator[None]:
    with world.replaced(world.destination.address, SIDECAR_PORT + 7):
        yield


@breakage("connection_limit", "source sidecar")
def connection_limit(world: World) -> Iterator[None]:
    limits = {"limits": {"max_connections": 1, "max_pending_requests": 1, "max_concurrent_requests": 1}}
    entry = world.source.sidecar()
    entry["Service"]["Proxy"]["Upstreams"][0]["Config"] = limits
    world.register(entry, world.source.datacenter)
    world.configured(world.source, '"max_connections": 1')
    with world.held(4):
        yield
    world.register(world.source.sidecar(), world.source.datacenter)


@breakage("connection_limit", "remote sidecar")
def inbound_connection_limit(world: World) -> Iterator[None]:
    """One is taken, and it is in use."""
    config = {"xds_fetch_timeout_ms": 2000, "max_inbound_connections": 1}
    world.register(world.destination.sidecar(Config=config))
    world.configured(world.destination, "inbound_connection_limit")
    with world.held(2):
        yield
    world.register(world.destination.sidecar())


@breakage("instance_unreachable", "remote sidecar", "any")
def one_of_two_instances_is_gone(world: World) -> Iterator[None]:
    """Its entry has outlived its pod."""
    entry = world.destination.sidecar()
    entry |= {"Node": "gone-node", "Address": world.destination.address}
    entry["Service"] |= {"ID": "gone-sidecar-proxy", "Port": SIDECAR_PORT + 9}
    world.register(entry)
    yield
    world.deregister_node("gone-node")


@breakage("xds_rejected", "source sidecar")
def upstream_on_a_port_that_is_taken(world: World) -> Iterator[None]:
    """By the service itself, which then answers its own request."""
    clash = replace(world.source, upstreams=[Upstream(world.destination.name, world.destination.datacenter, PORT)])
    world.register(clash.sidecar(), world.source.datacenter)
    world.configured(world.source, "Address already in use")
    yield
    world.register(world.source.sidecar(), world.source.datacenter)
    # What was refused is not taken back: Consul sends nothing until something else changes, and Envoy asks for nothing.
    kill(envoy_of(world.source.address), signal.SIGKILL)


@breakage("connect_timeout_short", "source sidecar")
def connect_timeout_shorter_than_the_way(world: World) -> Iterator[None]:
    world.config("service-resolver", world.destination.name, ConnectTimeout="20ms")
    world.fails()
    yield
    world.no_config("service-resolver", world.destination.name)


@breakage("gateway_mode_none", "source sidecar")
def gateway_mode_none(world: World) -> Iterator[None]:
    entry = world.source.sidecar()
    entry["Service"]["Proxy"]["Upstreams"][0]["MeshGateway"] = {"Mode": "none"}
    world.register(entry, world.source.datacenter)
    world.fails()
    yield
    world.register(world.source.sidecar(), world.source.datacenter)


@breakage("envoy_hangs", "remote sidecar")
def sidecar_hangs(world: World) -> Iterator[None]:
    with world.stopped(world.destination.address):
        yield


@breakage("envoy_hangs", "source sidecar")
def source_sidecar_hangs(world: World) -> Iterator[None]:
    with world.stopped(world.source.address):
        yield


@breakage("sidecar_down", "remote sidecar")
def sidecar_down(world: World) -> Iterator[None]:
    world.kill_until_pause(world.destination, "envoy", ENVOY)
    yield


@breakage("sidecar_down", "source sidecar")
def source_sidecar_down(world: World) -> Iterator[None]:
    world.kill_until_pause(world.source, "envoy", ENVOY)
    yield


@breakage("endpoint_ejected", "source sidecar")
def ejected_after_failures(world: World) -> Iterator[None]:
    """The way works again; the source's Envoy leaves the gateway out for a while yet."""
    passive = {"interval": 1_000_000_000, "max_failures": 1, "base_ejection_time": 300_000_000_000}
    passive["max_ejection_percent"] = 100
    entry = world.source.sidecar()
    entry["Service"]["Proxy"]["Upstreams"][0]["Config"] = {"passive_health_check": passive}
    world.register(entry, world.source.datacenter)
    world.configured(world.source, '"base_ejection_time": "300s"')
    drop = ("OUTPUT", "-p", "tcp", "--dport", "443")
    with world.dropped(world.source.address, *drop, verdict="REJECT"):
        world.fails()
    yield
    world.register(world.source.sidecar(), world.source.datacenter)
    kill(envoy_of(world.source.address), signal.SIGKILL)


@breakage("tls_differs", "remote sidecar")
def versions_of_tls_apart(world: World) -> Iterator[None]:
    """What goes out is offered less than what comes in asks for."""
    primary = world.consul(world.context.federation.primary.name)
    tls = {"Incoming": {"TLSMinVersion": "TLSv1_3"}, "Outgoing": {"TLSMaxVersion": "TLSv1_2"}}
    primary.write_config_entry({"Kind": "mesh", "TLS": tls})
    world.fails()
    yield
    primary.delete_config_entry("mesh", "mesh")


@breakage("xds_disconnected", "remote sidecar", "degraded")
def sidecar_cut_off_from_its_servers(world: World) -> Iterator[None]:
    rule = ("-p", "tcp", "--dport", "8503", "-j", "REJECT", "--reject-with", "tcp-reset")
    world.iptables(world.destination.address, "-I", "OUTPUT", *rule)
    try:
        # Its stream stands as long as nobody sends: what the server now sends it is not acknowledged but reset.
        world.register(world.destination.sidecar(Config={"xds_fetch_timeout_ms": 2001}))
        world.settles(lambda: not world.streams(world.destination), "the end of its stream")
        yield
    finally:
        world.iptables(world.destination.address, "-D", "OUTPUT", *rule)
        world.register(world.destination.sidecar())
        world.settles(lambda: world.streams(world.destination), "its stream")


@breakage("gateway_mode_none", "source sidecar")
def proxy_defaults_are_gone(world: World) -> Iterator[None]:
    """Upstreams that say nothing of gateways went by them."""
    entry = world.source.sidecar()
    del entry["Service"]["Proxy"]["Upstreams"][0]["MeshGateway"]
    world.register(entry, world.source.datacenter)
    world.no_config("proxy-defaults", "global")
    world.fails()
    yield
    world.lab.meshkit("federate", *world.lab.names)
    world.register(world.source.sidecar(), world.source.datacenter)


def _spiffe(world: World, domain: str = "") -> str:
    there = world.destination
    known = world.consul(there.datacenter).ca_roots()["TrustDomain"]
    return f"spiffe://{domain or known}/ns/default/dc/{there.datacenter}/svc/{there.name}"


@breakage("leaf_expired", "remote sidecar")
def certificate_has_run_out(world: World) -> Iterator[None]:
    with impostor.registered(world, _spiffe(world), impostor.ENDED):
        yield


@breakage("leaf_not_yet_valid", "remote sidecar")
def certificate_is_not_valid_yet(world: World) -> Iterator[None]:
    with impostor.registered(world, _spiffe(world), impostor.FUTURE):
        yield


@breakage("trust_domain_differs", "remote sidecar")
def sidecar_of_another_trust_domain(world: World) -> Iterator[None]:
    with impostor.registered(world, _spiffe(world, "elsewhere.consul")):
        yield


@breakage("roots_differ", "remote sidecar")
def sidecar_of_another_ca(world: World) -> Iterator[None]:
    with impostor.registered(world, _spiffe(world)):
        yield
