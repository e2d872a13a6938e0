"""What preflight reads of a cluster, and that it asks beforehand for every permission that a run needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from fakes.clock import FakeClock
from fakes.faults import KUBECTL_VERBS, Faults
from fakes.federation import FakeFederation
from fakes.kube import FakeCluster
from meshkit.backends.base import Ref
from meshkit.errors import MeshkitError
from meshkit.federation import facts, runner, teardown
from meshkit.federation.capacity import Capacity, Node
from meshkit.federation.steps import preflight, settings
from meshkit.model import Datacenter

DC = Datacenter("aks", "aks", primary=True)
CONSULS_KINDS = ("ServiceIntentions", "ProxyDefaults", "ServiceDefaults")
ANYONE_MAY = {("get", "version"), ("get", "apis"), ("create", "selfsubjectaccessreviews")}


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[tuple[str, str]]]:
    """Verb and resource of every call to any cluster while the context is open."""
    used: set[tuple[str, str]] = set()
    plain = Faults.check

    def check(self: Faults, method: str = "get", resource: str = "") -> None:
        used.update((verb, resource) for verb in KUBECTL_VERBS.get(method, (method,)))
        plain(self, method, resource)

    with monkeypatch.context() as patched:
        patched.setattr(Faults, "check", check)
        yield used


def test_every_permission_that_a_run_uses_is_asked_for(world: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first look to the last removal nothing is done that preflight did not ask about."""
    with recorded(monkeypatch) as used:
        context = world.context()
        runner.run(context)
        teardown.remove_datacenters(context, world.federation.datacenters, lambda _: "")
    asked = {(p.verb, p.resource) for p in facts.needed_permissions("consul")}
    assert len(used) > 15
    assert used - ANYONE_MAY - asked == set()


