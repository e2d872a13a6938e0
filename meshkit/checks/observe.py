"""One look at a federation: every cluster at the same time, nothing judged, nothing raised.

What can't be seen is part of the answer (``error``, ``consul_error``, ``LinkState.reason``), so that one dead cluster
never hides the state of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from meshkit.backends.base import Clock, Consul, Kube, Ref
from meshkit.checks.observe_consul import consul_state, unhealthy
from meshkit.consul import gateway
from meshkit.consul.names import CA, GATEWAY, GATEWAY_SERVICE, SERVER_CERT, SERVER_SELECTOR
from meshkit.errors import MeshkitError
from meshkit.kubernetes import is_ready, secret_text
from meshkit.model import (
    CertificateState,
    Datacenter,
    DatacenterState,
    Federation,
    FederationState,
    GatewayState,
    LinkState,
    ServerState,
)
from meshkit.pki import inspect

Drift = Callable[[Datacenter], tuple[str, ...]]


class Sources(Protocol):
    """Where to look; ``federation.context.Context`` is one."""

    @property
    def federation(self) -> Federation:
        """What is looked at."""
        ...

    @property
    def kube(self) -> Mapping[str, Kube]:
        """One Kubernetes client per datacenter."""
        ...

    @property
    def consul(self) -> Callable[[str], Consul]:
        """Opens a datacenter's Consul."""
        ...

    @property
    def clock(self) -> Clock:
        """This machine's time."""
        ...

    @property
    def resolve(self) -> Callable[[str], tuple[str, ...]]:
        """A name's addresses, as this machine sees them."""
        ...


def observe(sources: Sources, drift: Drift = lambda _: ()) -> FederationState:
    """Look at everything once. ``drift`` says how a datacenter differs from its description."""
    federation = sources.federation
    with ThreadPoolExecutor(2 * len(federation.datacenters)) as pool:
        seen = tuple(pool.map(lambda dc: _datacenter(sources, dc, drift), federation.datacenters))
        states = {state.name: state for state in seen}
        links = pool.map(lambda pair: _link(sources, states[pair[0].name], states[pair[1].name]), federation.pairs)
        return FederationState(federation.name, sources.clock.now(), seen, tuple(links))


def _datacenter(sources: Sources, dc: Datacenter, drift: Drift) -> DatacenterState:
    blank = DatacenterState(dc.name, dc.context, dc.primary, dc.namespace)
    try:
        state = replace(_cluster(sources, blank, dc), drift=_drift(dc, drift))
    except MeshkitError as error:
        return replace(blank, error=error.message)
    try:
        names = [other.name for other in sources.federation.datacenters]
        return replace(state, consul=consul_state(sources.consul(dc.name), dc, names))
    except MeshkitError as error:
        return replace(state, consul_error=error.message)


def _drift(dc: Datacenter, drift: Drift) -> tuple[str, ...]:
    """A comparison that fails (no helm, or one that is slow) says nothing of the cluster, which was seen."""
    try:
        return drift(dc)
    except MeshkitError as error:
        return (f"can't be compared with its description: {error.message}",)


def _cluster(sources: Sources, blank: DatacenterState, dc: Datacenter) -> DatacenterState:
    kube, now = sources.kube[dc.name], sources.clock.now()
    skew = kube.clock() - now
    return replace(
        blank,
        version=kube.version(),
        skew_s=skew.total_seconds(),
        servers=_servers(kube, dc),
        gateway=_gateway(sources, kube, dc),
        certificates=tuple(_certificates(kube, dc, now)),
    )


def _link(sources: Sources, source: DatacenterState, target: DatacenterState) -> LinkState:
    """Through the source's own servers: what they see of the target is what traffic from there meets."""
    blocked = source.error or source.consul_error or target.error
    if blocked:
        return LinkState(source.name, target.name, healthy=False, reason=blocked)
    try:
        reason = unhealthy(sources.consul(source.name), target)
    except MeshkitError as error:
        reason = error.message
    return LinkState(source.name, target.name, healthy=not reason, reason=reason)


def _servers(kube: Kube, dc: Datacenter) -> tuple[ServerState, ...]:
    found = kube.list("Pod", dc.namespace, selector=SERVER_SELECTOR)
    return tuple(
        ServerState(pod["metadata"]["name"], str(pod.get("status", {}).get("podIP", "")), is_ready(pod))
        for pod in sorted(found, key=lambda pod: str(pod["metadata"]["name"]))
    )


def _gateway(sources: Sources, kube: Kube, dc: Datacenter) -> GatewayState:
    service = kube.get(Ref("Service", GATEWAY_SERVICE, dc.namespace))
    deployment = kube.get(Ref("Deployment", GATEWAY, dc.namespace)) or {"spec": {}, "status": {}}
    address = gateway.address(dc, service)
    return GatewayState(
        address,
        dc.gateway_port,
        deployment.get("status", {}).get("readyReplicas", 0),
        deployment["spec"].get("replicas", 0),
        sources.resolve(address) if gateway.is_hostname(address) else (address,) if address else (),
    )


def _certificates(kube: Kube, dc: Datacenter, now: datetime) -> Iterator[CertificateState]:
    """The CA and the server certificate as the cluster holds them."""
    found = {name: secret_text(kube.get(Ref("Secret", name, dc.namespace)), "tls.crt") for name in (CA, SERVER_CERT)}
    for name, pem in found.items():
        if pem:
            info = inspect.inspect(pem)
            faults = tuple(inspect.faults(pem, info.sans, found[CA], now)) if name == SERVER_CERT else ()
            yield CertificateState(name, info.not_before, info.not_after, info.fingerprint, faults)
