"""The whole of federate with the official chart, over fakes: what is made, where, and that a second run finds it."""

from __future__ import annotations

import base64
import json

import pytest

from fakes.federation import FakeFederation, officially
from meshkit.backends.base import Ref
from meshkit.consul.names import SERVER_API, SERVER_SETTINGS, TOKENS
from meshkit.federation import discover, runner
from meshkit.federation.objects import FEDERATION_CONFIGMAP
from meshkit.federation.state import State


@pytest.fixture
def world() -> FakeFederation:
    """Two clusters that nothing has touched yet, to get the official chart."""
    made = FakeFederation()
    made.federation = officially(made.federation)
    return made


def test_federates_and_finds_all_of_it_again(world: FakeFederation) -> None:
    """Everything that a step does is there for the next run."""
    runner.run(world.context())
    again = {step.name: step.changes for step in runner.run(world.context())}
    assert {name for name, changes in again.items() if changes} == {"verify"}
    assert [helm.installs for helm in world.wan.helms.values()] == [["consul", "mesh-probe"]] * 2


def test_the_chart_makes_its_own_tokens(world: FakeFederation) -> None:
    """Ours in Consul is the probe's alone; the replication token is the one that the chart's job made."""
    runner.run(world.context())
    held = world.state.secrets()
    assert held is not None
    known = {name for name, token in held.tokens.items() if token.reveal() in world.wan.store("eks").tokens}
    assert known == {"bootstrap", "replication", "probe"}


def test_each_cluster_has_what_its_chart_reads(world: FakeFederation) -> None:
    """No token that nobody reads, and a Service for the servers' API."""
    runner.run(world.context())
    for name, cluster in world.clusters.items():
        secrets = {secret["metadata"]["name"] for secret in cluster.list("Secret", "consul")}
        tokens = {"replication", "probe"} | ({"bootstrap"} if name == "aks" else set())
        assert secrets & set(TOKENS.values()) == {TOKENS[token] for token in tokens}
        service = cluster.find(Ref("Service", SERVER_API, "consul"))
        settings = cluster.find(Ref("ConfigMap", SERVER_SETTINGS, "consul"))
        assert service
        assert settings
        assert json.loads(settings["data"]["meshkit.json"])["advertise_addr_wan"] == service["spec"]["clusterIP"]


def test_other_laptops_learn_which_chart_it_is(world: FakeFederation) -> None:
    """From the marker in each cluster; this machine from its state."""
    runner.run(world.context())
    kube = {dc.context: world.clusters[dc.name] for dc in world.federation.datacenters}
    found = discover.discover(kube, "consul").federation
    assert (found.official, found.chart_version) == (True, "1.9.11")
    marker = world.clusters["eks"].find(Ref("ConfigMap", FEDERATION_CONFIGMAP, "consul"))
    assert marker is not None
    assert json.loads(marker["data"]["federation.json"])["chart"] == "hashicorp"
    identity = State("mesh").identity()
    assert identity is not None
    assert identity.federation == world.federation


def test_no_secret_is_in_the_values(world: FakeFederation) -> None:
    """Helm keeps them in its release; they name Secrets only."""
    runner.run(world.context())
    held = world.state.secrets()
    assert held is not None
    secrets = [token.reveal() for token in held.tokens.values()] + [held.gossip.reveal()]
    for helm in world.wan.helms.values():
        text = json.dumps([helm.values(name, "consul") for name in ("consul", "mesh-probe")])
        assert not [
            secret for secret in secrets if secret in text or base64.b64encode(secret.encode()).decode() in text
        ]
