"""Custom resources on a real API server: written without losing anything, and taken out again whatever is stuck."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from clusters import Lab
from official import chart, controller
from official.chart import INJECTOR

from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.backends.clock import SystemClock
from meshkit.backends.helm import HelmClient
from meshkit.backends.kube import KubeClient
from meshkit.consul import resources
from meshkit.consul.config_entries import Intention
from meshkit.errors import ConflictError, MeshkitError
from meshkit.federation import resource_entries, runner, segmentation, uninstall
from meshkit.federation.context import Context
from meshkit.federation.steps import leftovers
from meshkit.lab import toolchain
from meshkit.lab.waiting import wait_until
from meshkit.model import OFFICIAL_CHART, Datacenter

pytestmark = pytest.mark.lab

ALLOW, DENY = Intention("web", "api", "allow"), Intention("web", "api", "deny")
KIND = "ServiceIntentions"
NAMES = ("*", "api", "Api", "a_b", "a.b", "any", "x" * 200, "-a", "é")
HELD = {"finalizers": [resources.FINALIZER]}


@dataclass(frozen=True)
class World:
    """A datacenter whose cluster and Helm are real, and whose Consul is the unit tests'."""

    mesh: FakeFederation
    context: Context
    kube: KubeClient
    helm: HelmClient
    folder: Path

    @property
    def datacenter(self) -> Datacenter:
        return self.context.federation.primary

    @property
    def namespace(self) -> str:
        return self.datacenter.namespace

    def install(self, *, webhooks: bool = False, injector: bool = True) -> None:
        """The stand-in's release, with its injector running or none at all."""
        folder = chart.write(self.folder / f"{webhooks}-{injector}", self.namespace, webhooks=webhooks)
        self.helm.install("consul", self.namespace, folder, {}, "test")
        deployment = Ref("Deployment", INJECTOR, self.namespace)
        if injector:
            available = lambda: "availableReplicas" in (self.kube.get(deployment) or {}).get("status", {})  # noqa: E731
            wait_until(available, 60, "the injector")
        else:
            self.kube.delete(deployment)

    def resource(self, name: str, destination: str, *, held: bool = False) -> None:
        """A user's own resource, which a controller's finalizer holds or not."""
        spec = {"destination": {"name": destination}, "sources": [{"name": "web", "action": "allow"}]}
        metadata = {"name": name, "namespace": self.namespace, **(HELD if held else {})}
        self.kube.create({"apiVersion": resources.API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})

    def definitions(self) -> list[str]:
        return [d["metadata"]["name"] for d in self.kube.list("CustomResourceDefinition")]


@pytest.fixture
def world(
    lab: Lab,
    namespace: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """A cluster without any of Consul's kinds, before and after."""
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(tmp_path / "state"))
    mesh = FakeFederation()
    runner.run(mesh.context())
    mesh.wan.store("aks").entries.clear()
    name, place = lab.names[0], namespace(lab.names[0])
    kube = KubeClient(name, str(lab.kubeconfig))
    helm = HelmClient(name, executable=str(toolchain.tool("helm")), kubeconfig=str(lab.kubeconfig))
    dc = replace(mesh.federation.primary, context=name, namespace=place)
    federation = replace(mesh.federation, datacenters=(dc,), chart=OFFICIAL_CHART)
    plain = mesh.context()
    context = replace(
        plain, federation=federation, kube={"aks": kube}, helm=lambda _: helm, clock=SystemClock(), timeout_s=30
    )
    made = World(mesh, context, kube, helm, tmp_path)
    yield made
    uninstall.let_go(context, dc)
    helm.uninstall("consul", place, hooks=False)
    uninstall.remove_rest(context, dc)
    wait_until(lambda: made.definitions() == [], 30, "the end of all definitions")


@pytest.fixture
def controlled(world: World) -> Iterator[World]:
    """The release with a controller at work."""
    world.install()
    with controller.at_work(world.kube, world.mesh.wan.store("aks"), "aks"):
        yield world
        uninstall.let_go(world.context, world.datacenter)


def test_intentions(controlled: World) -> None:
    """Made, changed, somebody's changed, and removed; each is in Consul when the call returns."""
    world = controlled
    assert segmentation.write(world.context, ALLOW) is True
    assert segmentation.listed(world.context) == (ALLOW,)
    assert segmentation.write(world.context, DENY) is True
    assert segmentation.listed(world.context) == (DENY,)
    world.resource("theirs", "cart")
    assert segmentation.write(world.context, Intention("batch", "cart", "allow")) is True
    assert set(segmentation.listed(world.context)) == {
        DENY,
        Intention("web", "cart", "allow"),
        Intention("batch", "cart", "allow"),
    }
    assert [r["metadata"]["name"] for r in world.kube.list(KIND, world.namespace)] == ["meshkit-api", "theirs"]
    assert segmentation.remove(world.context, "web", "api") is True
    assert world.kube.get(Ref(KIND, "meshkit-api", world.namespace)) is None
    assert DENY not in segmentation.listed(world.context)


def test_taken_over(controlled: World) -> None:
    """An entry that meshkit made through the API becomes a resource, and is then changed."""
    sources = [{"Name": "batch", "Action": "deny", "Description": "d"}]
    owned = {"Kind": "service-intentions", "Name": "api", "Sources": sources, "Meta": {"owner": "meshkit"}}
    controlled.mesh.wan.store("aks").put(owned)
    assert segmentation.write(controlled.context, ALLOW) is True
    assert set(segmentation.listed(controlled.context)) == {ALLOW, Intention("batch", "api", "deny")}
    found = controlled.kube.get(Ref(KIND, "meshkit-api", controlled.namespace))
    assert found
    assert resources.MIGRATE not in found["metadata"].get("annotations", {})


