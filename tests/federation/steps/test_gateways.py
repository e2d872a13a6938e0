"""Gateways: one Service of meshkit's own per cluster, and an address or a clear answer why there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes.federation import FakeFederation
from fakes.kube import LoadBalancers
from meshkit.backends.base import Ref
from meshkit.errors import CombinedError, DeadlineError
from meshkit.events import Progress
from meshkit.federation import releases
from meshkit.federation.steps import gateways, trust

SERVICE = Ref("Service", "meshkit-mesh-gateway", "consul")


@pytest.fixture
def world() -> FakeFederation:
    """Two clusters with their namespaces, which the step before made."""
    made = FakeFederation()
    trust.act(made.context())
    return made


def test_each_cluster_gets_an_address(world: FakeFederation) -> None:
    """The step ends when every Service has an address, and then has nothing left to do."""
    assert [(c.action, c.datacenter) for c in gateways.plan(world.context())] == [("create", "aks"), ("create", "eks")]
    gateways.act(world.context())
    assert releases.addresses(world.context()) == {"aks": "203.0.113.1", "eks": "203.0.113.2"}
    assert gateways.plan(world.context()) == ()


def test_host_name_instead_of_an_address(world: FakeFederation) -> None:
    """EKS gives a load balancer a host name; it is as good as an address."""
    world.clusters["eks"].load_balancers = LoadBalancers("", hostname="a1b2.elb.eu-west-1.amazonaws.com", polls=3)
    gateways.act(world.context())
    addresses = releases.addresses(world.context())
    assert addresses
    assert addresses["eks"] == "a1b2.elb.eu-west-1.amazonaws.com"


def test_what_is_awaited_is_told(world: FakeFederation) -> None:
    """While an address is awaited, the screen says so for that cluster."""
    world.clusters["eks"].load_balancers = LoadBalancers("203.0.113.9", polls=5)
    gateways.act(world.context())
    assert Progress("gateways", "the load balancer has no address yet", "eks") in world.events


def test_no_address_within_the_timeout(world: FakeFederation) -> None:
    """The error names the cluster, the limit and what is lacking; the hint names the Service and what may help."""
    world.clusters["eks"].load_balancers = LoadBalancers("")
    with pytest.raises(DeadlineError, match=r"^eks: not after 60 s: the load balancer has no address yet$") as raised:
        gateways.act(world.context(timeout_s=60))
    assert "kubectl --context eks -n consul describe service meshkit-mesh-gateway" in raised.value.hint
    assert "MetalLB" in raised.value.hint
    assert 60 <= world.clock.slept_s < 70


def test_no_wait_is_longer_than_a_load_balancer_takes(world: FakeFederation) -> None:
    """An hour's --timeout is not spent on an address that is not coming."""
    world.clusters["eks"].load_balancers = LoadBalancers("")
    with pytest.raises(DeadlineError, match="not after 300 s"):
        gateways.act(world.context(timeout_s=3600))


def test_one_cluster_without_an_address_lets_the_others_finish(world: FakeFederation) -> None:
    """All clusters that fail are named, and the one that works has its address."""
    world.add_cluster("gke")
    world.grow(("aks", "eks", "gke"))
    trust.act(world.context())
    for name in ("aks", "gke"):
        world.clusters[name].load_balancers = LoadBalancers("")
    with pytest.raises(CombinedError, match="2 of 3 datacenters failed") as raised:
        gateways.act(world.context())
    assert [error.message.partition(":")[0] for error in raised.value.errors] == ["aks", "gke"]
    found = world.clusters["eks"].find(SERVICE)
    assert found
    assert found["status"]["loadBalancer"]["ingress"]


def test_an_address_that_was_lost_is_awaited(world: FakeFederation) -> None:
    """A Service as described but without an address is not applied again, only waited for."""
    gateways.act(world.context())
    found = world.clusters["eks"].find(SERVICE)
    assert found
    world.clusters["eks"].put(found | {"status": {"loadBalancer": {}}})
    world.clusters["eks"].load_balancers = LoadBalancers("203.0.113.77", polls=3)
    (change,) = gateways.plan(world.context())
    assert (change.action, change.what, change.datacenter) == ("await", "address of the mesh gateway", "eks")


def test_another_port(world: FakeFederation) -> None:
    """A port that was changed is put into the Service that is there, which keeps its address."""
    gateways.act(world.context())
    before = world.clusters["eks"].find(SERVICE)
    datacenters = tuple(replace(dc, gateway_port=8443) for dc in world.federation.datacenters)
    world.federation = replace(world.federation, datacenters=datacenters)
    changes = gateways.plan(world.context())
    assert [(c.action, c.what) for c in changes] == [("update", "service meshkit-mesh-gateway, port 8443")] * 2
    gateways.act(world.context())
    after = world.clusters["eks"].find(SERVICE)
    assert before
    assert after
    assert after["spec"]["ports"][0]["port"] == 8443
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"] == before["status"]


def test_fields_that_the_cloud_adds_are_no_difference(world: FakeFederation) -> None:
    """Node ports, annotations and finalizers of the cloud's controller stay."""
    gateways.act(world.context())
    found = world.clusters["eks"].find(SERVICE)
    assert found
    found["spec"]["ports"][0]["nodePort"] = 31234
    found["metadata"]["annotations"] = {"cloud/id": "7"}
    world.clusters["eks"].put(found)
    assert gateways.plan(world.context()) == ()