def test_every_permission_that_the_official_chart_needs_is_asked_for(
    mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking for leftovers, writing resources, and taking all of it out again, by force too."""
    controller = mesh.control()
    with recorded(monkeypatch) as used:
        context = mesh.context()
        preflight.plan(context)
        settings.act(context)
        controller.stop()
        teardown.remove_datacenters(context, mesh.federation.datacenters, lambda _: "")
    asked = {(p.verb, p.resource) for p in facts.needed_permissions("consul", official=True)}
    assert asked - {(p.verb, p.resource) for p in facts.needed_permissions("consul")}
    of_consul = {(verb, kind.lower()) for verb, resource in asked if resource == "*" for kind in CONSULS_KINDS}
    assert used - ANYONE_MAY - asked - of_consul == set()


def test_the_official_chart_needs_more() -> None:
    """What it makes for the whole cluster, and its Jobs; the light one is not held to that."""
    cluster = FakeCluster("aks")
    cluster.faults.forbid("create", "clusterroles")
    cluster.faults.forbid("delete", "jobs")
    assert facts.observe(cluster, DC, FakeClock()).refused == ()
    refused = facts.observe(cluster, DC, FakeClock(), official=True).refused
    assert [(p.verb, p.resource, p.namespace) for p in refused] == [
        ("create", "clusterroles", ""),
        ("delete", "jobs", "consul"),
    ]


@pytest.mark.parametrize(
    ("verb", "resource"), sorted({(p.verb, p.resource) for p in facts.needed_permissions("consul")})
)
def test_one_missing_permission_is_an_observation(verb: str, resource: str) -> None:
    """Whichever permission is missing, looking at the cluster succeeds and says which."""
    cluster = FakeCluster("aks")
    cluster.faults.forbid(verb, resource)
    seen = facts.observe(cluster, DC, FakeClock())
    assert {(p.verb, p.resource) for p in seen.refused} == {(verb, resource)}


def test_a_new_cluster() -> None:
    """What a cluster that nothing has touched is seen to be."""
    cluster = FakeCluster("aks", skew_s=7)
    system = cluster.find(Ref("Namespace", "kube-system"))
    assert system
    seen = facts.observe(cluster, DC, FakeClock())
    assert seen == facts.ClusterFacts(
        "aks",
        "v1.34.4",
        system["metadata"]["uid"],
        7,
        "aks",
        storage_class="standard",
        load_balancer_seen=True,
        capacity=Capacity((Node("aks-node", 4, 8 * 2**30),)),
    )


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param({facts.DEFAULT_CLASS: "true"}, "fast", id="the annotation makes it the default"),
        pytest.param({facts.DEFAULT_CLASS: "false"}, "", id="the annotation can say no"),
        pytest.param({}, "", id="a class without the annotation is no default"),
        pytest.param(None, "", id="annotations may be missing altogether"),
    ],
)
def test_storage_class(annotations: dict[str, str] | None, expected: str) -> None:
    """The default StorageClass is the one with the annotation."""
    cluster = FakeCluster("aks")
    cluster.remove(Ref("StorageClass", "standard"))
    cluster.put({"kind": "StorageClass", "metadata": {"name": "fast", "annotations": annotations}})
    assert facts.observe(cluster, DC, FakeClock()).storage_class == expected


@pytest.mark.parametrize(
    ("service", "provider", "expected"),
    [
        pytest.param({"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}, "", True, id="a Service has an address"),
        pytest.param({"loadBalancer": {}}, "aws://1", True, id="the nodes come from a cloud provider"),
        pytest.param({"loadBalancer": {}}, "", False, id="neither"),
    ],
)
def test_load_balancer(service: dict[str, Any], provider: str, *, expected: bool) -> None:
    """A load balancer is seen by what it did, or by where the nodes come from."""
    cluster = FakeCluster("aks")
    cluster.put({"kind": "Node", "metadata": {"name": "aks-node"}, "spec": {"providerID": provider}})
    metadata = {"name": "ingress", "namespace": "default"}
    cluster.put({"kind": "Service", "metadata": metadata, "spec": {"type": "ClusterIP"}, "status": service})
    assert facts.observe(cluster, DC, FakeClock()).load_balancer_seen is expected


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"federation.json": "{"}, id="broken JSON"),
        pytest.param({"federation.json": "[]"}, id="JSON of another shape"),
        pytest.param({"federation.json": '{"id": "1"}'}, id="half of the fields"),
        pytest.param({"other": ""}, id="no such key"),
    ],
)
def test_damaged_marker(data: dict[str, str]) -> None:
    """Whatever is wrong with the marker, it is not taken for none."""
    cluster = FakeCluster("aks")
    metadata = {"name": "meshkit-federation", "namespace": "consul"}
    cluster.put({"kind": "ConfigMap", "metadata": metadata, "data": data})
    with pytest.raises(MeshkitError, match="configmap meshkit-federation is damaged"):
        facts.read_marker(cluster, "consul")


def test_marker_as_written(mesh: FakeFederation) -> None:
    """What federate wrote is read back: the federation, this datacenter, and the layout without contexts."""
    marker = facts.read_marker(mesh.clusters["eks"], "consul")
    identity, authority = mesh.state.identity(), mesh.state.authority()
    assert marker
    assert identity
    assert authority
    assert (marker.federation, marker.datacenter) == ("mesh", "eks")
    assert (marker.federation_id, marker.ca_fingerprint) == (identity.id, authority.fingerprint)
    assert [(dc.name, dc.context, dc.primary) for dc in marker.layout] == [("aks", "", True), ("eks", "", False)]


@pytest.mark.parametrize("field", ["name", "datacenter"])
def test_marker_with_a_name_that_leads_elsewhere(mesh: FakeFederation, field: str) -> None:
    """Names in a ConfigMap become parts of paths: one that is no legal name is not taken."""
    marker = mesh.clusters["aks"].find(Ref("ConfigMap", "meshkit-federation", "consul"))
    assert marker
    described = json.loads(marker["data"]["federation.json"]) | {field: "../../secret"}
    marker["data"]["federation.json"] = json.dumps(described)
    mesh.clusters["aks"].put(marker)
    with pytest.raises(MeshkitError, match="aks: configmap meshkit-federation is damaged"):
        facts.read_marker(mesh.clusters["aks"], "consul")


def test_storage_class_that_the_values_ask_for(world: FakeFederation) -> None:
    """A cluster without a default class is fine when the named one is there."""
    dc = replace(world.federation.primary, values={"server": {"storageClass": "standard"}})
    seen = facts.observe(world.clusters["aks"], dc, world.clock)
    assert (seen.storage_class, seen.wanted_storage_class) == ("standard", "standard")
    other = replace(dc, values={"server": {"storageClass": "fast"}})
    assert facts.observe(world.clusters["aks"], other, world.clock).storage_class == ""
