"""What another Consul or half an uninstall has left: refused with what to do, or taken away, and then it works."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fakes import controller as controllers
from fakes.controller import HELM, INJECTOR, LABELS
from fakes.definitions import DEFINITION, definition
from fakes.federation import FakeFederation, officially
from fakes.kube import FakeCluster
from meshkit.backends.base import Ref
from meshkit.errors import CombinedError, MeshkitError
from meshkit.events import Note
from meshkit.federation.steps import preflight

OTHER = {"meta.helm.sh/release-name": "theirs", "meta.helm.sh/release-namespace": "mesh"}
LEASE = Ref("Lease", "consul-controller-lock", "consul")
WEBHOOKS = Ref("MutatingWebhookConfiguration", INJECTOR)
INTENTIONS = Ref(DEFINITION, "serviceintentions.consul.hashicorp.com")


@pytest.fixture
def world(world: FakeFederation) -> FakeFederation:
    """Two clusters that are to get the official chart."""
    world.federation = officially(world.federation)
    for cluster in world.clusters.values():
        cluster.put({"kind": "Namespace", "metadata": {"name": "consul"}})
    return world


@pytest.fixture
def cluster(world: FakeFederation) -> FakeCluster:
    return world.clusters["aks"]


def described(world: FakeFederation) -> list[tuple[str, str, str]]:
    return [(change.action, change.what, change.why) for change in preflight.plan(world.context())]


def refusal(world: FakeFederation) -> MeshkitError:
    """The one problem, for which nothing is changed."""
    before = {name: cluster.everything() for name, cluster in world.clusters.items()}
    with pytest.raises(MeshkitError) as raised:
        preflight.plan(world.context())
    assert {name: cluster.everything() for name, cluster in world.clusters.items()} == before
    return raised.value


def webhooks(service: str = "consul", **metadata: Any) -> dict[str, Any]:
    """An injector's webhooks that point into a namespace."""
    hook = {"name": "h", "clientConfig": {"service": {"name": INJECTOR, "namespace": service}}}
    metadata = {"name": INJECTOR, **metadata}
    return {"kind": "MutatingWebhookConfiguration", "metadata": metadata, "webhooks": [hook]}


def gateway_kind(plural: str, kind: str = "Gateway", **annotations: str) -> dict[str, Any]:
    """A definition of the Gateway API's."""
    made = definition(kind, plural, annotations=annotations)
    group = {"group": "gateway.networking.k8s.io"}
    metadata = made["metadata"] | {"name": f"{plural}.gateway.networking.k8s.io"}
    return made | {"metadata": metadata, "spec": made["spec"] | group}


def test_clean_clusters(world: FakeFederation) -> None:
    """Where nothing was ever installed there is nothing to say and nothing to do."""
    assert preflight.plan(world.context()) == ()
    preflight.act(world.context())


def test_the_light_chart_does_not_look(world: FakeFederation, cluster: FakeCluster) -> None:
    """It makes neither kinds nor webhooks, so somebody else's are none of its business."""
    cluster.put(definition("ServiceIntentions", annotations=OTHER))
    world.federation = FakeFederation().federation
    assert preflight.plan(world.context()) == ()


def test_another_consuls_definitions(world: FakeFederation, cluster: FakeCluster) -> None:
    """Helm would refuse them half way; whose they are is said once, with how to go on."""
    for kind in ("ServiceIntentions", "ProxyDefaults"):
        cluster.put(definition(kind, annotations=OTHER))
    error = refusal(world)
    assert error.message == (
        "aks: the definitions of Consul's kinds are another Consul's: helm release theirs in namespace mesh"
    )
    assert error.hint.endswith("helm --kube-context aks -n mesh uninstall theirs")


def test_definitions_that_helm_did_not_make(world: FakeFederation, cluster: FakeCluster) -> None:
    """Applied by hand, or by a tool that renders charts."""
    cluster.put(definition("ServiceIntentions"))
    error = refusal(world)
    assert "definitions of Consul's kinds are there that Helm did not make: serviceintentions" in error.message
    assert error.hint.endswith("kubectl --context aks delete crd serviceintentions.consul.hashicorp.com")


