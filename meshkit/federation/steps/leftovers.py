"""Leftovers: what of another Consul, or of an uninstall that did not end, the official chart would stumble over.

Helm refuses to take over objects that another release made, in the middle of installing. An injector waits a minute and
a half for a Lease that nobody renews; a webhook that points nowhere refuses every write; a definition in deletion takes
no new resource; servers on an old volume come up with the old keys. ``preflight`` looks at all of this before
anything is touched: what holds nobody's data is taken away when it acts, all else is refused with what to do.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from meshkit.backends.base import Kube, Manifest, Ref
from meshkit.consul.names import CONSUL_RELEASE, SERVER_SELECTOR
from meshkit.consul.values import at
from meshkit.errors import ForbiddenError, MeshkitError
from meshkit.events import Note, Progress
from meshkit.federation import controller, custom_resources, uninstall
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.federation.custom_resources import GATEWAY_GROUP, Definition
from meshkit.federation.objects import FEDERATION_CONFIGMAP
from meshkit.kubernetes import kubectl
from meshkit.model import Datacenter

TASK = "preflight"
UNRELEASED_GATEWAY_KINDS = "tcproutes"
"""The one kind of the Gateway API that the chart brings when told to leave the standard ones alone."""

SHOWN = 3


@dataclass(frozen=True)
class Webhook:
    """One configuration of an injector's; ``service`` says where it points, and ``answers`` whether that is there."""

    ref: Ref
    release: str
    service: str
    answers: bool


