"""The official chart goes in the order in which nothing gets stuck, and what is stuck already is freed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fakes import controller as controllers
from fakes.controller import FakeController
from fakes.definitions import CLEANUP, DEFINITION, definition
from fakes.faults import Killed, Killer
from fakes.federation import FakeFederation
from fakes.kube import FakeCluster
from meshkit.backends.base import Ref
from meshkit.consul import resources
from meshkit.consul.config_entries import Intention
from meshkit.errors import DeadlineError, MeshkitError
from meshkit.events import Note
from meshkit.federation import runner, segmentation, teardown, uninstall

MARKER = Ref("ConfigMap", "meshkit-federation", "consul")
INTENTIONS = "serviceintentions.consul.hashicorp.com"
GATEWAYS = {"GatewayClass": "gatewayclasses", "Gateway": "gateways", "HTTPRoute": "httproutes"}
LET_GO = "gateway-finalizer.consul.hashicorp.com"


@pytest.fixture
def controller(mesh: FakeFederation) -> FakeController:
    """Controllers in both clusters, with resources of meshkit's and of a user's, all synced; the primary's."""
    primary = mesh.control()
    controllers.install(mesh.wan, "eks")
    for name, cluster in mesh.clusters.items():
        cluster.put({"kind": "Namespace", "metadata": {"name": "shop"}})
        cluster.put(theirs(f"{name}-cart"))
        cluster.put({"kind": "Lease", "metadata": {"name": "consul-controller-lock", "namespace": "consul"}})
        cluster.put({"kind": "Secret", "metadata": made_by_hooks("consul-webhook-cert", {"managed-by": "consul-k8s"})})
        cluster.put({"kind": "ServiceAccount", "metadata": made_by_hooks("consul-tls-init", controllers.LABELS)})
    segmentation.write(mesh.context(), Intention("web", "api", "allow"))
    for cluster in mesh.clusters.values():
        for _ in range(3):
            cluster.list("Namespace")
    mesh.events.clear()
    return primary


@pytest.fixture
def cluster(mesh: FakeFederation, controller: FakeController) -> FakeCluster:
    del controller
    return mesh.clusters["aks"]


def theirs(name: str, **metadata: Any) -> dict[str, Any]:
    """A user's own resource in a namespace of theirs."""
    spec = {"destination": {"name": name}, "sources": [{"name": "web", "action": "allow"}]}
    meta = {"name": name, "namespace": "shop", **metadata}
    return {"apiVersion": resources.API_VERSION, "kind": "ServiceIntentions", "metadata": meta, "spec": spec}


def made_by_hooks(name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "namespace": "consul", "labels": labels}


def pristine(name: str) -> list[str]:
    """What a cluster holds before any federation, and the user's namespace."""
    return sorted([*FakeCluster(name).everything(), "Namespace /shop"])


def destroy(mesh: FakeFederation, **options: Any) -> None:
    teardown.remove_datacenters(mesh.context(**options), mesh.federation.datacenters, lambda dc: f"without {dc.name}")


def gateway_api(cluster: FakeCluster, *, release: bool) -> None:
    """The Gateway API's kinds, with a class, a Gateway and a route of Consul's and of another controller."""
    notes = controllers.HELM if release else {}
    for kind, plural in GATEWAYS.items():
        made = definition(kind, plural, annotations=notes)
        name = f"{plural}.gateway.networking.k8s.io"
        metadata = made["metadata"] | {"name": name}
        cluster.put(made | {"metadata": metadata, "spec": made["spec"] | {"group": "gateway.networking.k8s.io"}})
    for name, who in (("consul", "consul.hashicorp.com/gateway-controller"), ("nginx", "nginx.org/gateway")):
        labels = {"release": "consul", "component": "api-gateway"} if name == "consul" else {}
        metadata = {"name": name, "labels": labels, "finalizers": [LET_GO] if name == "consul" else []}
        cluster.put({"kind": "GatewayClass", "metadata": metadata, "spec": {"controllerName": who}})
        metadata = {"name": f"of-{name}", "namespace": "shop", "finalizers": [LET_GO] if name == "consul" else []}
        cluster.put({"kind": "Gateway", "metadata": metadata, "spec": {"gatewayClassName": name}})
        metadata = metadata | {"name": f"to-{name}"}
        cluster.put({"kind": "HTTPRoute", "metadata": metadata, "spec": {"parentRefs": [{"name": f"of-{name}"}]}})


