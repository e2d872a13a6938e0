"""Taking the official chart out of a cluster, in the order in which nothing gets stuck.

Custom resources go first, while the controller is there: it deletes their entries in Consul, which may be another
datacenter's, and then lets go of its finalizers. ``helm uninstall`` would take controller and definitions away
together, and a definition with a finalizer left in it never goes.

Where no controller lets go (it is not there, or Consul does not take its writes), the finalizers are taken away by
force, once the injector is gone for sure: the entries then go with Consul's volumes. Patching a finalizer is an update,
which asks the webhooks, whose failure policy is Fail, so their configurations go before; deleting asks none.
The release's hooks are left out: what they clean up is gone by then, and they need a pod to run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from meshkit.backends.base import Kube, Ref
from meshkit.consul.names import CONSUL_OBJECTS, CONSUL_RELEASE
from meshkit.errors import DeadlineError, MeshkitError, NotFoundError, UnreachableError
from meshkit.events import Note, Progress
from meshkit.federation import controller, custom_resources
from meshkit.federation.context import Context
from meshkit.federation.custom_resources import Custom
from meshkit.model import Datacenter

TASK = "remove"
LET_GO_S = 60.0
"""The controller tries again every 5 s at the latest, so this is a dozen tries."""

FORCED_S = 60.0
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
OF_CHART = f"app=consul,release={CONSUL_RELEASE}"
"""What hooks leave behind, since Helm does not delete what hooks made."""

BY_CONTROL_PLANE = "managed-by=consul-k8s"
"""Secrets that the chart's programs made while they ran."""

LEFT_BY_HOOKS = ("Job", "RoleBinding", "Role", "ServiceAccount")
SHOWN = 5


def theirs(context: Context, datacenters: Iterable[Datacenter]) -> dict[str, tuple[str, ...]]:
    """The custom resources that go and are neither meshkit's nor the chart's, by datacenter.

    A cluster that does not answer has none here: removing says what is wrong with it.
    """

    def found(dc: Datacenter) -> tuple[str, ...]:
        try:
            return tuple(str(custom) for custom in _hanging(context, dc) if not (custom.ours or custom.stays))
        except UnreachableError:
            return ()

    seen = context.each(found, datacenters) if context.federation.official else {}
    return {name: resources for name, resources in seen.items() if resources}


def announce(context: Context, datacenters: Iterable[Datacenter]) -> None:
    """Say before the question which custom resources of the user's own go too."""
    for name, found in theirs(context, datacenters).items():
        context.observe(Note(f"custom resources that meshkit did not make go too: {listed(found, SHOWN)}", name))


def refuse_foreign(context: Context, datacenters: Iterable[Datacenter]) -> None:
    """MeshkitError where Helm would delete what other controllers live by, before anything is touched."""

    def look(dc: Datacenter) -> None:
        kube = context.kube[dc.name]
        try:
            classes = custom_resources.foreign(kube, custom_resources.definitions(kube), {_release(dc)})
        except UnreachableError:
            return
        if classes:
            raise MeshkitError(
                f"{dc.name}: gateway classes of other controllers live by the definitions of Consul's release: "
                f"{', '.join(classes)}",
                hint="helm would delete them with all their Gateways and routes: delete them first, or keep the "
                "definitions (annotation helm.sh/resource-policy=keep) and federate with "
                "connectInject.apiGateway.manageExternalCRDs=false before this",
            )

    if context.federation.official:
        context.each(look, datacenters)


def let_go(context: Context, dc: Datacenter) -> None:
    """Delete the custom resources that hang on this datacenter's Consul, and return when it holds none any more."""
    kube = context.kube[dc.name]
    found = tuple(_hanging(context, dc))
    if not found:
        return
    context.observe(Progress(TASK, f"{len(found)} custom resources are let go", dc.name))
    for custom in found:
        if not (custom.going or custom.stays):
            kube.delete(custom.ref)
    if controller.is_available(kube, dc.namespace):
        try:
            context.wait(TASK, dc.name, lambda: _left(_hanging(context, dc)), timeout_s=LET_GO_S)
        except DeadlineError as error:
            context.observe(Note(f"finalizers are taken away by force ({error.message})", dc.name))
        else:
            return
    force(context, dc)


