"""Proxies: probes are installed where they differ, and everything is waited for everywhere."""

from __future__ import annotations

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.errors import DeadlineError
from meshkit.federation import workloads
from meshkit.federation.steps import datacenters, gateways, proxies, settings, trust


@pytest.fixture
def world() -> FakeFederation:
    """Two clusters with Consul and its settings, but without probes."""
    made = FakeFederation()
    for step in (trust, gateways, datacenters, settings):
        step.act(made.context())
    return made


def test_probes_everywhere(world: FakeFederation) -> None:
    """The step ends with every workload of every datacenter ready, and then has nothing left to do."""
    assert [c.what for c in proxies.plan(world.context())] == ["helm release mesh-probe"] * 2
    proxies.act(world.context())
    assert proxies.plan(world.context()) == ()
    for cluster in world.clusters.values():
        for workload in workloads.ALL:
            found = cluster.find(Ref(workload.kind, workload.name, "consul"))
            assert found
            assert found["status"]["readyReplicas"] == 1


def test_a_third_datacenter_changes_every_probe(mesh: FakeFederation) -> None:
    """Each probe has a port for each other datacenter, so the probes of those that stay are upgraded."""
    mesh.add_cluster("gke")
    mesh.grow(("aks", "eks", "gke"))
    assert [(c.action, c.datacenter) for c in proxies.plan(mesh.context())] == [
        ("update", "aks"),
        ("update", "eks"),
        ("create", "gke"),
    ]


def test_probe_that_does_not_come_up(world: FakeFederation) -> None:
    """A probe whose Secret was taken away is named with its datacenter, and its pod is shown."""
    world.clusters["eks"].remove(Ref("Secret", "meshkit-probe-token", "consul"))
    with pytest.raises(DeadlineError, match=r"^eks: not after 60 s: 0 of 1 mesh probes ready$") as raised:
        proxies.act(world.context())
    assert raised.value.detail.startswith("pod mesh-probe-")


def test_what_is_not_ready_is_in_the_plan(mesh: FakeFederation) -> None:
    """A workload that someone deleted is awaited, by name and with what is lacking."""
    mesh.clusters["eks"].remove(Ref("Deployment", "consul-mesh-gateway", "consul"))
    (change,) = proxies.plan(mesh.context())
    assert (change.action, change.what, change.datacenter) == ("await", "mesh gateway", "eks")
    assert change.why == "mesh gateways are not there yet"
