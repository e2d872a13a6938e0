"""Settings with the official chart: written as resources once these can be written, and what was there stays."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.controller import FakeController
from fakes.federation import FakeFederation
from fakes.kube import Rollout
from meshkit.backends.base import Ref
from meshkit.consul import config_entries, resources
from meshkit.errors import DeadlineError, MeshkitError
from meshkit.events import Progress
from meshkit.federation.steps import settings

PROXY_DEFAULTS = Ref("ProxyDefaults", "global", "consul")
INJECTOR = Ref("Deployment", "consul-connect-injector", "consul")
WEBHOOKS = Ref("MutatingWebhookConfiguration", "consul-connect-injector")


@pytest.fixture
def controller(mesh: FakeFederation) -> FakeController:
    return mesh.control()


def mode(mesh: FakeFederation) -> str:
    """The gateway mode as Consul has it."""
    return config_entries.gateway_mode([mesh.wan.store("aks").entries["proxy-defaults", "global"]])


def proxy_defaults(namespace: str = "consul", **spec: Any) -> dict[str, Any]:
    """A user's own resource."""
    kind = {"apiVersion": resources.API_VERSION, "kind": "ProxyDefaults"}
    return {**kind, "metadata": {"name": "global", "namespace": namespace}, "spec": spec}


def test_written_as_resources(mesh: FakeFederation, controller: FakeController) -> None:
    """Proxy defaults and default deny are resources with meshkit's label, Consul has both, a second run writes none."""
    del controller
    cluster = mesh.clusters["aks"]
    settings.act(mesh.context())
    assert settings.plan(mesh.context()) == ()
    assert mode(mesh) == "local"
    found = [cluster.find(PROXY_DEFAULTS), cluster.find(Ref("ServiceIntentions", "meshkit.any", "consul"))]
    assert [f and f["metadata"]["labels"] for f in found] == [{"app.kubernetes.io/managed-by": "meshkit"}] * 2
    settings.act(mesh.context())
    assert [cluster.find(PROXY_DEFAULTS), cluster.find(Ref("ServiceIntentions", "meshkit.any", "consul"))] == found


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        (Ref("CustomResourceDefinition", "proxydefaults.consul.hashicorp.com"), "the definition proxydefaults.consul"),
        (Ref("CustomResourceDefinition", "serviceintentions.consul.hashicorp.com"), "the definition serviceintentions"),
        (INJECTOR, "Consul's controller is not available yet"),
        (WEBHOOKS, "the webhooks have no CA yet"),
    ],
)
def test_what_is_waited_for(mesh: FakeFederation, controller: FakeController, ref: Ref, reason: str) -> None:
    """Nothing is written before the last of what the resources need is there, and what is lacking is told."""
    del controller
    cluster = mesh.clusters["aks"]
    lacking = cluster.find(ref)
    assert lacking
    cluster.remove(ref)
    mesh.clock.at(mesh.clock.slept_s + 5, lambda: cluster.put(lacking))
    settings.act(mesh.context())
    assert [e for e in mesh.events if isinstance(e, Progress) and e.text.startswith(reason)]
    assert mode(mesh) == "local"


def test_authority_comes_last(mesh: FakeFederation, controller: FakeController) -> None:
    """Webhooks that are there without a CA can't be called by the API server, so that one is waited for."""
    del controller
    cluster = mesh.clusters["aks"]
    webhooks = cluster.find(WEBHOOKS)
    assert webhooks
    bare = [hook | {"clientConfig": {}} for hook in webhooks["webhooks"]]
    cluster.put(webhooks | {"webhooks": bare})
    mesh.clock.at(mesh.clock.slept_s + 5, lambda: cluster.put(webhooks))
    settings.act(mesh.context())
    assert [e for e in mesh.events if isinstance(e, Progress) and e.text == "the webhooks have no CA yet"]


def test_an_injector_that_never_comes(mesh: FakeFederation, controller: FakeController) -> None:
    """The end of waiting shows the injector's pod and its log."""
    del controller
    cluster = mesh.clusters["aks"]
    cluster.rollouts["Deployment", "consul", INJECTOR.name] = Rollout(waits_for=lambda: "CrashLoopBackOff")
    cluster.pod_logs[f"{INJECTOR.name}-6d5f8b9c4-0", "sidecar"] = "no auth method\n"
    with pytest.raises(DeadlineError, match="Consul's controller is not available yet") as raised:
        settings.act(mesh.context(timeout_s=2))
    assert "sidecar: CrashLoopBackOff" in raised.value.detail
    assert "no auth method" in raised.value.detail


