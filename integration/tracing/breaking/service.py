"""The service itself."""

from __future__ import annotations

from collections.abc import Iterator

from tracing.breaking.breakage import breakage
from tracing.workload import PORT
from tracing.world import World


@breakage("wrong_port", "service")
def wrong_port(world: World) -> Iterator[None]:
    world.register(world.destination.service(Port=PORT + 5))
    world.register(world.destination.sidecar(LocalServicePort=PORT + 5))
    world.fails()
    yield
    world.register_all()


@breakage("wrong_port", "service")
def service_elsewhere(world: World) -> Iterator[None]:
    world.switch("elsewhere")
    world.fails()
    yield
    world.switch("")


@breakage("service_not_on_loopback", "service")
def service_on_the_pods_address(world: World) -> Iterator[None]:
    world.switch("pod")
    world.fails()
    yield
    world.switch("")


@breakage("service_loopback_only", "service")
def service_on_loopback_only(world: World) -> Iterator[None]:
    world.register(world.destination.sidecar(LocalServiceAddress=world.destination.address))
    world.fails()
    yield
    world.register_all()


@breakage("service_not_listening", "service")
def service_not_listening(world: World) -> Iterator[None]:
    world.switch("silent")
    world.fails()
    yield
    world.switch("")


@breakage("service_not_listening", "service")
def service_crashes(world: World) -> Iterator[None]:
    world.kill_until_pause(world.destination, "service", "python3 -c")
    yield


@breakage("service_slow", "service")
def slower_than_the_route_allows(world: World) -> Iterator[None]:
    """Envoy gives it up before the source does."""
    there = world.destination.name
    world.config("service-defaults", there, Protocol="http")
    routes = [{"Match": {"HTTP": {"PathPrefix": "/"}}, "Destination": {"RequestTimeout": "1s"}}]
    world.config("service-router", there, Routes=routes)
    world.configured(world.source, '"timeout": "1s"')
    world.mends()  # the destination's Envoy goes from TCP to HTTP by itself
    world.switch("slow")
    yield
    world.switch("")
    world.no_config("service-router", there)
    world.no_config("service-defaults", there)


@breakage("service_closes", "service")
def service_closes(world: World) -> Iterator[None]:
    world.switch("close")
    yield
    world.switch("")


@breakage("service_slow", "service")
def service_slow(world: World) -> Iterator[None]:
    world.switch("slow")
    yield
    world.switch("")


@breakage("service_errors", "service")
def service_errors(world: World) -> Iterator[None]:
    world.switch("error")
    yield
    world.switch("")


@breakage("protocol_mismatch", "service")
def protocol_mismatch(world: World) -> Iterator[None]:
    world.config("service-defaults", world.destination.name, Protocol="grpc")
    world.fails()
    yield
    world.no_config("service-defaults", world.destination.name)