def only_consuls(cluster: FakeCluster) -> None:
    """Take away what is of the other controller."""
    for ref in (Ref("HTTPRoute", "to-nginx", "shop"), Ref("Gateway", "of-nginx", "shop"), Ref("GatewayClass", "nginx")):
        cluster.remove(ref)


def test_nothing_is_left(mesh: FakeFederation, controller: FakeController) -> None:
    """Resources, definitions, webhooks, Lease, and what hooks and the chart's programs made: all gone, everywhere."""
    assert controller.available
    destroy(mesh)
    for name, found in mesh.clusters.items():
        assert found.everything() == pristine(name)
    assert [e.text for e in mesh.events if isinstance(e, Note)] == []


def test_order(mesh: FakeFederation, controller: FakeController, monkeypatch: pytest.MonkeyPatch) -> None:
    """No release goes before the resources of every datacenter have, and the controllers deleted their entries."""
    del controller
    left: list[list[Any]] = []
    for name, helm in mesh.wan.helms.items():
        plain = helm.uninstall

        def uninstalled(*args: Any, plain: Any = plain, name: str = name, **options: Any) -> None:
            kinds = [c.every("ServiceIntentions") for c in mesh.clusters.values()]
            if args[0] == "consul" and name == "aks":
                left.extend([*kinds, list(mesh.wan.store("aks").entries)])
                assert options == {"hooks": False}
            plain(*args, **options)

        monkeypatch.setattr(helm, "uninstall", uninstalled)
    assert {name for _, name in mesh.wan.store("aks").entries} == {"api", "aks-cart", "eks-cart"}
    destroy(mesh)
    assert left == [[], [], []]


def test_again_after_it_is_done(mesh: FakeFederation, controller: FakeController) -> None:
    """Removing what is gone is no error, and the clusters can be federated anew."""
    del controller
    destroy(mesh)
    destroy(mesh)
    mesh.state.remove()
    mesh.federation = FakeFederation().federation
    for found in mesh.clusters.values():
        found.controllers.clear()
    runner.run(mesh.context())
    assert mesh.clusters["eks"].find(MARKER)


def test_no_controller(mesh: FakeFederation, controller: FakeController) -> None:
    """With the injector away its webhooks refuse every update: they go first, then the finalizers by force."""
    controller.stop()
    refused = {"metadata": {"finalizers": []}}
    with pytest.raises(MeshkitError, match="failed calling webhook"):
        mesh.clusters["aks"].patch(Ref("ServiceIntentions", "aks-cart", "shop"), refused)
    destroy(mesh)
    assert mesh.clusters["aks"].everything() == pristine("aks")