@pytest.mark.parametrize("namespace", ["consul", "shop"])
def test_a_resource_of_the_users_keeps_its_fields(
    mesh: FakeFederation, controller: FakeController, namespace: str
) -> None:
    """There is one in a cluster, wherever it is; only the gateway mode in it is meshkit's."""
    del controller
    cluster = mesh.clusters["aks"]
    cluster.put(proxy_defaults(namespace, config={"protocol": "http"}, meshGateway={"mode": "none"}))
    settings.act(mesh.context())
    (found,) = cluster.every("ProxyDefaults")
    assert found["spec"] == {"config": {"protocol": "http"}, "meshGateway": {"mode": "local"}}
    assert mode(mesh) == "local"
    assert mesh.wan.store("aks").entries["proxy-defaults", "global"]["Config"] == {"protocol": "http"}


def test_an_entry_of_the_users_keeps_its_fields(mesh: FakeFederation, controller: FakeController) -> None:
    """One that was written through the API is changed there: a resource that differs would never be synced."""
    del controller
    entry = {"Kind": "proxy-defaults", "Name": "global", "Config": {"protocol": "http"}, "Meta": {"team": "a"}}
    mesh.wan.store("aks").put(entry)
    settings.act(mesh.context())
    held = mesh.wan.store("aks").entries["proxy-defaults", "global"]
    assert (held["Config"], held["Meta"], mode(mesh)) == ({"protocol": "http"}, {"team": "a"}, "local")
    assert mesh.clusters["aks"].every("ProxyDefaults") == []


def test_one_that_is_never_synced(mesh: FakeFederation, controller: FakeController) -> None:
    """A user's resource beside an entry that another datacenter's controller wrote: said, with what to do."""
    del controller
    meta = {resources.DATACENTER: "eks"}
    mesh.wan.store("aks").put({"Kind": "proxy-defaults", "Name": "global", "Config": {}, "Meta": meta})
    mesh.clusters["aks"].put(proxy_defaults(config={"protocol": "http"}))
    with pytest.raises(MeshkitError, match="proxydefaults global is not synced: ExternallyManagedConfig") as raised:
        settings.act(mesh.context())
    assert raised.value.hint == "one datacenter's resource is enough: delete the one in the datacenter that is named"
    assert raised.value.detail == 'config entry managed in different datacenter: "eks"'


def test_made_at_the_same_moment(
    mesh: FakeFederation, controller: FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxy defaults that somebody makes in between, wherever, are not overwritten; the next run changes them."""
    del controller
    cluster = mesh.clusters["aks"]
    plain = cluster.create

    def create(manifest: dict[str, Any]) -> Any:
        cluster.put(proxy_defaults("shop", config={"protocol": "tcp"}))
        return plain(manifest)

    with monkeypatch.context() as patched:
        patched.setattr(cluster, "create", create)
        with pytest.raises(MeshkitError, match="somebody else is changing proxy-defaults"):
            settings.act(mesh.context())
    settings.act(mesh.context())
    (found,) = cluster.every("ProxyDefaults")
    assert found["spec"] == {"config": {"protocol": "tcp"}, "meshGateway": {"mode": "local"}}


def test_changed_at_the_same_moment(
    mesh: FakeFederation, controller: FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxy defaults that somebody writes to between reading and writing are not overwritten."""
    del controller
    cluster = mesh.clusters["aks"]
    cluster.put(proxy_defaults(config={"protocol": "http"}))
    plain = cluster.patch

    def patch(*args: Any, **options: Any) -> Any:
        cluster.put(proxy_defaults(config={"protocol": "tcp"}))
        return plain(*args, **options)

    monkeypatch.setattr(cluster, "patch", patch)
    with pytest.raises(MeshkitError, match="somebody else is changing proxy-defaults"):
        settings.act(mesh.context())
    assert (cluster.find(PROXY_DEFAULTS) or {})["spec"] == {"config": {"protocol": "tcp"}}
