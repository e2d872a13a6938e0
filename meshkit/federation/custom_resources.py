"""The custom resources of a cluster that hang on its Consul: all of Consul's own kinds, its Gateways and their routes.

Kinds are read from their definitions, so those of another chart version are found too. The chart's definitions are
templates: Helm deletes them with the release, and with each definition all that is of its kind, whoever made it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from meshkit.backends.base import Kube, Manifest, Ref
from meshkit.consul.names import CONSUL_RELEASE
from meshkit.consul.resources import GROUP
from meshkit.errors import NotFoundError
from meshkit.federation.objects import MANAGED

DEFINITION = "CustomResourceDefinition"
GATEWAY_GROUP = "gateway.networking.k8s.io"
GATEWAY_CONTROLLER = f"{GROUP}/gateway-controller"
RELEASE_NAME, RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
BY_CHART = {"release": CONSUL_RELEASE, "component": "api-gateway"}
"""Labels of the two that a job of the chart makes: the class ``consul`` and its configuration."""


@dataclass(frozen=True)
class Definition:
    """One kind beyond Kubernetes' own; ``release`` is Helm's, as namespace/name, empty when Helm did not make it."""

    name: str
    group: str
    kind: str
    path: str
    release: str
    going: bool

    @property
    def is_consuls(self) -> bool:
        """Whether the kind is Consul's own."""
        return self.group == GROUP or self.group.endswith(f".{GROUP}")


@dataclass(frozen=True)
class Custom:
    """One object of such a kind. ``ours`` are meshkit's and the chart's own; the others are somebody's.

    What ``stays`` is only to lose Consul's finalizer.
    """

    ref: Ref
    kind: str
    finalizers: tuple[str, ...]
    going: bool
    ours: bool
    stays: bool = False

    @property
    def others_finalizers(self) -> tuple[str, ...]:
        """Those that are not Consul's."""
        return tuple(name for name in self.finalizers if not name.endswith(GROUP))

    def __str__(self) -> str:
        """As a person names it."""
        where = f"{self.ref.namespace}/" if self.ref.namespace else ""
        return f"{self.kind.lower()} {where}{self.ref.name}"


def definitions(kube: Kube) -> tuple[Definition, ...]:
    """Every definition of Consul's and of the Gateway API."""
    found = (_definition(manifest) for manifest in kube.list(DEFINITION))
    return tuple(d for d in found if d.is_consuls or d.group == GATEWAY_GROUP)


def release_of(manifest: Manifest) -> str:
    """Helm's release that made an object, as namespace/name; empty when none did."""
    notes = manifest["metadata"].get("annotations") or {}
    return f"{notes.get(RELEASE_NAMESPACE, '')}/{notes[RELEASE_NAME]}" if notes.get(RELEASE_NAME) else ""


def hanging(kube: Kube, known: Sequence[Definition], releases: Collection[str]) -> Iterator[Custom]:
    """What has to go, or be let go, before these releases do.

    All that is of their kinds goes. Of kinds of the Gateway API that outlive them, classes and Gateways that their
    Consul serves go too; a route stays, since it may lead through another controller's Gateway as well.
    """
    classes = _classes(kube, known)
    for definition in known:
        goes = definition.release in releases
        if definition.group == GATEWAY_GROUP:
            goes = goes and bool(definition.release)  # without a release these may be anybody's
        elif not goes:
            continue
        for item in _list(kube, definition.path):
            custom = _custom(definition, item)
            if goes or classes.get(_class(definition, item)) == GATEWAY_CONTROLLER:
                yield custom
            elif custom.others_finalizers != custom.finalizers:
                yield replace(custom, stays=True)


def foreign(kube: Kube, known: Sequence[Definition], releases: Collection[str]) -> tuple[str, ...]:
    """Gateway classes of other controllers whose kind these releases would take along."""
    if not any(d.group == GATEWAY_GROUP and d.release in releases for d in known):
        return ()
    return tuple(name for name, who in _classes(kube, known).items() if who != GATEWAY_CONTROLLER)


def _classes(kube: Kube, known: Sequence[Definition]) -> dict[str, str]:
    """The controllers of all gateway classes, by class."""
    paths = [d.path for d in known if d.kind == "GatewayClass" and d.group == GATEWAY_GROUP]
    items = [item for path in paths for item in _list(kube, path)]
    return {item["metadata"]["name"]: (item.get("spec") or {}).get("controllerName", "") for item in items}


def _class(definition: Definition, item: Manifest) -> str:
    """The gateway class that an object is, or is of; empty for what is neither class nor Gateway."""
    if definition.kind == "GatewayClass":
        return str(item["metadata"]["name"])
    return str((item.get("spec") or {}).get("gatewayClassName", "")) if definition.kind == "Gateway" else ""


def _list(kube: Kube, path: str) -> Sequence[Manifest]:
    """The objects of a kind, none when its definition has gone meanwhile."""
    try:
        return kube.list(path)
    except NotFoundError:
        return ()


def _custom(definition: Definition, item: Manifest) -> Custom:
    meta = item["metadata"]
    labels = (meta.get("labels") or {}).items()
    return Custom(
        Ref(definition.path, meta["name"], meta.get("namespace", "")),
        definition.kind,
        tuple(meta.get("finalizers") or ()),
        bool(meta.get("deletionTimestamp")),
        MANAGED.items() <= labels or BY_CHART.items() <= labels,
    )


def _definition(manifest: Manifest) -> Definition:
    spec, meta = manifest["spec"], manifest["metadata"]
    version = next((v["name"] for v in spec["versions"] if v.get("storage")), spec["versions"][0]["name"])
    plural, group = spec["names"]["plural"], spec["group"]
    return Definition(
        meta["name"],
        group,
        spec["names"]["kind"],
        f"{plural}.{version}.{group}",
        release_of(manifest),
        bool(meta.get("deletionTimestamp")),
    )
