"""Ways to break a path, one at a time: what is done, what a trace must call it, and at which hop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from os import kill

from tracing import impostor
from tracing.workload import PORT, SIDECAR_PORT, Upstream
from tracing.world import World, envoy_at, envoy_of

from meshkit.lab import wan

Break = Callable[[World], AbstractContextManager[None]]


@dataclass(frozen=True)
class Breakage:
    """``verdict`` is degraded where the request still passes. ``beside`` is a code that must be among the rest."""

    name: str
    code: str
    hop: str
    break_it: Break
    verdict: str = "broken"


BREAKAGES: list[Breakage] = []


def breakage(code: str, hop: str, verdict: str = "broken") -> Callable[[Callable[[World], Iterator[None]]], Break]:
    """Enter a generator that breaks, yields and mends into the table, under its own name."""

    def enter(work: Callable[[World], Iterator[None]]) -> Break:
        @contextmanager
        def broken(world: World) -> Iterator[None]:
            steps = work(world)
            try:
                next(steps)
                yield
            finally:
                next(steps, None)

        BREAKAGES.append(Breakage(work.__name__, code, hop, broken, verdict))
        return broken

    return enter


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


@breakage("mtu_black_hole", "network", "any")
def black_hole(world: World) -> Iterator[None]:
    world.link(mtu=1000, mtu_blackhole=True)
    yield
    world.link(mtu=1500, mtu_blackhole=False)


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


@breakage("destination_not_registered", "lookup")
def not_registered(world: World) -> Iterator[None]:
    world.deregister()
    world.fails()
    yield
    world.register_all()


@breakage("wrong_port", "service")
def wrong_port(world: World) -> Iterator[None]:
    world.register(world.destination.service(Port=PORT + 5))
    world.register(world.destination.sidecar(LocalServicePort=PORT + 5))
    world.fails()
    yield
    world.register_all()


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


@breakage("sidecar_missing", "remote sidecar")
def sidecar_missing(world: World) -> Iterator[None]:
    world.deregister(f"{world.destination.name}-sidecar-proxy")
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


@breakage("upstream_missing", "lookup")
def upstream_missing(world: World) -> Iterator[None]:
    other = replace(world.source, upstreams=[Upstream("elsewhere", world.destination.datacenter)])
    world.register(other.sidecar(), world.source.datacenter)
    world.fails()
    yield
    world.register(world.source.sidecar(), world.source.datacenter)


@breakage("subset_missing", "lookup")
def resolver_to_a_missing_subset(world: World) -> Iterator[None]:
    subset = {"v2": {"Filter": 'Service.Meta.version == "v2"'}}
    world.config("service-resolver", world.destination.name, DefaultSubset="v2", Subsets=subset)
    world.fails()
    yield
    world.no_config("service-resolver", world.destination.name)


@breakage("failover_dead", "lookup")
def failover_to_a_dead_datacenter(world: World) -> Iterator[None]:
    failover = {"*": {"Datacenters": [world.source.datacenter]}}
    world.config("service-resolver", world.destination.name, Failover=failover)
    world.deregister()
    world.fails()
    yield
    world.register_all()
    world.no_config("service-resolver", world.destination.name)


@breakage("packets_dropped", "remote sidecar")
def packets_to_the_sidecar_dropped(world: World) -> Iterator[None]:
    address = world.destination.address
    with world.dropped(address, "INPUT", "-p", "tcp", "--dport", str(SIDECAR_PORT)):
        yield


@breakage("packets_dropped", "source gateway")
def packets_to_the_source_gateway_dropped(world: World) -> Iterator[None]:
    pod = world.gateways(world.source.datacenter)[0]["status"]["podIP"]
    with world.dropped(pod, "INPUT", "-p", "tcp", "--dport", "8443"):
        yield


@breakage("service_address_dead", "remote gateway")
def kube_proxy_stopped(world: World) -> Iterator[None]:
    dc = world.destination.datacenter
    with world.frozen_proxy_rules(dc):
        world.scale(dc, 0)
        world.scale(dc, 1)
        yield


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


@breakage("source_sidecar_missing", "source sidecar")
def source_sidecar_missing(world: World) -> Iterator[None]:
    source = world.source
    world.consul(source.datacenter)._request(
        "put", "/v1/catalog/deregister", body={"Node": source.node, "ServiceID": f"{source.name}-sidecar-proxy"}
    )
    yield
    world.register(source.sidecar(), source.datacenter)


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


@breakage("xds_never_configured", "remote gateway")
def gateway_without_xds(world: World) -> Iterator[None]:
    dc = world.destination.datacenter
    address = world.gateways(dc)[0]["status"]["podIP"]
    with world.dropped(address, "INPUT", "-p", "tcp", "--sport", "8503"):
        kill(envoy_of(address), signal.SIGKILL)
        world.fails()
        yield
    world.kubectl(dc, "delete", "pod", "-l", "component=mesh-gateway", "--wait=false")


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
