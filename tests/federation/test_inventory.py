"""The clusters of the kubeconfigs: what each is, where its tags come from, and whether it can join."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from fakes.definitions import definition
from fakes.federation import FakeFederation
from meshkit.backends.base import Manifest, Ref
from meshkit.backends.clock import SystemClock
from meshkit.errors import MeshkitError, UnreachableError
from meshkit.federation import inventory, runner
from meshkit.federation.inventory import Inventory
from meshkit.model import Candidate
from platforms import nodes


def put(world: FakeFederation, cluster: str, node: Manifest, **labels: str) -> None:
    """The cluster's one node, with labels of people's own."""
    meta = {"name": f"{cluster}-node", "labels": node["metadata"]["labels"] | labels}
    world.clusters[cluster].put({"kind": "Node", **node, "metadata": meta})


def label_system(world: FakeFederation, cluster: str, **labels: str) -> None:
    named = {"kubernetes.io/metadata.name": "kube-system"} | labels
    world.clusters[cluster].patch(Ref("Namespace", "kube-system"), {"metadata": {"labels": named}})


def take(
    world: FakeFederation, *contexts: str, tags: dict[str, dict[str, str]] | None = None, chart: str = ""
) -> list[Candidate]:
    """Each context as it is found; all of the world's when none is named. The clock of clusters is this machine's."""
    taken = Inventory(world.clusters.__getitem__, world.clock, "consul", tags or {}, timeout_s=10, chart=chart)
    return list(taken.take([Candidate(context) for context in contexts or world.clusters]))


def test_what_each_is(world: FakeFederation) -> None:
    """Platform, region, version and nodes, in the order of the kubeconfigs; both can join."""
    put(world, "aks", nodes.AKS)
    put(world, "eks", nodes.EKS)
    world.clusters["eks"].gitversion = "v1.34.1-eks-113cf36"
    aks, eks = take(world)
    assert (aks.platform, aks.region, aks.version, aks.nodes) == ("aks", "westeurope", "v1.34.4", 1)
    assert (eks.platform, eks.region, eks.version, eks.nodes) == ("eks", "eu-west-1", "v1.34.1-eks-113cf36", 1)
    assert aks.can_join
    assert eks.can_join


def test_members_and_others(mesh: FakeFederation) -> None:
    """Which federation, as which datacenter, in which role; a cluster beside it can join."""
    mesh.add_cluster("gke")
    aks, eks, gke = take(mesh)
    assert (aks.federation, aks.datacenter, aks.primary, aks.can_join) == ("mesh", "aks", True, False)
    assert (eks.federation, eks.datacenter, eks.primary, eks.can_join) == ("mesh", "eks", False, False)
    assert (gke.federation, gke.can_join) == ("", True)


def test_a_member_in_another_namespace() -> None:
    """A federation of another namespace than the one looked in is found by its servers."""
    mesh = FakeFederation(namespace="mesh")
    mesh.wan.namespace = "mesh"
    assert all(each.can_join for each in take(mesh))
    runner.run(mesh.context())
    assert [each.federation for each in take(mesh)] == ["mesh", "mesh"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(lambda c: setattr(c, "gitversion", "v1.24.9"), "Kubernetes v1.24.9 is too old", id="too old"),
        pytest.param(
            lambda c: c.faults.forbid("create", "secrets"),
            "no permission to create secrets in namespace consul",
            id="a permission",
        ),
        pytest.param(
            lambda c: c.remove(Ref("StorageClass", "standard")),
            "there is no default StorageClass for the servers' volumes",
            id="no StorageClass",
        ),
        pytest.param(
            lambda c: c.remove(Ref("Node", "eks-node")), "there is no node that takes ordinary pods", id="no node"
        ),
        pytest.param(
            lambda c: (c.remove(Ref("Node", "eks-node")), c.remove(Ref("StorageClass", "standard"))),
            "there is no default StorageClass for the servers' volumes (and 1 more)",
            id="two reasons",
        ),
    ],
)
def test_why_a_cluster_can_not_join(world: FakeFederation, spoil: Any, reason: str) -> None:
    """The preflight's own words, the first and how many more."""
    spoil(world.clusters["eks"])
    aks, eks = take(world)
    assert aks.can_join
    assert (eks.reason, eks.can_join) == (reason, False)


