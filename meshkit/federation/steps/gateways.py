"""Gateways: meshkit's own load balancer Service per cluster, and its address.

The address is known before Consul is installed, so every datacenter can be installed at the same time, and it stays
the same through upgrades and reinstalls of the chart. A hostname is waited for until it resolves: load balancers tell
theirs a minute or two before it is in the DNS, and whoever asks too early remembers for a while that it is not there.

The official chart calls a gateway ready at least 10 s after it is, and a secondary can set up nothing before it reaches
the primary's. So while there is no ready gateway that could lose traffic, the Service leads to one that is not ready
yet. Afterwards it does not: a gateway that is replaced must not be asked before its Envoy listens.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.backends.base import Kube, Manifest, Ref
from meshkit.consul import gateway
from meshkit.consul.names import GATEWAY, GATEWAY_SERVICE
from meshkit.errors import DeadlineError, MeshkitError
from meshkit.events import Note
from meshkit.federation import objects
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.kubernetes import kubectl
from meshkit.model import Datacenter
from meshkit.platforms.catalogue import catalogue

TASK = "gateways"
ADDRESS_TIMEOUT_S = 300.0
"""Cloud load balancers take 1 to 3 minutes; one that has none after five is not coming."""

EVENTS_SHOWN = 5


def plan(context: Context) -> tuple[Change, ...]:
    """Services that are missing, different or without an address."""
    found = context.each(lambda dc: difference(context, dc))
    return tuple(change for change in found.values() if change)


def act(context: Context) -> None:
    """Apply the Services and wait until each has an address."""
    context.each(lambda dc: _ensure(context, dc))


def stop_early(context: Context, datacenter: Datacenter) -> None:
    """Once gateways are ready, lead to those alone."""
    kube = context.kube[datacenter.name]
    found = kube.get(_ref(datacenter))
    if found and _is_early(found):
        kube.apply(objects.gateway_service(datacenter, found))


def difference(context: Context, datacenter: Datacenter) -> Change | None:
    """How a datacenter's Service differs, None when it is as it should be and has an address."""
    found = context.kube[datacenter.name].get(_ref(datacenter))
    what = f"service {GATEWAY_SERVICE}, port {datacenter.gateway_port}"
    if found is None:
        return Change("create", what, datacenter.name)
    if gateway.moves(datacenter, found):
        kind = "internal" if datacenter.gateway_internal else "public"
        return Change("replace", what, datacenter.name, f"a load balancer that is {kind} has another address")
    if _differs(context, datacenter, found):
        return Change("update", what, datacenter.name)
    if not gateway.address(datacenter, found):
        return Change("await", "address of the mesh gateway", datacenter.name)
    return None


def _differs(context: Context, datacenter: Datacenter, found: Manifest) -> bool:
    wanted = objects.gateway_service(datacenter, found)
    stale = _is_early(found) and not _wants_early(context, datacenter)
    return stale or objects.data_differs(wanted, found) or gateway.options_differ(datacenter, found)


def _is_early(service: Manifest) -> bool:
    return bool(service["spec"].get("publishNotReadyAddresses"))


def _wants_early(context: Context, datacenter: Datacenter) -> bool:
    if not context.federation.official:
        return False
    deployment = context.kube[datacenter.name].get(Ref("Deployment", GATEWAY, datacenter.namespace))
    return not (deployment and deployment.get("status", {}).get("availableReplicas"))


def _ensure(context: Context, datacenter: Datacenter) -> None:
    kube = context.kube[datacenter.name]
    found = kube.get(_ref(datacenter))
    if found and gateway.moves(datacenter, found):
        _remove(context, datacenter)
        found = None
    early = _wants_early(context, datacenter)
    if found is None or _is_early(found) != early or _differs(context, datacenter, found):
        kube.apply(objects.gateway_service(datacenter, found, early=early))
    _wait_for_address(context, datacenter)
    _wait_for_name(context, datacenter)


def _remove(context: Context, datacenter: Datacenter) -> None:
    """Wait for the Service's end: its finalizer holds it until the cloud has taken the load balancer away."""
    kube = context.kube[datacenter.name]
    kube.delete(_ref(datacenter))
    context.wait(
        TASK,
        datacenter.name,
        lambda: "the load balancer is still being taken away" if kube.get(_ref(datacenter)) else "",
        hint=_describe(datacenter),
    )


def _wait_for_address(context: Context, datacenter: Datacenter) -> None:
    """The Service's events are part of the error: clouds say there why an address does not come."""
    kube = context.kube[datacenter.name]
    try:
        context.wait(
            TASK,
            datacenter.name,
            lambda: "" if _address(kube, datacenter) else f"the load balancer has no {_answer(datacenter)} yet",
            timeout_s=min(context.timeout_s, ADDRESS_TIMEOUT_S),
            hint=f"{_describe(datacenter)}; a cluster without a cloud provider needs one such as MetalLB, or an "
            f"address of yours in mesh.yaml: datacenters.{datacenter.name}.gatewayAddress",
        )
    except DeadlineError as error:
        raise DeadlineError(error.message, hint=error.hint, detail="\n".join(_events(kube, datacenter))) from error


def _answer(datacenter: Datacenter) -> str:
    """What the load balancer here is known to answer with."""
    balancer = catalogue().load_balancers.get(datacenter.load_balancer)
    return balancer.answers if balancer else "address"


def _wait_for_name(context: Context, datacenter: Datacenter) -> None:
    """A load balancer's name must resolve; the user's own may be known inside the clusters alone."""
    name = _address(context.kube[datacenter.name], datacenter)
    if not gateway.is_hostname(name) or context.resolve(name):
        return
    if datacenter.gateway_address:
        context.observe(Note(f"{name} does not resolve on this machine; it must in the clusters", datacenter.name))
        return
    context.wait(
        TASK,
        datacenter.name,
        lambda: "" if context.resolve(name) else f"the load balancer's name {name} does not resolve yet",
        timeout_s=min(context.timeout_s, ADDRESS_TIMEOUT_S),
        hint="is the load balancer active in the cloud's console? does this machine ask a DNS server that knows it?",
    )


def _events(kube: Kube, datacenter: Datacenter) -> Iterator[str]:
    """What the cluster says about the Service, newest last; nothing where that can't be read."""
    about = f"involvedObject.kind=Service,involvedObject.name={GATEWAY_SERVICE}"
    try:
        found = kube.list("Event", datacenter.namespace, fields=about)
    except MeshkitError:
        return
    ordered = sorted(found, key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime") or ""))
    for event in ordered[-EVENTS_SHOWN:]:
        yield f"event {event.get('reason', '')}: {' '.join(str(event.get('message', '')).split())}"


def _address(kube: Kube, datacenter: Datacenter) -> str:
    return gateway.address(datacenter, kube.get(_ref(datacenter)))


def _describe(datacenter: Datacenter) -> str:
    return f"{kubectl(datacenter.context, datacenter.namespace)} describe service {GATEWAY_SERVICE}"


def _ref(datacenter: Datacenter) -> Ref:
    return Ref("Service", GATEWAY_SERVICE, datacenter.namespace)
