"""Sidecars and their certificates."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from os import kill

from tracing import impostor
from tracing.breaking.breakage import breakage
from tracing.workload import SIDECAR_PORT
from tracing.world import World, envoy_at, envoy_of


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
    world.switch("slow")
    hold = (
        "import socket,time; c=[socket.create_connection(('127.0.0.1',9000)) for _ in range(4)]; "
        "[x.sendall(b'x') for x in c]; time.sleep(600)"
    )
    command = (
        "exec",
        world.source.name,
        "-c",
        "service",
        "--",
        "sh",
        "-c",
        f'python3 -c "{hold}" >/dev/null 2>&1 & echo',
    )
    world.kubectl(world.source.datacenter, *command)
    yield
    end = "for p in /proc/[0-9]*; do grep -q create_connection $p/cmdline 2>/dev/null && kill ${p#/proc/}; done; true"
    world.kubectl(
        world.source.datacenter, "exec", world.source.name, "-c", "service", "--", "sh", "-c", end, check=False
    )
    world.switch("")
    world.register(world.source.sidecar(), world.source.datacenter)


@breakage("envoy_hangs", "remote sidecar")
def sidecar_hangs(world: World) -> Iterator[None]:
    pid = envoy_of(world.destination.address)
    kill(pid, signal.SIGSTOP)
    yield
    kill(pid, signal.SIGCONT)


@breakage("sidecar_down", "remote sidecar")
def sidecar_down(world: World) -> Iterator[None]:
    """Killed again and again, until the kubelet waits before it starts the next."""
    while not world.backs_off():
        if pid := envoy_at(world.destination.address):
            kill(pid, signal.SIGKILL)
        world.settles(lambda: bool(world.backs_off() or envoy_at(world.destination.address)), "the next, or a pause")
    yield


def _spiffe(world: World, domain: str = "") -> str:
    there = world.destination
    known = world.consul(there.datacenter).ca_roots()["TrustDomain"]
    return f"spiffe://{domain or known}/ns/default/dc/{there.datacenter}/svc/{there.name}"


@breakage("leaf_expired", "remote sidecar")
def certificate_has_run_out(world: World) -> Iterator[None]:
    with impostor.registered(world, _spiffe(world), ended=True):
        yield


@breakage("trust_domain_differs", "remote sidecar")
def sidecar_of_another_trust_domain(world: World) -> Iterator[None]:
    with impostor.registered(world, _spiffe(world, "elsewhere.consul")):
        yield


@breakage("roots_differ", "remote sidecar")
def sidecar_of_another_ca(world: World) -> Iterator[None]:
    with impostor.registered(world, _spiffe(world)):
        yield