@pytest.mark.parametrize(
    ("plurals", "settings", "wanted"),
    [
        pytest.param(("gateways",), {}, "manageExternalCRDs: false, manageNonStandardCRDs: true", id="standard ones"),
        pytest.param(
            ("gateways", "tcproutes"), {}, "manageExternalCRDs: false, manageNonStandardCRDs: false", id="all of them"
        ),
        pytest.param(
            ("tcproutes",),
            {"manageExternalCRDs": False, "manageNonStandardCRDs": True},
            "manageExternalCRDs: false, manageNonStandardCRDs: false",
            id="the one that is not standard",
        ),
        pytest.param(("gateways",), {"manageExternalCRDs": False, "manageNonStandardCRDs": True}, "", id="told so"),
        pytest.param(("gateways", "tcproutes"), {"manageExternalCRDs": False}, "", id="told so of all"),
    ],
)
def test_gateway_api(
    world: FakeFederation, cluster: FakeCluster, plurals: tuple[str, ...], settings: dict[str, bool], wanted: str
) -> None:
    """Kinds of the Gateway API that others made are left to them, once the values say so."""
    for plural in plurals:
        cluster.put(gateway_kind(plural))
    values = {"connectInject": {"apiGateway": settings}}
    aks, eks = world.federation.datacenters
    world.federation = replace(world.federation, datacenters=(replace(aks, values=values), eks))
    if not wanted:
        assert preflight.plan(world.context()) == ()
        return
    error = refusal(world)
    assert error.message.startswith("aks: definitions of the Gateway API are there that Consul's release did not make")
    assert error.hint == (
        f"leave them to who made them, in the values of aks: {{connectInject: {{apiGateway: {{{wanted}}}}}}}"
    )


def test_webhooks_that_point_nowhere(world: FakeFederation, cluster: FakeCluster) -> None:
    """They would refuse every write of their kinds, and nobody answers for them: taken away."""
    cluster.put(webhooks(annotations=HELM))
    why = f"it points to service consul/{INJECTOR}, which is not there"
    assert described(world) == [("delete", f"mutatingwebhookconfiguration/{INJECTOR}", why)]
    preflight.act(world.context())
    assert cluster.find(WEBHOOKS) is None
    assert preflight.plan(world.context()) == ()


@pytest.mark.parametrize(
    ("made", "whose"),
    [
        pytest.param(webhooks("mesh", annotations=OTHER), "helm release mesh/theirs", id="another release"),
        pytest.param(webhooks("other"), f"service other/{INJECTOR}", id="of nobody, but it answers"),
    ],
)
def test_webhooks_of_another_consul(
    world: FakeFederation, cluster: FakeCluster, made: dict[str, Any], whose: str
) -> None:
    """Their name is the same for every Consul, so two can't be in a cluster."""
    cluster.put(made)
    cluster.put(
        {"kind": "Service", "metadata": {"name": INJECTOR, "namespace": "other"}, "spec": {"type": "ClusterIP"}}
    )
    error = refusal(world)
    assert error.message == f"aks: mutatingwebhookconfiguration/{INJECTOR} is another Consul's: {whose}"
    assert error.hint.endswith(f"kubectl --context aks delete mutatingwebhookconfiguration {INJECTOR}")


def test_lease(world: FakeFederation, cluster: FakeCluster) -> None:
    """An injector would wait until it is over; without a release nobody holds it."""
    meta = {"name": LEASE.name, "namespace": "consul"}
    cluster.put({"kind": "Lease", "metadata": meta, "spec": {"holderIdentity": "injector-0"}})
    assert described(world) == [("delete", "lease consul-controller-lock", "left over, held by injector-0")]
    preflight.act(world.context())
    assert cluster.find(LEASE) is None


def test_what_hooks_left(world: FakeFederation, cluster: FakeCluster) -> None:
    """Accounts and roles of hooks outlive their release; others of the namespace stay."""
    for kind in ("ServiceAccount", "Role", "RoleBinding", "Job"):
        cluster.put({"kind": kind, "metadata": {"name": "consul-tls-init", "namespace": "consul", "labels": LABELS}})
    cluster.put({"kind": "Role", "metadata": {"name": "theirs", "namespace": "consul", "labels": {"app": "shop"}}})
    assert described(world) == [("delete", "4 objects of the chart's hooks", "no release is there")]
    preflight.act(world.context())
    assert [each for each in cluster.everything() if "tls-init" in each or "theirs" in each] == ["Role consul/theirs"]


def test_definitions_stuck_in_deletion(world: FakeFederation, cluster: FakeCluster) -> None:
    """A resource that no controller lets go of keeps its definition: both are freed, and the kind can come anew."""
    cluster.put(definition("ServiceIntentions", annotations=HELM))
    metadata = {"name": "cart", "namespace": "default", "finalizers": ["finalizers.consul.hashicorp.com"]}
    cluster.put({"kind": "ServiceIntentions", "metadata": metadata, "spec": {}})
    cluster.put(webhooks(annotations=HELM))
    cluster.delete(INTENTIONS)
    cluster.list("Namespace")
    changes = described(world)
    assert (
        "delete",
        "1 definitions of Consul's kinds",
        "an uninstall that did not end left them in deletion",
    ) in changes
    preflight.act(world.context())
    assert cluster.find(INTENTIONS) is None
    assert cluster.every("ServiceIntentions") == []
    assert preflight.plan(world.context()) == ()


