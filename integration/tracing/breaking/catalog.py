"""The catalog and what decides where a request goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tracing import workload
from tracing.breaking.breakage import breakage
from tracing.workload import Upstream
from tracing.world import World


@breakage("destination_not_registered", "lookup")
def not_registered(world: World) -> Iterator[None]:
    world.deregister()
    world.fails()
    yield
    world.register_all()


@breakage("sidecar_missing", "remote sidecar")
def sidecar_missing(world: World) -> Iterator[None]:
    world.deregister(f"{world.destination.name}-sidecar-proxy")
    world.fails()
    yield
    world.register_all()


@breakage("source_sidecar_missing", "source sidecar")
def source_sidecar_missing(world: World) -> Iterator[None]:
    source = world.source
    world.consul(source.datacenter)._request(
        "put", "/v1/catalog/deregister", body={"Node": source.node, "ServiceID": f"{source.name}-sidecar-proxy"}
    )
    yield
    world.register(source.sidecar(), source.datacenter)


@breakage("upstream_missing", "lookup")
def upstream_missing(world: World) -> Iterator[None]:
    other = replace(world.source, upstreams=[Upstream("elsewhere", world.destination.datacenter)])
    world.register(other.sidecar(), world.source.datacenter)
    world.fails()
    yield
    world.register(world.source.sidecar(), world.source.datacenter)


@breakage("health_critical", "service")
def health_critical(world: World) -> Iterator[None]:
    check = {"CheckID": "app", "Name": "app answers", "Status": "critical", "Output": "connection refused"}
    body = world.destination.service()
    sidecar = world.destination.sidecar()
    node = {"Node": body["Node"], "Address": body["Address"], "SkipNodeUpdate": True}
    for service in (body, sidecar):
        name = service["Service"]["ID"]
        world.register(node | {"Check": check | {"CheckID": f"app:{name}", "ServiceID": name}})
    world.fails()
    yield
    world.deregister()
    world.register_all()


@breakage("source_not_registered", "lookup")
def source_not_registered(world: World) -> Iterator[None]:
    source = world.source
    workload.deregister(world.context, source.datacenter, source.node)
    yield
    world.register(source.service(), source.datacenter)
    world.register(source.sidecar(), source.datacenter)


@breakage("redirect_dead", "lookup")
def splitter_to_nowhere(world: World) -> Iterator[None]:
    with _http(world):
        splits = [{"Weight": 100, "Service": "renamed"}]
        world.config("service-splitter", world.destination.name, Splits=splits)
        world.fails()
        yield
        world.no_config("service-splitter", world.destination.name)


@breakage("redirect_dead", "lookup")
def router_to_nowhere(world: World) -> Iterator[None]:
    with _http(world):
        routes = [{"Match": {"HTTP": {"PathPrefix": "/"}}, "Destination": {"Service": "renamed"}}]
        world.config("service-router", world.destination.name, Routes=routes)
        world.fails()
        yield
        world.no_config("service-router", world.destination.name)


@contextmanager
def _http(world: World) -> Iterator[None]:
    """The destination speaks HTTP, as splitters and routers want, and so does what they send to."""
    names = (world.destination.name, "renamed")
    for name in names:
        world.config("service-defaults", name, Protocol="http")
    yield
    for name in names:
        world.no_config("service-defaults", name)


@breakage("subset_missing", "lookup")
def resolver_to_a_missing_subset(world: World) -> Iterator[None]:
    subset = {"v2": {"Filter": 'Service.Meta.version == "v2"'}}
    world.config("service-resolver", world.destination.name, DefaultSubset="v2", Subsets=subset)
    world.fails()
    yield
    world.no_config("service-resolver", world.destination.name)


@breakage("redirect_dead", "lookup")
def redirect_to_nowhere(world: World) -> Iterator[None]:
    world.config("service-resolver", world.destination.name, Redirect={"Service": "renamed"})
    world.fails()
    yield
    world.no_config("service-resolver", world.destination.name)


@breakage("upstream_missing", "lookup")
def upstream_in_a_datacenter_that_is_not(world: World) -> Iterator[None]:
    other = replace(world.source, upstreams=[Upstream(world.destination.name, "nowhere")])
    world.register(other.sidecar(), world.source.datacenter)
    yield
    world.register(world.source.sidecar(), world.source.datacenter)


@breakage("failover_dead", "lookup")
def failover_to_a_dead_datacenter(world: World) -> Iterator[None]:
    failover = {"*": {"Datacenters": [world.source.datacenter]}}
    world.config("service-resolver", world.destination.name, Failover=failover)
    world.deregister()
    world.fails()
    yield
    world.register_all()
    world.no_config("service-resolver", world.destination.name)