OTHERS = {"meta.helm.sh/release-name": "theirs", "meta.helm.sh/release-namespace": "mesh"}
CLAIM = {
    "name": "data-consul-consul-server-0",
    "namespace": "consul",
    "labels": {"app": "consul", "component": "server"},
}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(
            lambda c: c.faults.forbid("create", "customresourcedefinitions"),
            "no permission to create customresourcedefinitions.apiextensions.k8s.io",
            id="a permission",
        ),
        pytest.param(
            lambda c: c.put(definition("ServiceIntentions", annotations=OTHERS)),
            "the definitions of Consul's kinds are another Consul's: helm release theirs in namespace mesh",
            id="definitions of another",
        ),
        pytest.param(
            lambda c: c.put({"kind": "PersistentVolumeClaim", "metadata": CLAIM}),
            "an earlier Consul has left its data: persistentvolumeclaim/data-consul-consul-server-0",
            id="data of an earlier Consul",
        ),
    ],
)
def test_what_the_official_chart_asks(world: FakeFederation, spoil: Any, reason: str) -> None:
    """It is judged where that chart would be installed: on a cloud, as long as no other is chosen."""
    put(world, "eks", nodes.EKS)
    for cluster in world.clusters.values():
        spoil(cluster)
    assert [each.reason for each in take(world)] == ["", reason]
    assert [each.reason for each in take(world, chart="light")] == ["", ""]
    assert [each.reason for each in take(world, chart="hashicorp")] == [reason, reason]


def test_data_of_a_release_that_is_there(world: FakeFederation) -> None:
    """Helm's own record tells that servers' volumes are in use; helm is not run."""
    put(world, "eks", nodes.EKS)
    world.clusters["eks"].put({"kind": "PersistentVolumeClaim", "metadata": CLAIM})
    labels = {"owner": "helm", "name": "consul"}
    record = {"name": "sh.helm.release.v1.consul.v1", "namespace": "consul", "labels": labels}
    world.clusters["eks"].put({"kind": "Secret", "metadata": record})
    assert [each.reason for each in take(world, "eks")] == [""]


def test_one_that_is_away_is_one_line(world: FakeFederation) -> None:
    """Its error is kept without the context's name, which stands beside it; the others are seen."""
    world.clusters["eks"].faults.unreachable = True
    aks, eks = take(world)
    assert (aks.error, eks.error) == ("", "the API server cannot be reached")


def test_a_context_that_can_not_be_opened(world: FakeFederation) -> None:
    """A missing login program is one line as well."""

    def opened(context: str) -> Any:
        if context == "eks":
            raise UnreachableError("eks: the kubeconfig logs in with aws, which is not installed")
        return world.clusters[context]

    found = Inventory(opened, world.clock, "consul", {}, timeout_s=10).take([Candidate("aks"), Candidate("eks")])
    assert [each.error for each in found] == ["", "the kubeconfig logs in with aws, which is not installed"]


def test_one_that_hangs_keeps_nobody(world: FakeFederation) -> None:
    """After the deadline the rest is told, and the hanging call is left to itself."""
    gate = threading.Event()

    def opened(context: str) -> Any:
        if context == "eks":
            gate.wait(30)
        return world.clusters[context]

    clock = SystemClock()
    began = clock.monotonic()
    found = Inventory(opened, clock, "consul", {}, timeout_s=0.5).take([Candidate("aks"), Candidate("eks")])
    assert clock.monotonic() - began < 10
    assert [each.error for each in found][1] == "no answer within 0.5 s"
    assert found[0].version
    gate.set()