def test_routes_stuck_in_deletion(world: FakeFederation, cluster: FakeCluster) -> None:
    """A route that no controller lets go of keeps its definition; Gateways whose kind is another's are left alone."""
    held = {"namespace": "default", "finalizers": ["gateway-finalizer.consul.hashicorp.com"]}
    cluster.put(gateway_kind("httproutes", "HTTPRoute", **HELM))
    cluster.put({"kind": "HTTPRoute", "metadata": {"name": "cart", **held}, "spec": {}})
    for plural, kind in (("gatewayclasses", "GatewayClass"), ("gateways", "Gateway")):
        cluster.put(gateway_kind(plural, kind))
    who = {"controllerName": "consul.hashicorp.com/gateway-controller"}
    cluster.put({"kind": "GatewayClass", "metadata": {"name": "consul"}, "spec": who})
    cluster.put({"kind": "Gateway", "metadata": {"name": "in", **held}, "spec": {"gatewayClassName": "consul"}})
    cluster.delete(Ref(DEFINITION, "httproutes.gateway.networking.k8s.io"))
    cluster.list("Namespace")
    preflight.act(world.context())
    assert cluster.every("HTTPRoute") == []
    assert [kind["spec"]["names"]["kind"] for kind in cluster.every(DEFINITION)] == ["GatewayClass", "Gateway"]
    assert [gateway["metadata"]["finalizers"] for gateway in cluster.every("Gateway")] == [held["finalizers"]]


def test_data_of_an_earlier_consul(world: FakeFederation, cluster: FakeCluster) -> None:
    """Volumes and secrets are somebody's until that one says no; the line to take them away is there to copy."""
    labels = {"app": "consul", "component": "server"}
    claim = {"name": "data-consul-consul-server-0", "namespace": "consul", "labels": labels}
    cluster.put({"kind": "PersistentVolumeClaim", "metadata": claim})
    secret = {"name": "consul-bootstrap-acl-token", "namespace": "consul", "labels": {"managed-by": "consul-k8s"}}
    cluster.put({"kind": "Secret", "metadata": secret})
    error = refusal(world)
    left = ["persistentvolumeclaim/data-consul-consul-server-0", "secret/consul-bootstrap-acl-token"]
    assert error.message == f"aks: an earlier Consul has left its data: {', '.join(left)}"
    assert error.hint.endswith(f"kubectl --context aks -n consul delete {' '.join(left)}")


def test_resources_of_an_earlier_consul(world: FakeFederation, cluster: FakeCluster) -> None:
    """They stay, since they may be kept in git; that the new Consul will live by them is said."""
    cluster.put(definition("ServiceIntentions", annotations=HELM))
    cluster.put({"kind": "ServiceIntentions", "metadata": {"name": "cart", "namespace": "default"}, "spec": {}})
    assert preflight.plan(world.context()) == ()
    found = [(e.scope, e.text) for e in world.events if isinstance(e, Note)]
    assert found == [("aks", "1 custom resources of an earlier Consul are there, and will be this one's")]


def test_an_installation_of_ours(mesh: FakeFederation) -> None:
    """What is there with its release is in use: Lease, webhooks, volumes and definitions are as they should be."""
    mesh.control()
    controllers.install(mesh.wan, "eks")
    for cluster in mesh.clusters.values():
        cluster.put({"kind": "Lease", "metadata": {"name": LEASE.name, "namespace": "consul"}})
        cluster.put({"kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "consul", "labels": LABELS}})
    assert preflight.plan(mesh.context()) == ()


def test_all_problems_of_all_clusters(world: FakeFederation) -> None:
    """They are told together, beside those of a cluster that does not answer."""
    world.clusters["aks"].put(definition("ServiceIntentions", annotations=OTHER))
    world.clusters["aks"].put(gateway_kind("gateways"))
    world.clusters["eks"].faults.unreachable = True
    with pytest.raises(CombinedError, match="3 problems stand in the way"):
        preflight.plan(world.context())


def test_without_permission_to_look(world: FakeFederation, cluster: FakeCluster) -> None:
    """Who may not list definitions may not install the chart either: one problem, which names the permission."""
    cluster.faults.forbid("list", "customresourcedefinitions")
    error = refusal(world)
    assert error.message == "aks: no permission to list customresourcedefinitions.apiextensions.k8s.io"
