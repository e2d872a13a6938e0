"""Datacenters: what differs is installed, everywhere at once, and a pod that can't start is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.errors import CombinedError, MeshkitError, UnreachableError
from meshkit.events import Progress
from meshkit.federation.steps import datacenters, gateways, trust


@pytest.fixture
def world() -> FakeFederation:
    """Two clusters after the steps before: secrets and addresses are there, Consul is not."""
    made = FakeFederation()
    trust.act(made.context())
    gateways.act(made.context())
    return made


def installs(world: FakeFederation) -> dict[str, list[str]]:
    """Which releases each cluster's Helm was told to install, in order."""
    return {name: helm.installs for name, helm in world.wan.helms.items()}


def test_installs_what_is_missing_once(world: FakeFederation) -> None:
    """Consul is installed in each cluster; a second run installs nothing."""
    datacenters.act(world.context())
    assert installs(world) == {"aks": ["consul"], "eks": ["consul"]}
    assert datacenters.plan(world.context()) == ()
    datacenters.act(world.context())
    assert installs(world) == {"aks": ["consul"], "eks": ["consul"]}
    assert Progress("datacenters", "helm installs consul", "eks") in world.events


def test_plan_before_anything_is_there() -> None:
    """The plan of a new federation lists the releases without a certificate or an address being there."""
    untouched = FakeFederation()
    found = [(c.action, c.what, c.datacenter) for c in datacenters.plan(untouched.context())]
    assert found == [("create", "helm release consul", "aks"), ("create", "helm release consul", "eks")]


@pytest.mark.parametrize(
    ("options", "again"),
    [
        pytest.param({"servers": 3}, {"aks": ["consul"], "eks": []}, id="more servers"),
        pytest.param({"gateways": 2}, {"aks": ["consul"], "eks": []}, id="more gateways"),
        pytest.param({"values": {"server": {"logLevel": "debug"}}}, {"aks": ["consul"], "eks": []}, id="a Helm value"),
        pytest.param({}, {"aks": [], "eks": []}, id="nothing"),
    ],
)
def test_only_what_changed_is_upgraded(
    world: FakeFederation, options: dict[str, Any], again: dict[str, list[str]]
) -> None:
    """A change in one datacenter's description upgrades that release in that cluster."""
    datacenters.act(world.context())
    for helm in world.wan.helms.values():
        helm.installs.clear()
    aks, eks = world.federation.datacenters
    world.federation = replace(world.federation, datacenters=(replace(aks, **options), eks))
    datacenters.act(world.context())
    assert installs(world) == again


@pytest.mark.parametrize("status", ["failed", "pending-install", "pending-upgrade"])
def test_unfinished_release_is_installed_again(world: FakeFederation, status: str) -> None:
    """What a killed or failed Helm left is installed again, and is then as described."""
    datacenters.act(world.context())
    world.wan.helms["aks"].leave("consul", "consul", status)
    assert [c.why for c in datacenters.plan(world.context())] == [f"it is {status}"]
    datacenters.act(world.context())
    assert datacenters.plan(world.context()) == ()


def test_helm_failing_in_one_cluster(world: FakeFederation) -> None:
    """The cluster is named, and the other one is installed all the same."""
    world.wan.helms["eks"].fails_with = "execution error at consul/templates/x.yaml"
    with pytest.raises(MeshkitError, match=r"eks: helm: execution error at consul/templates/x\.yaml"):
        datacenters.act(world.context())
    assert world.wan.helms["aks"].release("consul", "consul")
    assert world.wan.helms["aks"].installs == ["consul"]


def test_helm_failing_in_all_clusters(world: FakeFederation) -> None:
    """Every failure is reported, not only the first."""
    for helm in world.wan.helms.values():
        helm.fails_with = "boom"
    with pytest.raises(CombinedError, match="2 of 2 datacenters failed") as raised:
        datacenters.act(world.context())
    assert [error.message for error in raised.value.errors] == ["aks: helm: boom", "eks: helm: boom"]


def test_gateway_that_lost_its_address(world: FakeFederation) -> None:
    """Without an address nothing is installed with a wrong one."""
    world.clusters["eks"].remove(Ref("Service", "meshkit-mesh-gateway", "consul"))
    with pytest.raises(MeshkitError, match="a mesh gateway has lost its address"):
        datacenters.act(world.context())
    assert installs(world) == {"aks": [], "eks": []}


def test_cluster_that_is_away_from_the_start(world: FakeFederation) -> None:
    """Before any wait, an unreachable cluster is an error that names it."""
    world.clusters["eks"].faults.unreachable = True
    with pytest.raises(UnreachableError, match="eks: the API server cannot be reached"):
        datacenters.act(world.context())