def test_where_tags_come_from(world: FakeFederation) -> None:
    """Cloud and region, labels that all nodes have, labels of kube-system, and the file, which wins."""
    put(world, "eks", nodes.EKS, env="test", pool="a")
    label_system(world, "eks", env="prod", team="payments")
    (eks,) = take(world, "eks", tags={"eks": {"team": "search"}, "aks": {"team": "other"}})
    assert eks.tags["cloud"] == "eks"
    assert eks.tags["region"] == "eu-west-1"
    assert eks.tags["topology.kubernetes.io/zone"] == "eu-west-1a"
    assert (eks.tags["env"], eks.tags["pool"], eks.tags["team"]) == ("prod", "a", "search")
    assert eks.shown == {"env": "prod", "pool": "a", "team": "search"}
    assert "kubernetes.io/metadata.name" not in eks.tags


def test_labels_that_not_all_nodes_have(world: FakeFederation) -> None:
    """A label of one pool says nothing of the cluster."""
    put(world, "eks", nodes.EKS, env="prod", pool="a")
    other = {"name": "second", "labels": nodes.EKS["metadata"]["labels"] | {"env": "prod", "pool": "b"}}
    world.clusters["eks"].put({"kind": "Node", **nodes.EKS, "metadata": other})
    (eks,) = take(world, "eks")
    assert eks.shown == {"env": "prod"}


@pytest.mark.parametrize("resource", ["nodes", "namespaces"])
def test_credentials_that_see_little(world: FakeFederation, resource: str) -> None:
    """What can't be read gives no tags, and the missing permission is the reason."""
    for verb in ("get", "list"):
        world.clusters["eks"].faults.forbid(verb, resource)
    (eks,) = take(world, "eks")
    assert not eks.error
    assert f"no permission to {'list' if resource == 'nodes' else 'get'} {resource}" in eks.reason


def test_two_contexts_of_one_cluster(world: FakeFederation) -> None:
    """As with an administrator's context of AKS: the first can join, the second says which it is."""
    taken = Inventory(lambda _: world.clusters["aks"], world.clock, "consul", {}, timeout_s=10)
    first, second = inventory.each_once(taken.take([Candidate("aks"), Candidate("aks-admin")]))
    assert first.can_join
    assert second.reason == "it is the same cluster as aks"


def test_which_context_of_a_cluster() -> None:
    """The one that is known, else the first in whose way nothing stands; who was not seen is nobody's double."""
    aks = Candidate("aks", uid="1", reason="no permission to create secrets")
    admin, other = replace(aks, context="aks-admin", reason=""), replace(aks, context="aks-other", reason="")
    found = [aks, admin, other, Candidate("eks", uid="2"), Candidate("far"), Candidate("gone")]
    assert inventory.doubles(found) == {"aks": "aks-admin", "aks-other": "aks-admin"}
    assert inventory.doubles(found, ["aks", "eks"]) == {"aks-admin": "aks", "aks-other": "aks"}
    assert [each.reason for each in inventory.each_once(found)[:3]] == [
        "no permission to create secrets",
        "",
        "it is the same cluster as aks-admin",
    ]


def test_chosen_clusters_that_can_not_join() -> None:
    """All of them are listed, each with its reason; members of the federation itself are fine."""
    fine = Candidate("aks", version="v1.34.4")
    chosen = [
        fine,
        replace(fine, context="eks", federation="mesh", datacenter="eks"),
        replace(fine, context="gke", federation="shop", datacenter="gke"),
        replace(fine, context="old", reason="Kubernetes v1.24.9 is too old"),
        replace(fine, context="far", error="no answer within 20 s"),
    ]
    inventory.require_joinable(chosen[:2], "mesh")
    with pytest.raises(MeshkitError, match="3 of the 5 clusters with these tags can't join mesh") as caught:
        inventory.require_joinable(chosen, "mesh")
    assert caught.value.detail.splitlines() == [
        "gke: in federation shop already",
        "old: Kubernetes v1.24.9 is too old",
        "far: no answer within 20 s",
    ]