def test_proxy_defaults(controlled: World) -> None:
    """A resource of the user's keeps its fields."""
    metadata = {"name": "global", "namespace": controlled.namespace}
    kind = {"apiVersion": resources.API_VERSION, "kind": "ProxyDefaults"}
    controlled.kube.create({**kind, "metadata": metadata, "spec": {"config": {"protocol": "http"}}})
    resource_entries.of(controlled.context).use_local_gateways()
    found = controlled.kube.get(Ref("ProxyDefaults", "global", controlled.namespace))
    assert found
    assert found["spec"] == {"config": {"protocol": "http"}, "meshGateway": {"mode": "local"}}
    assert controlled.mesh.wan.store("aks").entries["proxy-defaults", "global"]["MeshGateway"] == {"Mode": "local"}


def test_compare_and_set(world: World) -> None:
    """What was changed, made or deleted since it was read is not written over."""
    world.install()
    entries = resource_entries.of(world.context)
    world.resource("theirs", "api")
    held = entries.intentions()["api"]
    world.kube.patch(Ref(KIND, "theirs", world.namespace), {"spec": {"sources": [{"name": "other", "action": "deny"}]}})
    assert entries.write(held, held.entry) is False
    assert entries.delete(held) is False
    first = resources.service_intentions(held.entry | {"Name": "cart"}, world.namespace, {})
    world.kube.create(first)
    with pytest.raises(ConflictError):
        world.kube.create(first)
    world.kube.delete(Ref(KIND, "theirs", world.namespace))
    assert entries.write(held, held.entry) is False


def test_names(world: World) -> None:
    """The API server takes the resource name of every destination."""
    world.install()
    for name in NAMES:
        entry = {"Name": name, "Sources": [{"Name": "web", "Action": "allow"}]}
        world.kube.create(resources.service_intentions(entry, world.namespace, {}))
    assert len(world.kube.list(KIND, world.namespace)) == len(NAMES)


def test_the_webhook_is_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """That nobody answers for it is told as what it is, with the API server's own words below."""
    monkeypatch.setattr(resource_entries, "WEBHOOK_S", 1.0)
    world.install(webhooks=True)
    with pytest.raises(MeshkitError, match="aks: Consul's controller does not answer") as raised:
        segmentation.write(world.context, ALLOW)
    assert f'service "{INJECTOR}" not found' in raised.value.detail


def test_taken_out(controlled: World) -> None:
    """Resources first and by the controller's leave, then the release with its definitions; and it can come again."""
    world, dc = controlled, controlled.datacenter
    segmentation.write(world.context, ALLOW)
    world.resource("theirs", "cart")
    uninstall.let_go(world.context, dc)
    assert world.mesh.wan.store("aks").entries == {}
    world.helm.uninstall("consul", world.namespace, hooks=False)
    uninstall.remove_rest(world.context, dc)
    assert list(uninstall.leftovers(world.kube, dc)) == []
    world.install()
    assert segmentation.write(world.context, ALLOW) is True


@pytest.mark.parametrize("injector", [pytest.param(True, id="one that does nothing"), pytest.param(False, id="none")])
def test_taken_out_by_force(world: World, monkeypatch: pytest.MonkeyPatch, *, injector: bool) -> None:
    """Nobody lets go, and the webhooks refuse the patch that would: both are overcome, with the injector gone."""
    monkeypatch.setattr(uninstall, "LET_GO_S", 2.0)
    world.install(injector=injector)
    world.resource("theirs", "api", held=True)
    world.kube.apply(chart.webhooks(world.namespace))
    with pytest.raises(MeshkitError, match="failed calling webhook"):
        _patched(world)
    uninstall.let_go(world.context, world.datacenter)
    assert world.kube.list(KIND) == []
    assert world.kube.get(Ref("MutatingWebhookConfiguration", INJECTOR)) is None
    pods = world.kube.list("Pod", world.namespace, selector="component=connect-injector")
    assert pods == []


def _patched(world: World) -> None:
    """Patch the resource until a webhook is asked: the API server learns of a new one after a moment."""

    def asked() -> bool:
        world.kube.patch(Ref(KIND, "theirs", world.namespace), {"metadata": {"labels": {"a": "b"}}})
        return False

    wait_until(asked, 30, "the webhook")


def test_half_an_uninstall(world: World) -> None:
    """Definitions that hang in their deletion are seen, and freed; the kinds can come anew."""
    world.install(injector=False)
    world.resource("theirs", "api", held=True)
    for name in world.definitions():
        world.kube.delete(Ref("CustomResourceDefinition", name))
    for secret in world.kube.list("Secret", world.namespace, selector="owner=helm"):
        world.kube.delete(Ref("Secret", secret["metadata"]["name"], world.namespace))
    stuck = "serviceintentions.consul.hashicorp.com"
    wait_until(lambda: world.definitions() == [stuck], 30, "the end of the definitions that nothing holds")
    found = leftovers.observe(world.context, world.datacenter)
    assert found
    assert found.stuck == (stuck,)
    assert [change.what for change in leftovers.mending(found)] == ["1 definitions of Consul's kinds"]
    leftovers.mend(world.context, found)
    assert world.definitions() == []
    world.install(injector=False)
    world.resource("theirs", "api")
