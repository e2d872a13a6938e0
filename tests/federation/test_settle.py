"""What only the clusters can tell of a description: which chart, and where each API server is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes.federation import FakeFederation
from fakes.kube import FakeCluster
from meshkit.federation import settle
from meshkit.model import Federation
from platforms import nodes


def opened(world: FakeFederation) -> Federation:
    """The world's federation once settled."""
    return settle.settled(world.context()).federation


def unplaced(federation: Federation) -> Federation:
    """Without what the clusters run on."""
    bare = (replace(dc, platform="", load_balancer="") for dc in federation.datacenters)
    return replace(federation, datacenters=tuple(bare))


def to_cloud(world: FakeFederation, name: str) -> None:
    node = {"kind": "Node", "metadata": {"name": f"{name}-node"}, "spec": {"providerID": "aws:///eu-west-1/i-1"}}
    world.clusters[name].put(node)


def test_lab_clusters_get_the_light_chart(world: FakeFederation) -> None:
    """The official images can't be had there."""
    world.federation = replace(world.federation, chart="")
    assert unplaced(opened(world)) == replace(world.federation, chart="light")


def test_one_real_cluster_is_enough_for_the_official_chart(world: FakeFederation) -> None:
    """One kind of chart for the whole federation, in the version that is pinned."""
    world.federation = replace(world.federation, chart="")
    to_cloud(world, "eks")
    found = opened(world)
    assert (found.chart, found.chart_version) == ("hashicorp", "1.9.11")
    assert [dc.api_server for dc in found.datacenters] == ["https://aks.example:6443", "https://eks.example:6443"]


def test_what_was_chosen_stays(world: FakeFederation) -> None:
    """Neither the kind nor the version of a federation that exists changes by itself."""
    chosen = replace(world.federation, chart="hashicorp", chart_version="1.9.9")
    world.federation = chosen
    assert (opened(world).chart, opened(world).chart_version) == ("hashicorp", "1.9.9")
    world.federation = replace(world.federation, chart="light", chart_version="")
    to_cloud(world, "aks")
    assert unplaced(opened(world)) == world.federation


def test_a_cluster_that_is_away_is_no_lab_cluster(world: FakeFederation) -> None:
    """Preflight says that it is away, beside the problems of all others; nothing is lost here."""
    world.federation = replace(world.federation, chart="")
    world.clusters["eks"].faults.unreachable = True
    assert opened(world).official


@pytest.mark.parametrize("url", ["https://127.0.0.1:38291", "https://localhost:6443", "https://[::1]:6443"])
def test_a_loopback_address_is_nobody_else_s(world: FakeFederation, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """As kind writes it: the primary's servers need the address that the cluster itself knows, or the user's."""
    world.federation = replace(world.federation, chart="hashicorp")
    monkeypatch.setattr(FakeCluster, "server", property(lambda _: url))
    subset = {"addresses": [{"ip": "172.18.0.2"}], "ports": [{"port": 6443}]}
    found = {"kind": "Endpoints", "metadata": {"name": "kubernetes", "namespace": "default"}, "subsets": [subset]}
    world.clusters["aks"].put(found)
    assert [dc.api_server for dc in opened(world).datacenters] == ["https://172.18.0.2:6443", ""]
    own = tuple(replace(dc, api_server="https://k8s.example") for dc in world.federation.datacenters)
    world.federation = replace(world.federation, datacenters=own)
    assert unplaced(opened(world)) == replace(world.federation, chart_version="1.9.11")


def test_what_each_cluster_runs_on(world: FakeFederation) -> None:
    """Platform and load balancer are told by the cluster: here EKS with AWS's controller, and a lab cluster."""
    world.clusters["eks"].put({"kind": "Node", **nodes.EKS, "metadata": {**nodes.EKS["metadata"], "name": "eks-node"}})
    world.clusters["eks"].groups.add("elbv2.k8s.aws")
    found = opened(world).datacenters
    assert [(dc.platform, dc.load_balancer) for dc in found] == [("lab", "any"), ("eks", "aws-controller")]


def test_a_load_balancer_stays_whose_it_was(world: FakeFederation) -> None:
    """What is installed later does not make another load balancer of one that is in use."""
    world.federation = opened(world)
    world.clusters["eks"].put({"kind": "Node", **nodes.EKS, "metadata": {**nodes.EKS["metadata"], "name": "eks-node"}})
    assert opened(world) == world.federation


def test_a_cluster_that_tells_nothing(world: FakeFederation) -> None:
    """What can't be asked is left open: preflight tells why, and the next run asks again."""
    world.clusters["eks"].faults.forbid("list", "nodes")
    found = opened(world).datacenters[1]
    assert (found.platform, found.load_balancer) == ("", "")
