"""What one cluster looks like before meshkit touches it: read by ``observe``, judged by ``preflight``.

Observing and judging are apart so that each rule of the judgement has a test that needs no cluster.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from meshkit.backends.base import Clock, Kube, Manifest, Permission, Ref
from meshkit.consul.names import GATEWAY_SERVICE, LEGAL_NAME, SERVER_SELECTOR
from meshkit.consul.resources import GROUP
from meshkit.consul.values import at
from meshkit.errors import ForbiddenError, MeshkitError
from meshkit.federation.capacity import Capacity, capacity
from meshkit.federation.objects import FEDERATION_CONFIGMAP
from meshkit.kubernetes import kubectl
from meshkit.model import LIGHT_CHART, Datacenter
from meshkit.platforms.catalogue import platform

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"

REVIEWS_AT_ONCE = 8
VERBS = ("get", "list", "create", "patch", "delete")


def needed_permissions(namespace: str, *, official: bool = False) -> tuple[Permission, ...]:
    """Everything that federate, leave and destroy will do, as the API server can be asked about it.

    The official chart has kinds, webhooks and roles of its own, for the whole cluster.
    """
    inside = {
        "": ("secrets", "configmaps", "services", "serviceaccounts"),
        "apps": ("statefulsets", "deployments"),
        "policy": ("poddisruptionbudgets",),
        "networking.k8s.io": ("networkpolicies",),
        "rbac.authorization.k8s.io": ("roles", "rolebindings"),
    }
    wanted = [
        Permission(verb, resource, group, namespace)
        for group, resources in inside.items()
        for resource in resources
        for verb in VERBS
    ]
    wanted += [Permission(verb, "persistentvolumeclaims", "", namespace) for verb in ("list", "delete")]
    wanted += [Permission(verb, "pods", "", namespace) for verb in ("get", "list")]
    # A WebSocket begins with a GET; API servers from 1.35 on ask for create as well.
    wanted += [Permission(verb, "pods/portforward", "", namespace) for verb in ("get", "create")]
    wanted += [Permission(verb, "namespaces") for verb in ("get", "create", "patch", "delete")]
    wanted += [
        Permission("update", "secrets", "", namespace),  # Helm writes its releases so
        Permission("get", "pods/log", "", namespace),
        Permission("get", "pods/proxy", "", namespace),
        Permission("list", "events", "", namespace),
        Permission("list", "cronjobs", "batch", namespace),
        # Nobody may grant what he may not do himself: these are the probe agent's.
        Permission("update", "configmaps", "", namespace),
        Permission("list", "services"),
        Permission("list", "nodes"),
        Permission("list", "storageclasses", "storage.k8s.io"),
        Permission("list", "statefulsets", "apps"),
    ]
    return (*wanted, *(_for_official_chart(namespace) if official else ()))


def _for_official_chart(namespace: str) -> Iterator[Permission]:
    everywhere = {
        "apiextensions.k8s.io": ("customresourcedefinitions",),
        "admissionregistration.k8s.io": ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
        "rbac.authorization.k8s.io": ("clusterroles", "clusterrolebindings"),
        GROUP: ("*",),  # users' own resources of any of Consul's kinds go before the release does
    }
    for group, resources in everywhere.items():
        for resource in resources:
            yield from (Permission(verb, resource, group) for verb in VERBS)
    yield from (Permission(verb, "leases", "coordination.k8s.io", namespace) for verb in ("get", "delete"))
    yield from (Permission(verb, "jobs", "batch", namespace) for verb in VERBS)


@dataclass(frozen=True)
class Marker:
    """The ConfigMap by which a cluster knows its federation; ``layout`` has no contexts, ``chart`` is its kind."""

    federation_id: str
    federation: str
    datacenter: str
    ca_fingerprint: str
    layout: tuple[Datacenter, ...] = ()
    chart: str = LIGHT_CHART
    chart_version: str = ""
    gitops: bool = False


@dataclass(frozen=True)
class ClusterFacts:
    """One cluster as seen; ``skew_s`` is its clock minus this machine's, in seconds.

    ``storage_class`` is the one the servers' volumes would get, empty when there is none; ``lives_in`` is another
    namespace that carries a marker of meshkit's. ``served``: some Service has a load balancer's address, ``_seen``: or
    the nodes come from a cloud. ``port_holders`` are Services that have the gateway's port at a load balancer already,
    ``platform_refused`` is what the official chart may not create here. ``has_servers``: Consul's are in the namespace.
    """

    datacenter: str
    version: str
    uid: str
    skew_s: float
    context: str = ""
    refused: tuple[Permission, ...] = ()
    storage_class: str = ""
    wanted_storage_class: str = ""
    served: bool = False
    load_balancer_seen: bool = False
    platform: str = ""
    capacity: Capacity = field(default_factory=Capacity)
    port_holders: tuple[str, ...] = ()
    platform_refused: tuple[str, ...] = ()
    namespace_phase: str = ""
    foreign_consul: tuple[str, ...] = ()
    has_servers: bool = False
    lives_in: str = ""
    marker: Marker | None = None


def observe(kube: Kube, datacenter: Datacenter, clock: Clock, *, official: bool = False) -> ClusterFacts:
    """Read everything preflight judges. Raises what the backend raises when the API server gives no answer."""
    version = kube.version()
    skew = (kube.clock() - clock.now()).total_seconds()
    namespace = datacenter.namespace
    refused = _refused(kube, needed_permissions(namespace, official=official))
    unreadable = {p.resource for p in refused if p.verb in ("get", "list")}
    readable = not unreadable & {"namespaces", "configmaps", "storageclasses", "statefulsets", "services", "nodes"}
    system = None if "namespaces" in unreadable else kube.get(Ref("Namespace", "kube-system"))
    uid = str(system["metadata"]["uid"]) if system else ""
    facts = ClusterFacts(datacenter.name, version, uid, skew, datacenter.context, refused, platform=datacenter.platform)
    return _with_objects(facts, kube, datacenter) if readable else facts


def _refused(kube: Kube, needed: Sequence[Permission]) -> tuple[Permission, ...]:
    """The needed permissions that these credentials lack; asked side by side, since a review costs a round trip."""
    with ThreadPoolExecutor(REVIEWS_AT_ONCE) as pool:
        return tuple(p for p, allowed in zip(needed, pool.map(kube.can, needed), strict=True) if not allowed)


def _with_objects(facts: ClusterFacts, kube: Kube, datacenter: Datacenter) -> ClusterFacts:
    """The part that needs permission to read."""
    namespace = datacenter.namespace
    found = kube.get(Ref("Namespace", namespace))
    marker = read_marker(kube, namespace)
    servers = kube.list("StatefulSet", selector=SERVER_SELECTOR)
    elsewhere = {s["metadata"]["namespace"] for s in servers} - {namespace}
    marked = next((place for place in sorted(elsewhere) if _is_marked(kube, place)), "")
    wanted = str(at(datacenter.values, "server.storageClass") or "")
    nodes, services = kube.list("Node"), kube.list("Service")
    served = any((s.get("status", {}).get("loadBalancer") or {}).get("ingress") for s in services)
    return replace(
        facts,
        storage_class=_storage_class(kube.list("StorageClass"), wanted),
        wanted_storage_class=wanted,
        served=served,
        load_balancer_seen=served or any(node["spec"].get("providerID") for node in nodes),
        capacity=capacity(nodes, kube.api_groups()),
        port_holders=_port_holders(services, datacenter),
        platform_refused=_platform_refused(kube, datacenter),
        namespace_phase=found["status"]["phase"] if found else "",
        foreign_consul=_foreign(servers, {namespace if marker else "", marked}),
        has_servers=any(s["metadata"]["namespace"] == namespace for s in servers),
        lives_in=marked,
        marker=marker,
    )


def _is_marked(kube: Kube, namespace: str) -> bool:
    """Whether another namespace is meshkit's, as far as these credentials, which need not reach there, can see."""
    try:
        return kube.get(Ref("ConfigMap", FEDERATION_CONFIGMAP, namespace)) is not None
    except ForbiddenError:
        return False