@dataclass(frozen=True)
class Leftovers:
    """One cluster as seen. ``installed``: Helm has Consul's release; ``federated``: it has meshkit's marker.

    ``data`` are volume claims and secrets of a Consul, ``lease`` who holds the injectors' Lease, ``resources`` how many
    custom resources there are of Consul's kinds, ``rest`` what hooks made.
    """

    datacenter: Datacenter
    installed: bool
    federated: bool
    definitions: tuple[Definition, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    data: tuple[str, ...] = ()
    lease: str | None = None
    resources: int = 0
    rest: int = 0

    @property
    def release(self) -> str:
        """Consul's release as it is to be, namespace/name."""
        return f"{self.datacenter.namespace}/{CONSUL_RELEASE}"

    @property
    def stuck(self) -> tuple[str, ...]:
        """Definitions of this release that are in deletion, with no release left to end it."""
        return tuple(d.name for d in self.definitions if d.going and d.release == self.release and not self.installed)

    @property
    def dangling(self) -> tuple[Webhook, ...]:
        """Webhooks that point nowhere, and are of this release or of none that is known."""
        return tuple(hook for hook in self.webhooks if not hook.answers and hook.release in (self.release, ""))


def observe(context: Context, datacenter: Datacenter) -> Leftovers | None:
    """Read all of it; None where these credentials may not, which preflight reports as permissions."""

    def installed() -> bool:
        return context.helm(datacenter.name).release(CONSUL_RELEASE, datacenter.namespace) is not None

    return look(context.kube[datacenter.name], datacenter, installed)


def look(kube: Kube, datacenter: Datacenter, installed: Callable[[], bool]) -> Leftovers | None:
    """The same for whoever knows by other means whether Helm has Consul's release."""
    namespace, release = datacenter.namespace, f"{datacenter.namespace}/{CONSUL_RELEASE}"
    try:
        known = custom_resources.definitions(kube)
        lease = kube.get(Ref("Lease", controller.LOCK, namespace))
        return Leftovers(
            datacenter,
            installed=installed(),
            federated=kube.get(Ref("ConfigMap", FEDERATION_CONFIGMAP, namespace)) is not None,
            definitions=known,
            webhooks=tuple(_webhooks(kube)),
            data=tuple(data(kube, namespace)),
            lease=str((lease.get("spec") or {}).get("holderIdentity") or "") if lease else None,
            resources=sum(not custom.going for custom in custom_resources.hanging(kube, known, {release})),
            rest=sum(1 for kind in uninstall.LEFT_BY_HOOKS for _ in _of_chart(kube, kind, namespace)),
        )
    except ForbiddenError:
        return None


def data(kube: Kube, namespace: str) -> Iterator[str]:
    """Volume claims of Consul's servers, and Secrets that the chart's programs made, as kind/name."""
    for kind, selector in (("PersistentVolumeClaim", SERVER_SELECTOR), ("Secret", uninstall.BY_CONTROL_PLANE)):
        for item in kube.list(kind, namespace, selector=selector):
            yield f"{kind.lower()}/{item['metadata']['name']}"


def judge(found: Leftovers) -> Iterator[MeshkitError]:
    """What can't be taken away without asking."""
    yield from _others_definitions(found)
    yield from _gateway_definitions(found)
    yield from _others_webhooks(found)
    if found.data and not found.installed and not found.federated:
        ours = kubectl(found.datacenter.context, found.datacenter.namespace)
        yield MeshkitError(
            f"{found.datacenter.name}: an earlier Consul has left its data: {uninstall.listed(found.data, SHOWN)}",
            hint=f"servers would come up with it, and its keys; when nobody needs it: {ours} delete "
            + " ".join(found.data),
        )


def mending(found: Leftovers) -> Iterator[Change]:
    """What acting takes away: nobody's data is in it, and nobody uses it."""
    where = found.datacenter.name
    if found.stuck:
        text = f"{len(found.stuck)} definitions of Consul's kinds"
        yield Change("delete", text, where, "an uninstall that did not end left them in deletion")
    for hook in found.dangling:
        yield Change("delete", str(hook.ref), where, f"it points to {hook.service}, which is not there")
    if not found.installed and found.lease is not None:
        yield Change("delete", f"lease {controller.LOCK}", where, f"left over, held by {found.lease or 'nobody'}")
    if not found.installed and found.rest:
        yield Change("delete", f"{found.rest} objects of the chart's hooks", where, "no release is there")


def notes(found: Leftovers) -> Iterator[Note]:
    """What stays and is worth knowing."""
    if found.resources and not found.installed and not found.stuck:
        text = f"{found.resources} custom resources of an earlier Consul are there, and will be this one's"
        yield Note(text, found.datacenter.name)


def mend(context: Context, found: Leftovers) -> None:
    """Take away what ``mending`` names."""
    dc, kube = found.datacenter, context.kube[found.datacenter.name]
    for change in mending(found):
        context.observe(Progress(TASK, f"{change.what} is taken away", dc.name))
    for hook in found.dangling:
        kube.delete(hook.ref)
    if found.stuck:
        uninstall.force(context, dc, stuck=True)
        context.wait(TASK, dc.name, lambda: _still_there(kube, found.stuck), timeout_s=uninstall.FORCED_S)
    if not found.installed:
        kube.delete(Ref("Lease", controller.LOCK, dc.namespace))
        for kind in uninstall.LEFT_BY_HOOKS:
            for item in _of_chart(kube, kind, dc.namespace):
                kube.delete(Ref(kind, item["metadata"]["name"], dc.namespace))


def _others_definitions(found: Leftovers) -> Iterator[MeshkitError]:
    """Helm installs over definitions of its own release alone."""
    others: dict[str, list[str]] = {}
    for definition in found.definitions:
        if definition.is_consuls and definition.release != found.release:
            others.setdefault(definition.release, []).append(definition.name)
    for release, names in others.items():
        if release:
            namespace, _, name = release.partition("/")
            yield MeshkitError(
                f"{found.datacenter.name}: the definitions of Consul's kinds are another Consul's: "
                f"helm release {name} in namespace {namespace}",
                hint="there is one Consul in a cluster: federate another, or uninstall that one: "
                f"helm --kube-context {shlex.quote(found.datacenter.context)} -n {namespace} uninstall {name}",
            )
        else:
            yield MeshkitError(
                f"{found.datacenter.name}: definitions of Consul's kinds are there that Helm did not make: "
                f"{uninstall.listed(names, SHOWN)}",
                hint="helm would refuse them; when nobody needs them and what is of their kind: "
                f"{kubectl(found.datacenter.context)} delete crd {' '.join(names)}",
            )


def _gateway_definitions(found: Leftovers) -> Iterator[MeshkitError]:
    """GKE and other controllers bring the Gateway API's kinds themselves; the chart is to leave them alone then."""
    foreign = [d.name for d in found.definitions if d.group == GATEWAY_GROUP and d.release != found.release]
    if at(found.datacenter.values, "connectInject.apiGateway.manageExternalCRDs") is False:
        own = bool(at(found.datacenter.values, "connectInject.apiGateway.manageNonStandardCRDs"))
        foreign = [name for name in foreign if own and name.startswith(f"{UNRELEASED_GATEWAY_KINDS}.")]
    if foreign:
        has_routes = any(name.startswith(f"{UNRELEASED_GATEWAY_KINDS}.") for name in foreign)
        wanted = f"manageExternalCRDs: false, manageNonStandardCRDs: {str(not has_routes).lower()}"
        yield MeshkitError(
            f"{found.datacenter.name}: definitions of the Gateway API are there that Consul's release did not make: "
            f"{uninstall.listed(foreign, SHOWN)}",
            hint=f"leave them to who made them, in the values of {found.datacenter.name}: "
            f"{{connectInject: {{apiGateway: {{{wanted}}}}}}}",
        )


def _others_webhooks(found: Leftovers) -> Iterator[MeshkitError]:
    for hook in found.webhooks:
        if hook in found.dangling or hook.release == found.release:
            continue
        whose = f"helm release {hook.release}" if hook.release else hook.service
        yield MeshkitError(
            f"{found.datacenter.name}: {hook.ref} is another Consul's: {whose}",
            hint="uninstall that one first, or, when it is gone: "
            f"{kubectl(found.datacenter.context)} delete {hook.ref.kind.lower()} {hook.ref.name}",
        )


def _webhooks(kube: Kube) -> Iterator[Webhook]:
    for kind in uninstall.WEBHOOKS:
        found = kube.get(Ref(kind, controller.INJECTOR))
        if found:
            service = _service(found)
            there = service is None or kube.get(service) is not None
            shown = f"service {service.namespace}/{service.name}" if service else "no service of this cluster"
            yield Webhook(Ref(kind, controller.INJECTOR), custom_resources.release_of(found), shown, there)


def _service(webhooks: Manifest) -> Ref | None:
    for hook in webhooks.get("webhooks") or ():
        service = (hook.get("clientConfig") or {}).get("service")
        if service:
            return Ref("Service", service["name"], service["namespace"])
    return None


def _of_chart(kube: Kube, kind: str, namespace: str) -> Iterator[Manifest]:
    yield from kube.list(kind, namespace, selector=uninstall.OF_CHART)


def _still_there(kube: Kube, names: tuple[str, ...]) -> str:
    left = [name for name in names if kube.get(Ref(custom_resources.DEFINITION, name))]
    return f"still there: {uninstall.listed(left, SHOWN)}" if left else ""