def force(context: Context, dc: Datacenter, *, stuck: bool = False) -> None:
    """Take Consul's finalizers away, with the controller gone for sure, and wait until what is being deleted is gone.

    ``stuck``: only what is of kinds whose definitions are being deleted.
    """
    kube = context.kube[dc.name]
    _remove_webhooks(kube, dc)
    _stop_controller(context, dc)

    def pending() -> str:
        found = tuple(_hanging(context, dc, stuck=stuck))
        for custom in found:
            _release_finalizers(kube, custom)
        return _left(found)

    hint = "finalizers of others hold them; their controllers have to let go"
    if context.federation.gitops:
        hint = "take them out of git: what keeps it would only bring them back"
    context.wait(TASK, dc.name, pending, timeout_s=FORCED_S, hint=hint)


def remove_rest(context: Context, dc: Datacenter) -> None:
    """What neither the release nor its hooks take along. Definitions may still be going, after a killed run."""
    kube, namespace = context.kube[dc.name], dc.namespace
    if any(definition.going for definition in _ours(kube, dc)):
        force(context, dc, stuck=True)
    _remove_webhooks(kube, dc)
    kube.delete(Ref("Lease", controller.LOCK, namespace))
    for ref in _rest(kube, namespace):
        kube.delete(ref)


def leftovers(kube: Kube, dc: Datacenter) -> Iterator[str]:
    """What of the official chart is still in a cluster."""
    yield from (f"{custom_resources.DEFINITION.lower()}/{definition.name}" for definition in _ours(kube, dc))
    yield from (str(ref) for ref in _rest(kube, dc.namespace))
    # Ending pods of any kind hold a namespace, and an injector renews its Lease to its end.
    for pod in kube.list("Pod", dc.namespace, selector=CONSUL_OBJECTS):
        yield f"pod/{pod['metadata']['name']}"
    if kube.get(Ref("Lease", controller.LOCK, dc.namespace)):
        yield f"lease/{controller.LOCK}"


def _rest(kube: Kube, namespace: str) -> Iterator[Ref]:
    for kind, selector in (*((kind, OF_CHART) for kind in LEFT_BY_HOOKS), ("Secret", BY_CONTROL_PLANE)):
        for found in kube.list(kind, namespace, selector=selector):
            yield Ref(kind, found["metadata"]["name"], namespace)


def _hanging(context: Context, dc: Datacenter, *, stuck: bool = False) -> Iterator[Custom]:
    kube = context.kube[dc.name]
    known = [definition for definition in custom_resources.definitions(kube) if definition.going or not stuck]
    # Argo CD renders charts, so that Helm's annotations are on nothing.
    releases = {_release(dc), ""} if context.federation.gitops else {_release(dc)}
    return custom_resources.hanging(kube, known, releases)


def _ours(kube: Kube, dc: Datacenter) -> list[custom_resources.Definition]:
    return [d for d in custom_resources.definitions(kube) if d.release == _release(dc)]


def _release(dc: Datacenter) -> str:
    return f"{dc.namespace}/{CONSUL_RELEASE}"


def _left(found: Iterable[Custom]) -> str:
    names: Sequence[str] = [str(custom) for custom in found]
    return f"still there: {listed(names, SHOWN)}" if names else ""


def listed(names: Sequence[str], shown: int) -> str:
    """The first names, and how many there are beside them."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more}"


def _remove_webhooks(kube: Kube, dc: Datacenter) -> None:
    """The injector's, and only those of this release: their names are the same for every Consul."""
    for kind in WEBHOOKS:
        found = kube.get(Ref(kind, controller.INJECTOR))
        if found and custom_resources.release_of(found) in (_release(dc), ""):
            kube.delete(Ref(kind, controller.INJECTOR))


def _stop_controller(context: Context, dc: Datacenter) -> None:
    """No injector may be left that would write its finalizers again."""
    kube, injector = context.kube[dc.name], Ref("Deployment", controller.INJECTOR, dc.namespace)
    if kube.get(injector) is None:
        return
    kube.patch(injector, {"spec": {"replicas": 0}})

    def running() -> str:
        replicas = (kube.get(injector) or {}).get("status", {}).get("replicas")
        pods = kube.list("Pod", dc.namespace, selector=controller.INJECTOR_SELECTOR)
        return "the injector is being stopped" if replicas or pods else ""

    context.wait(TASK, dc.name, running, timeout_s=FORCED_S)


def _release_finalizers(kube: Kube, custom: Custom) -> None:
    if custom.others_finalizers != custom.finalizers:
        try:
            kube.patch(custom.ref, {"metadata": {"finalizers": list(custom.others_finalizers)}})
        except NotFoundError:
            return  # gone between two looks
        except MeshkitError as error:
            if not controller.is_away(error):
                raise
            # The API server takes a moment to forget a webhook that was deleted.
