"""A datacenter's Consul servers: down, with another CA, with another gossip key in their cluster."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from tracing.breaking.breakage import breakage
from tracing.world import World, frozen

from meshkit.backends.base import Manifest
from meshkit.pki import profiles
from meshkit.pki.authority import Authority


@breakage("gossip_key_differs", "planes", "degraded")
def another_gossip_key(world: World) -> Iterator[None]:
    """Written into one cluster; its server goes on with the old one until it restarts."""
    with _secret(world, "meshkit-gossip", key=base64.b64encode(bytes(range(32)))):
        yield


@breakage("servers_unreachable", "planes", "any")
def server_down(world: World) -> Iterator[None]:
    world.scale_servers(world.destination.datacenter, 0)
    yield
    world.scale_servers(world.destination.datacenter, 1)
    world.whole()


@breakage("servers_unreachable", "planes", "any")
def server_hangs(world: World) -> Iterator[None]:
    with frozen(world.server(world.destination.datacenter)):
        yield
    world.whole()


@breakage("servers_unreachable", "planes", "any")
def server_of_the_source_hangs(world: World) -> Iterator[None]:
    with frozen(world.server(world.source.datacenter)):
        yield
    world.whole()


@breakage("server_ca_differs", "planes", "any")
def another_ca_in_one_datacenter(world: World) -> Iterator[None]:
    """Its servers have certificates of a CA that nobody else trusts."""
    dc = world.destination.datacenter
    authority, certificate = _another(dc)
    with (
        _secret(world, "meshkit-ca", **{"tls.crt": authority}),
        _secret(world, "meshkit-server-cert", **certificate),
    ):
        world.scale_servers(dc, 0)
        world.scale_servers(dc, 1)
        yield
        world.scale_servers(dc, 0)
    world.scale_servers(dc, 1)
    world.renew_servers()


def _another(datacenter: str) -> tuple[bytes, dict[str, bytes]]:
    """The certificate of a new CA, and a server's certificate by it."""
    now, profile = datetime.now(UTC), profiles.load("server")
    authority = Authority.create(profiles.load("ca"), "another", now)
    sans = profile.sans(datacenter=datacenter, release="consul", namespace="consul")
    certificate, key = authority.issue(profile, sans, f"server.{datacenter}.consul", now)
    pair = {"tls.crt": certificate.encode(), "tls.key": key.reveal().encode()}
    return authority.certificate_pem.encode(), pair


@contextmanager
def _secret(world: World, name: str, **content: bytes) -> Iterator[None]:
    """A Secret of the destination's cluster holds something else."""
    dc = world.destination.datacenter
    before = world.lab.get(dc, "-n", "consul", "secret", name)["data"]
    _write(world, dc, name, {key: base64.b64encode(value).decode() for key, value in content.items()})
    try:
        yield
    finally:
        _write(world, dc, name, before)


def _write(world: World, datacenter: str, name: str, data: Manifest) -> None:
    world.kubectl(datacenter, "patch", "secret", name, "--type=merge", "-p", json.dumps({"data": data}))