def test_the_api_server_forgets_webhooks_late(
    mesh: FakeFederation, controller: FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook that was deleted may be asked for a moment still; that is no reason to stop."""
    controller.stop()
    found, late = mesh.clusters["aks"], iter([True, True])

    def admit(manifest: dict[str, Any], _: Any) -> None:
        if manifest["kind"] == "ServiceIntentions" and next(late, False):
            raise MeshkitError('aks: Internal error occurred: failed calling webhook "m": connection refused')

    monkeypatch.setattr(found, "admission", admit)
    destroy(mesh)
    assert found.everything() == pristine("aks")


def test_a_controller_that_does_not_let_go(mesh: FakeFederation, controller: FakeController) -> None:
    """Where Consul does not take the controller's writes, the injector is stopped before its finalizers are taken."""
    controller.fails_with = "Unexpected response code: 500 (No cluster leader)"
    destroy(mesh)
    assert mesh.clusters["aks"].everything() == pristine("aks")
    (note,) = [e for e in mesh.events if isinstance(e, Note)]
    assert note.scope == "aks"
    assert "finalizers are taken away by force (aks: not after 60 s: still there: serviceintentions" in note.text


def test_a_finalizer_of_others(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """Only Consul's finalizers are taken away; who else holds a resource has to let go, and the marker stays."""
    found = cluster.find(Ref("ServiceIntentions", "aks-cart", "shop"))
    assert found
    held = [*found["metadata"]["finalizers"], "example.com/backup"]
    cluster.put(found | {"metadata": found["metadata"] | {"finalizers": held}})
    with pytest.raises(
        DeadlineError, match="aks: not after 60 s: still there: serviceintentions shop/aks-cart"
    ) as raised:
        destroy(mesh)
    assert raised.value.hint == "finalizers of others hold them; their controllers have to let go"
    left = cluster.find(Ref("ServiceIntentions", "aks-cart", "shop"))
    assert left
    assert "example.com/backup" in left["metadata"]["finalizers"]
    assert cluster.find(MARKER)
    assert mesh.clusters["eks"].everything() == pristine("eks")


def test_half_an_uninstall(mesh: FakeFederation, controller: FakeController) -> None:
    """What helm uninstall by hand leaves hanging, definitions that wait for resources nobody lets go, is freed."""
    del controller
    cluster, helm = mesh.clusters["aks"], mesh.wan.helms["aks"]
    cluster.controllers.clear()
    cluster.remove(Ref("Deployment", controllers.INJECTOR, "consul"))
    with pytest.raises(MeshkitError, match="uninstallation completed with 1 error"):
        helm.uninstall("consul", "consul")
    stuck = cluster.find(Ref(DEFINITION, INTENTIONS))
    assert stuck
    assert stuck["metadata"]["deletionTimestamp"]
    destroy(mesh)
    assert cluster.everything() == pristine("aks")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("place", range(1, 45, 4))
def test_killed_half_way(mesh: FakeFederation, controller: FakeController, place: int, moment: Any) -> None:
    """Wherever a run is killed, the next one finishes."""
    del controller
    with pytest.raises(Killed):
        destroy(mesh, killer=Killer(place, moment))
    destroy(mesh)
    for name, found in mesh.clusters.items():
        assert found.everything() == pristine(name)


def test_only_this_release(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """Definitions, their resources and webhooks that another release made stay."""
    other = {"meta.helm.sh/release-name": "consul", "meta.helm.sh/release-namespace": "other"}
    kept = definition("ServiceSplitter", annotations=other)
    cluster.put(kept)
    cluster.put({"kind": "ServiceSplitter", "metadata": {"name": "kept", "namespace": "shop"}, "spec": {}})
    hooks = cluster.find(Ref("MutatingWebhookConfiguration", controllers.INJECTOR))
    assert hooks
    cluster.put(hooks | {"metadata": hooks["metadata"] | {"annotations": other}})
    destroy(mesh)
    expected = [
        *pristine("aks"),
        f"CustomResourceDefinition /{kept['metadata']['name']}",
        f"MutatingWebhookConfiguration /{controllers.INJECTOR}",
        "ServiceSplitter shop/kept",
    ]
    assert cluster.everything() == sorted(expected)


@pytest.mark.parametrize("gitops", [True, False])
def test_rendered_by_gitops(mesh: FakeFederation, cluster: FakeCluster, *, gitops: bool) -> None:
    """Kinds that Helm did not make are the federation's where GitOps renders its chart, and else nobody's we know."""
    kept = definition("ServiceSplitter")
    cluster.put(kept)
    cluster.put({"kind": "ServiceSplitter", "metadata": {"name": "shop", "namespace": "shop"}, "spec": {}})
    mesh.federation = replace(mesh.federation, gitops=gitops)
    uninstall.let_go(mesh.context(), mesh.federation.primary)
    assert cluster.every("ServiceIntentions") == []
    assert bool(cluster.every("ServiceSplitter")) is not gitops


def test_what_git_brings_back(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """A resource that comes again as often as it is deleted is named, with where it comes from."""
    cluster.controllers.append(lambda: cluster.put(theirs("again")) and None)
    mesh.federation = replace(mesh.federation, gitops=True)
    with pytest.raises(DeadlineError, match="still there: serviceintentions shop/again") as raised:
        uninstall.let_go(mesh.context(), mesh.federation.primary)
    assert raised.value.hint == "take them out of git: what keeps it would only bring them back"


@pytest.mark.parametrize("away", [False, True])
def test_gateways(mesh: FakeFederation, controller: FakeController, *, away: bool) -> None:
    """Where the release does not own their kinds Consul's Gateways and class go, and nothing of another controller's.

    Routes stay, as they may lead through Gateways of both; none keeps a finalizer that nobody would take away.
    """
    cluster = mesh.clusters["aks"]
    gateway_api(cluster, release=False)
    if away:
        controller.stop()
    destroy(mesh)
    left = [each for each in cluster.everything() if each.startswith(("Gateway", "HTTPRoute"))]
    assert left == [
        "Gateway shop/of-nginx",
        "GatewayClass /nginx",
        "HTTPRoute shop/to-consul",
        "HTTPRoute shop/to-nginx",
    ]
    assert [route["metadata"]["finalizers"] for route in cluster.every("HTTPRoute")] == [[], []]
    assert [e.text for e in mesh.events if isinstance(e, Note)] == []


def test_gateways_of_others(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """Where helm would delete another controller's Gateways with their kinds, nothing at all is touched."""
    gateway_api(cluster, release=True)
    before = {name: found.everything() for name, found in mesh.clusters.items()}
    with pytest.raises(MeshkitError, match=r"aks: gateway classes of other controllers .*: nginx") as raised:
        destroy(mesh)
    assert "manageExternalCRDs=false" in raised.value.hint
    assert {name: found.everything() for name, found in mesh.clusters.items()} == before


@pytest.mark.parametrize("away", [False, True])
def test_gateways_go_with_their_kinds(mesh: FakeFederation, controller: FakeController, *, away: bool) -> None:
    """Without others the release takes the Gateway API's kinds along, and no route's finalizer keeps them."""
    cluster = mesh.clusters["aks"]
    gateway_api(cluster, release=True)
    only_consuls(cluster)
    if away:
        controller.stop()
    destroy(mesh)
    assert cluster.everything() == pristine("aks")


def notes(mesh: FakeFederation) -> Iterator[tuple[str, str]]:
    return ((e.scope, e.text) for e in mesh.events if isinstance(e, Note))


def test_what_is_said_before(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """The user's own resources are named, not meshkit's nor the chart's; a cluster that is away is passed over."""
    gateway_api(cluster, release=False)
    for name in "abcd":
        cluster.put(theirs(name))
    mesh.clusters["eks"].faults.unreachable = True
    uninstall.announce(mesh.context(), mesh.federation.datacenters)
    text = (
        "custom resources that meshkit did not make go too: gateway shop/of-consul, serviceintentions shop/a, "
        "serviceintentions shop/aks-cart, serviceintentions shop/b, serviceintentions shop/c and 1 more"
    )
    assert list(notes(mesh)) == [("aks", text)]


def test_routes_are_said_before(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """Those that go with the kinds of the release are named, whether or not Consul holds them."""
    gateway_api(cluster, release=True)
    only_consuls(cluster)
    metadata = {"name": "unused", "namespace": "shop"}
    cluster.put({"kind": "HTTPRoute", "metadata": metadata, "spec": {}})
    uninstall.announce(mesh.context(), (mesh.federation.primary,))
    ((_, text),) = notes(mesh)
    assert "gateway shop/of-consul, httproute shop/to-consul, httproute shop/unused" in text


def test_nothing_to_say(mesh: FakeFederation) -> None:
    """With the light chart, and where a user has no resources, there is nothing to say."""
    uninstall.announce(mesh.context(), mesh.federation.datacenters)
    mesh.control()
    controllers.install(mesh.wan, "eks")
    uninstall.announce(mesh.context(), mesh.federation.datacenters)
    assert list(notes(mesh)) == []


def test_definitions_have_kubernetes_own_finalizer(cluster: FakeCluster) -> None:
    """The fake's definitions go as real ones do: after the last of their kind."""
    found = cluster.find(Ref(DEFINITION, INTENTIONS))
    assert found
    assert found["metadata"]["finalizers"] == [CLEANUP]


def test_an_injector_that_is_ending_is_waited_for(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """It would hold the namespace, which then stayed, and renew its Lease to the end."""
    ending = made_by_hooks("consul-connect-injector-x", controllers.LABELS | {"app": "consul", "release": "consul"})
    cluster.put({"kind": "Pod", "metadata": ending, "status": {}})
    mesh.clock.at(9, lambda: cluster.remove(Ref("Pod", "consul-connect-injector-x", "consul")))
    context = mesh.context()
    teardown.destroy(context, context.federation.datacenters)
    assert cluster.find(Ref("Namespace", "consul")) is None
