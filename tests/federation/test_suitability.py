"""Whether a cluster suits: nodes large and many enough, the platform's rules, who has the gateway's port."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.federation import FakeFederation
from meshkit.backends.base import Manifest
from meshkit.errors import MeshkitError
from meshkit.events import Note
from meshkit.federation import capacity, facts, settle, suitability
from meshkit.federation.context import Context
from meshkit.federation.facts import ClusterFacts
from meshkit.federation.steps import preflight
from platforms import nodes

CHARTS = Path(__file__).parent.parent.parent / "charts"
OPENSHIFT = ("security.openshift.io", "config.openshift.io")


def put(world: FakeFederation, cluster: str, *manifests: Manifest, groups: tuple[str, ...] = ()) -> None:
    """Give a cluster these nodes instead of its own."""
    world.clusters[cluster].remove(facts.Ref("Node", f"{cluster}-node"))
    for place, manifest in enumerate(manifests):
        meta = manifest["metadata"] | {"name": f"node-{place}"}
        world.clusters[cluster].put({"kind": "Node", **manifest, "metadata": meta})
    world.clusters[cluster].groups.update(groups)


def opened(world: FakeFederation, **options: Any) -> Context:
    """A settled run; ``options`` are those of every datacenter, and ``chart``."""
    chart = options.pop("chart", "hashicorp")
    datacenters = tuple(replace(dc, **options) for dc in world.federation.datacenters)
    world.federation = replace(world.federation, chart=chart, datacenters=datacenters)
    return settle.settled(world.context())


def seen(context: Context) -> dict[str, ClusterFacts]:
    return {dc.name: facts.observe(context.kube[dc.name], dc, context.clock) for dc in context.federation.datacenters}


def problems(context: Context) -> list[str]:
    """One line each; all must come with a hint."""
    found = list(suitability.problems(context.federation, seen(context)))
    assert all(problem.hint for problem in found)
    return [problem.message for problem in found]


def noted(context: Context) -> list[str]:
    return [f"{note.scope}: {note.text}" for note in suitability.notes(context.federation, seen(context))]


def test_problems_and_notes_are_part_of_the_preflight(world: FakeFederation) -> None:
    """Problems with all the others before anything is touched, notes on the way."""
    put(world, "aks", nodes.node("", cpu="2", memory="1Gi"))
    context = opened(world, chart="light", servers=3)
    assert preflight.plan(context) == ()
    assert any(isinstance(event, Note) and "of all nodes" in event.text for event in world.events)
    put(world, "eks")
    with pytest.raises(MeshkitError, match="eks: there is no node that takes ordinary pods"):
        preflight.plan(context)


@pytest.mark.parametrize("chart", ["light", "hashicorp"])
@pytest.mark.parametrize("node", [nodes.AKS, nodes.EKS, nodes.GKE, nodes.LAB], ids=["AKS", "EKS", "GKE", "lab"])
def test_usual_nodes(world: FakeFederation, node: Manifest, chart: str) -> None:
    """Three of the smallest usual nodes take three servers and two gateways, and there is nothing to say."""
    put(world, "eks", node, node, node)
    put(world, "aks", nodes.AKS, nodes.AKS, nodes.AKS)
    context = opened(world, servers=3, gateways=2, chart=chart)
    assert problems(context) == []
    assert noted(context) == []


def test_a_node_that_is_too_small(world: FakeFederation) -> None:
    """Which pod, what it asks for, and the least node of that platform that takes it."""
    put(
        world, "eks", nodes.node("aws:///eu-west-1a/i-1", cpu="900m", memory="150Mi", **nodes.EKS["metadata"]["labels"])
    )
    found = problems(opened(world))
    assert found[0] == "eks: no node can take a pod of server, which asks for 0.1 CPU and 0.2 GiB"
    assert {line.partition("pod of ")[2].partition(",")[0] for line in found} == {"server", "connectInject", "probe"}


def test_the_users_own_requests(world: FakeFederation) -> None:
    """A server that shall have 8 GiB needs a node that has them."""
    values = {"server": {"resources": {"requests": {"memory": "8Gi", "cpu": "4"}}}}
    put(world, "eks", nodes.EKS)
    found = problems(opened(world, values=values))
    assert "eks: no node can take a pod of server, which asks for 4 CPU and 8 GiB" in found


@pytest.mark.parametrize(
    ("spoiled", "count"),
    [
        pytest.param({"spec": {"unschedulable": True}}, 2, id="cordoned"),
        pytest.param({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}, 2, id="tainted"),
        pytest.param({"spec": {"taints": [{"key": "a", "effect": "PreferNoSchedule"}]}}, 3, id="avoided if possible"),
        pytest.param({"metadata": {"labels": {"kubernetes.io/os": "windows"}}}, 2, id="Windows"),
    ],
)
def test_nodes_that_take_no_pods(spoiled: Manifest, count: int) -> None:
    """Only nodes that the scheduler would use count."""
    odd = {**nodes.EKS, **spoiled}
    odd["metadata"] = {"name": "odd", **spoiled.get("metadata", {})}
    assert len(capacity.capacity([nodes.EKS, nodes.EKS, odd], ()).nodes) == count


@pytest.mark.parametrize("values", [{"server": True}, {"server": {"resources": {"requests": 5}}}, {"server": None}])
def test_requests_that_are_none(world: FakeFederation, values: dict[str, Any]) -> None:
    """The usual ones count; the chart, or the API server, refuses what stands there."""
    federation = opened(world, values=values).federation
    assert capacity.needs(federation, federation.primary)[0] == capacity.Need("server", 1, 0.1, 200 * 2**20, apart=True)


def test_no_node_at_all(world: FakeFederation) -> None:
    """A cluster whose pools are scaled to nothing."""
    put(world, "eks")
    assert problems(opened(world)) == ["eks: there is no node that takes ordinary pods"]


@pytest.mark.parametrize("group", ["karpenter.sh", "eks.amazonaws.com", "auto.gke.io"])
def test_nodes_that_come_when_needed(world: FakeFederation, group: str) -> None:
    """Where an autoscaler brings the right nodes, none and too few are nothing to complain of."""
    put(world, "eks", groups=(group,))
    put(world, "aks", nodes.AKS, nodes.AKS, nodes.AKS)
    assert problems(opened(world, servers=3)) == []


def test_three_servers_on_two_nodes(world: FakeFederation) -> None:
    """The official chart's servers each need a node of their own; the light chart's only like to have one."""
    put(world, "eks", nodes.EKS, nodes.EKS)
    put(world, "aks", nodes.AKS)
    assert problems(opened(world, servers=3)) == [
        "aks: 3 servers need 3 nodes, each one of its own; 1 takes pods",
        "eks: 3 servers need 3 nodes, each one of its own; 2 take pods",
    ]
    assert problems(opened(world, servers=3, chart="light")) == []
    assert problems(opened(world, servers=3, values={"server": {"affinity": None}})) == []


def test_most_of_the_nodes(world: FakeFederation) -> None:
    """What fits but takes more than half of all there is, is mentioned."""
    put(world, "eks", nodes.node("aws:///eu-west-1a/i-1", cpu="2", memory="1Gi"))
    (said,) = noted(opened(world))
    assert said.startswith("eks: Consul asks for 69% of the memory of all nodes: some pods may have to wait")
    assert said.endswith("t3.medium (2 vCPU, 4 GiB)")


def test_kind_without_a_load_balancer(world: FakeFederation) -> None:
    """Said beforehand, with what to do; not once some Service has an address, or the user has given one."""
    put(world, "eks", nodes.KIND)
    said = ["eks: kind has no load balancer of its own: run cloud-provider-kind beside it, or install MetalLB"]
    context = opened(world)
    assert noted(context) == said
    own = tuple(replace(dc, gateway_address="192.0.2.1") for dc in context.federation.datacenters)
    assert noted(replace(context, federation=replace(context.federation, datacenters=own))) == []
    ingress = {"loadBalancer": {"ingress": [{"ip": "172.18.0.9"}]}}
    meta = {"name": "web", "namespace": "default"}
    world.clusters["eks"].put(
        {"kind": "Service", "metadata": meta, "spec": {"type": "LoadBalancer"}, "status": ingress}
    )
    assert noted(context) == []


def test_traefik_of_k3s(world: FakeFederation) -> None:
    """Its servicelb gives a node's port once, and k3s's own ingress has 443."""
    put(world, "eks", nodes.K3S)
    world.clusters["eks"].gitversion = "v1.34.1+k3s1"
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}, {"port": 443}]}
    meta = {"name": "traefik", "namespace": "kube-system"}
    world.clusters["eks"].put({"kind": "Service", "metadata": meta, "spec": spec})
    (said,) = noted(opened(world))
    assert said.startswith("eks: k3s gives each port of its nodes to one service, and kube-system/traefik has 443: ")
    assert noted(opened(world, gateway_port=8443)) == []


def test_an_internal_load_balancer_where_none_is_known(world: FakeFederation) -> None:
    """On k3s nobody knows how to ask for one, unless the user says it."""
    put(world, "eks", nodes.K3S)
    world.clusters["eks"].gitversion = "v1.34.1+k3s1"
    put(world, "aks", nodes.AKS)
    asked = opened(world, gateway_internal=True)
    assert problems(asked) == ["eks: nothing is known of internal load balancers on k3s"]
    assert problems(opened(world, gateway_internal=True, gateway_annotations={"example.com/pool": "inside"})) == []


def test_openshift(world: FakeFederation) -> None:
    """The official chart gets its switch and needs leave for SCCs; for the light chart the command is told."""
    put(world, "eks", nodes.OPENSHIFT_ON_AWS, groups=OPENSHIFT)
    context = opened(world)
    eks = context.federation.datacenters[1]
    assert eks.platform == "openshift"
    assert problems(context) == []
    world.clusters["eks"].faults.forbid("create", "securitycontextconstraints")
    (said,) = problems(context)
    assert said.startswith("eks: no permission to create securitycontextconstraints.security.openshift.io, which the")
    (note,) = noted(opened(world, chart="light"))
    assert note.endswith("oc adm policy add-scc-to-group nonroot-v2 system:serviceaccounts:consul")


def test_clusters_that_were_not_seen(world: FakeFederation) -> None:
    """What could not be read is not judged."""
    context = opened(world)
    refused = ClusterFacts("aks", "", "", 0, refused=(facts.Permission("list", "nodes"),))
    assert list(suitability.problems(context.federation, {"aks": refused})) == []
    assert list(suitability.notes(context.federation, {"aks": refused})) == []


@pytest.mark.parametrize(
    ("quantity", "number"),
    [("100m", 0.1), ("2", 2), (4, 4), ("1.5Gi", 1.5 * 2**30), ("3900Mi", 3900 * 2**20), ("2M", 2e6), ("x", 0), ("", 0)],
)
def test_amounts(quantity: object, number: float) -> None:
    """Kubernetes quantities in numbers."""
    assert capacity.amount(quantity) == pytest.approx(number)


def test_the_light_charts_requests_are_those_of_the_chart() -> None:
    """The figures follow the charts of this project."""
    values = yaml.safe_load((CHARTS / "consul" / "values.yaml").read_text())
    for part, (cpu, memory) in capacity.LIGHT.items():
        assert values[part]["resources"]["requests"] == {"cpu": cpu, "memory": memory}
    probe = yaml.safe_load((CHARTS / "mesh-probe" / "values.yaml").read_text())
    asked = [probe["resources"]["requests"]] * 2 + [probe["agent"]["resources"]["requests"]]
    for place, resource in enumerate(("cpu", "memory")):
        total = sum(capacity.amount(each[resource]) for each in asked)
        assert capacity.amount(capacity.PROBE[place]) == pytest.approx(total)