def read_marker(kube: Kube, namespace: str) -> Marker | None:
    """The cluster's federation, None when it has none."""
    found = kube.get(Ref("ConfigMap", FEDERATION_CONFIGMAP, namespace))
    if found is None:
        return None
    try:
        described = json.loads(found["data"]["federation.json"])
        layout = tuple(Datacenter.of({"context": "", **entry}) for entry in described["datacenters"])
        _require_legal(described["name"], described["datacenter"], *(dc.name for dc in layout))
        return Marker(
            federation_id=described["id"],
            federation=described["name"],
            datacenter=described["datacenter"],
            ca_fingerprint=described["ca_fingerprint"],
            layout=layout,
            chart=str(described.get("chart", LIGHT_CHART)),  # older markers do not say
            chart_version=str(described.get("chart_version", "")),
            gitops=bool(described.get("gitops")),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise MeshkitError(
            f"{kube.context}: configmap {FEDERATION_CONFIGMAP} is damaged",
            hint=f"{kubectl(kube.context, namespace)} describe configmap {FEDERATION_CONFIGMAP}",
        ) from error


def _require_legal(*names: str) -> None:
    """Names become parts of paths here; a ConfigMap's word is not taken for them."""
    for name in names:
        if not LEGAL_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a legal name")


def _storage_class(classes: Sequence[Manifest], wanted: str) -> str:
    """The class that is asked for, or the default one where none is; empty when it is not there."""
    for entry in classes:
        name = str(entry["metadata"]["name"])
        annotations = entry["metadata"].get("annotations") or {}
        if name == wanted or (not wanted and annotations.get(DEFAULT_CLASS) == "true"):
            return name
    return ""


def _port_holders(services: Sequence[Manifest], datacenter: Datacenter) -> tuple[str, ...]:
    """Services of others that ask a load balancer for the gateway's port, as namespace/name."""
    places = (
        (s["metadata"]["namespace"], s["metadata"]["name"])
        for s in services
        if s["spec"].get("type") == "LoadBalancer"
        and any(port.get("port") == datacenter.gateway_port for port in s["spec"].get("ports") or ())
    )
    return tuple(f"{n}/{name}" for n, name in places if (n, name) != (datacenter.namespace, GATEWAY_SERVICE))


def _platform_refused(kube: Kube, datacenter: Datacenter) -> tuple[str, ...]:
    """What the platform asks of the official chart beside the usual, as far as these credentials may not create it."""
    found = platform(datacenter.platform)
    wanted = (name.partition(".") for name in (found.permissions if found else ()))
    pairs = ((resource, group) for resource, _, group in wanted)
    return tuple(f"{r}.{g}" for r, g in pairs if not kube.can(Permission("create", r, g)))


def _foreign(servers: Sequence[Manifest], ours: set[str]) -> tuple[str, ...]:
    """Consul servers outside the namespaces that carry a marker of meshkit's, as namespace/name."""
    places = ((s["metadata"]["namespace"], s["metadata"]["name"]) for s in servers)
    return tuple(f"{namespace}/{name}" for namespace, name in places if namespace not in ours)
