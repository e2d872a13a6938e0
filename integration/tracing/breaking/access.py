"""Who may: intentions, tokens and their replication."""

from __future__ import annotations

from collections.abc import Iterator

from tracing.breaking.breakage import breakage
from tracing.world import World


@breakage("intention_deny", "remote sidecar")
def intention_deny(world: World) -> Iterator[None]:
    world.lab.meshkit("deny", world.source.name, world.destination.name)
    world.fails()
    yield
    world.lab.meshkit("allow", world.source.name, world.destination.name)


@breakage("intention_deny_wildcard", "remote sidecar")
def intention_deny_wildcard(world: World) -> Iterator[None]:
    world.lab.meshkit("deny", "*", world.destination.name)
    world.lab.meshkit("intentions", "--remove", world.source.name, world.destination.name)
    world.fails()
    yield
    world.lab.meshkit("allow", world.source.name, world.destination.name)
    world.lab.meshkit("intentions", "--remove", "*", world.destination.name)


@breakage("intention_missing", "remote sidecar")
def intention_missing(world: World) -> Iterator[None]:
    world.lab.meshkit("intentions", "--remove", world.source.name, world.destination.name)
    world.fails()
    yield
    world.lab.meshkit("allow", world.source.name, world.destination.name)


@breakage("intention_permissions", "remote sidecar")
def permissions_for_another_path(world: World) -> Iterator[None]:
    there, leave = world.destination.name, {"Action": "allow", "HTTP": {"PathExact": "/admin"}}
    world.config("service-defaults", there, Protocol="http")
    world.config("service-intentions", there, Sources=[{"Name": world.source.name, "Permissions": [leave]}])
    world.fails()
    yield
    world.no_config("service-intentions", there)
    world.no_config("service-defaults", there)
    world.lab.meshkit("allow", world.source.name, there)


@breakage("token_lost", "planes", "any")
def gateway_token_lost(world: World) -> Iterator[None]:
    _forget(world, "mesh-gateway")
    yield
    world.lab.meshkit("federate", *world.lab.names)


@breakage("replication_stopped", "planes", "any")
def replication_stopped(world: World) -> Iterator[None]:
    _forget(world, "replication")
    secondary = next(dc.name for dc in world.context.federation.secondaries)
    world.settles(
        lambda: (
            world.consul(secondary).acl_replication()["LastError"]
            > world.consul(secondary).acl_replication()["LastSuccess"]
        ),
        "a failed replication",
    )
    yield
    world.lab.meshkit("federate", *world.lab.names)


def _forget(world: World, name: str) -> None:
    """Delete a token in the primary, as somebody might who tidies up."""
    held = world.context.state.secrets()
    assert held
    consul = world.consul(world.context.federation.primary.name)
    accessor = consul.token(held.tokens[name].reveal())["AccessorID"]
    consul._request("delete", f"/v1/acl/token/{accessor}")
    for dc in world.context.federation.datacenters:
        world.settles(
            lambda dc=dc: world.consul(dc.name).token(held.tokens[name].reveal()) is None, "a token that is gone"
        )
