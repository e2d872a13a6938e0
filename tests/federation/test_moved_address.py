"""A load balancer whose address changes: noticed by the next plan, by status and by check, repaired by federate."""

from __future__ import annotations

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.checks import check
from meshkit.checks.gateways import CHECKS
from meshkit.checks.observe import observe
from meshkit.federation import runner
from meshkit.federation.drift import drift
from meshkit.federation.steps import datacenters

SERVICE = Ref("Service", "meshkit-mesh-gateway", "consul")
NEW, NAME = "198.51.100.77", "mesh.elb.eu-west-1.amazonaws.com"


def move(mesh: FakeFederation, name: str, **ingress: str) -> None:
    """The cloud gives the load balancer of a datacenter another address, behind everybody's back."""
    found = mesh.clusters[name].find(SERVICE)
    assert found
    mesh.clusters[name].put(found | {"status": {"loadBalancer": {"ingress": [ingress]}}})


def complaints(mesh: FakeFederation) -> list[str]:
    return [r.detail for r in check.run(observe(mesh.context()), CHECKS) if r.verdict != "pass"]


def test_a_secondarys_address(mesh: FakeFederation) -> None:
    """Its own release alone has to be made anew, and everything says why; one run repairs it."""
    move(mesh, "eks", ip=NEW)
    planned = datacenters.plan(mesh.context())
    said = f"the gateway's address was 203.0.113.2 and is {NEW}"
    assert [(c.datacenter, c.why) for c in planned] == [("eks", said)]
    eks = mesh.federation.datacenters[1]
    assert drift(mesh.context(), eks) == (f"helm release consul: {said}",)
    assert complaints(mesh) == [f"eks: 203.0.113.2:443 is announced, the load balancer has {NEW}:443"]
    runner.run(mesh.context())
    assert mesh.wan.values("eks")["meshGateway"]["wanAddress"]["static"] == NEW
    assert complaints(mesh) == []
    assert datacenters.plan(mesh.context()) == ()


def test_the_primarys_address(mesh: FakeFederation) -> None:
    """The secondaries enter through it: their releases change with the primary's."""
    move(mesh, "aks", ip=NEW)
    planned = datacenters.plan(mesh.context())
    assert [(c.datacenter, c.why) for c in planned] == [
        ("aks", f"the gateway's address was 203.0.113.1 and is {NEW}"),
        ("eks", f"the primary's gateway was 203.0.113.1:443 and is {NEW}:443"),
    ]
    runner.run(mesh.context())
    assert mesh.wan.values("eks")["global"]["federation"]["primaryGateways"] == [f"{NEW}:443"]
    assert complaints(mesh) == []


def test_a_name_that_resolves_elsewhere(mesh: FakeFederation) -> None:
    """Consul and Envoy are given the name and resolve it anew: nothing is to be repaired, and status shows where to."""
    mesh.names[NAME] = ("198.51.100.1",)
    move(mesh, "eks", hostname=NAME)
    runner.run(mesh.context())
    mesh.names[NAME] = ("198.51.100.2", "198.51.100.3")
    assert datacenters.plan(mesh.context()) == ()
    assert complaints(mesh) == []
    assert observe(mesh.context()).datacenters[1].gateway.resolved == ("198.51.100.2", "198.51.100.3")


def test_a_name_that_is_gone(mesh: FakeFederation) -> None:
    """A load balancer that was deleted leaves a name that nobody resolves."""
    mesh.names[NAME] = ("198.51.100.1",)
    move(mesh, "eks", hostname=NAME)
    runner.run(mesh.context())
    del mesh.names[NAME]
    assert complaints(mesh) == [f"eks: {NAME} does not resolve here"]


@pytest.mark.parametrize("name", ["aks", "eks"])
def test_an_address_that_was_lost_and_comes_again(mesh: FakeFederation, name: str) -> None:
    """While there is none, the plan says that it is awaited."""
    found = mesh.clusters[name].find(SERVICE)
    assert found
    mesh.clusters[name].put(found | {"status": {"loadBalancer": {}}})
    mesh.clusters[name].load_balancers.ip, mesh.clusters[name].load_balancers.polls = NEW, 4
    runner.run(mesh.context())
    assert mesh.wan.values(name)["meshGateway"]["wanAddress"]["static"] == NEW
    assert complaints(mesh) == []
