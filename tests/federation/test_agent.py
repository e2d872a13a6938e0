"""The probe agent's program and ConfigMaps: there before its pod, older ones gone, results never written over."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from fakes.federation import FakeFederation
from fakes.kube import FakeCluster
from meshkit.backends.base import Manifest, Ref
from meshkit.consul import names
from meshkit.federation import agent, releases, teardown
from meshkit.federation.steps import proxies
from meshkit.probes import bundle

RESULTS = Ref("ConfigMap", "mesh-probe-results-3", "consul")


def archives(cluster: FakeCluster) -> list[str]:
    """Names of the programs that a cluster holds."""
    return [item["metadata"]["name"] for item in cluster.list("ConfigMap", "consul", selector=agent.ARCHIVE_SELECTOR)]


def config_map(name: str, component: str, **more: Any) -> Manifest:
    labels = {"app": "mesh-probe", "component": component}
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "consul", "labels": labels}, **more}


def test_the_program_is_there_under_its_own_digest(mesh: FakeFederation) -> None:
    for cluster in mesh.clusters.values():
        (name,) = archives(cluster)
        found = cluster.find(Ref("ConfigMap", name, "consul"))
        assert found
        assert base64.b64decode(found["binaryData"]["agent.zip"]) == bundle.archive().content
        assert name == names.agent_archive(bundle.archive().digest)
        assert found["immutable"] is True


def test_the_probe_s_release_names_it(mesh: FakeFederation) -> None:
    wanted = releases.probe(mesh.context(), mesh.federation.primary)

    assert wanted.values["agent"]["archive"] == agent.archive_name()


def test_a_program_that_someone_deleted_is_put_back(mesh: FakeFederation) -> None:
    """Its pod can't start any more, so it is not ready, and the step acts."""
    aks = mesh.clusters["aks"]
    aks.remove(Ref("ConfigMap", agent.archive_name(), "consul"))

    proxies.act(mesh.context())

    assert archives(aks) == [agent.archive_name()]


def test_results_are_never_written_over(mesh: FakeFederation) -> None:
    """What the agent has stored stays as it is when meshkit runs again."""
    aks = mesh.clusters["aks"]
    stored = aks.put(config_map(RESULTS.name, "results", binaryData={"results.gz": "bWVhc3VyZWQ="}))

    proxies.act(mesh.context())

    assert aks.find(RESULTS) == stored


@pytest.mark.parametrize(
    ("given", "count"),
    [
        pytest.param({}, 8, id="nothing"),
        pytest.param({"results": {"segments": 2}}, 2, id="a number"),
        pytest.param({"enabled": False}, 0, id="no agent"),
        pytest.param({"results": {"segments": "x"}}, 8, id="no number"),
        pytest.param({"results": 5}, 8, id="a number for a mapping"),
        pytest.param(5, 8, id="a number for all"),
    ],
)
def test_as_many_results_as_the_values_say(world: FakeFederation, given: Any, count: int) -> None:
    """What is no such value is the chart's schema's to refuse."""
    aks = world.clusters["aks"]
    aks.put({"kind": "Namespace", "metadata": {"name": "consul"}})
    agent.ensure(world.context(), world.federation.primary, {"agent": given})
    assert len(aks.list("ConfigMap", "consul", selector=agent.RESULTS_SELECTOR)) == count


def test_results_that_are_missing_are_made_anew(mesh: FakeFederation) -> None:
    mesh.clusters["eks"].remove(RESULTS)

    proxies.act(mesh.context())

    found = mesh.clusters["eks"].find(RESULTS)
    assert found
    assert "binaryData" not in found


def test_there_are_as_many_as_the_user_s_values_say(mesh: FakeFederation) -> None:
    values = {"agent": {"results": {"segments": 12}}}

    agent.ensure(mesh.context(), mesh.federation.primary, values)

    held = mesh.clusters["aks"].list("ConfigMap", "consul", selector=agent.RESULTS_SELECTOR)
    assert len(held) == 12


def test_an_agent_that_is_switched_off_needs_nothing(world: FakeFederation) -> None:
    world.clusters["aks"].put({"kind": "Namespace", "metadata": {"name": "consul"}})

    agent.ensure(world.context(), world.federation.primary, {"agent": {"enabled": False}})

    assert world.clusters["aks"].list("ConfigMap", "consul") == []


def test_programs_of_earlier_versions_are_removed(mesh: FakeFederation) -> None:
    mesh.clusters["eks"].put(config_map("mesh-probe-agent-000000000000", "agent"))

    proxies.act(mesh.context())

    assert archives(mesh.clusters["eks"]) == [agent.archive_name()]


def test_a_program_that_a_job_still_runs_stays(mesh: FakeFederation) -> None:
    """A CronJob is replaced by ``probe schedule`` alone, and its pods would not start without the program."""
    eks = mesh.clusters["eks"]
    eks.put(config_map("mesh-probe-agent-000000000000", "agent"))
    volumes = [{"name": "tmp", "emptyDir": {}}, {"configMap": {"name": "mesh-probe-agent-000000000000"}}]
    job = {"jobTemplate": {"spec": {"template": {"spec": {"volumes": volumes}}}}}
    metadata = {"name": "mesh-probe-nightly", "namespace": "consul", "labels": {"app": "mesh-probe"}}
    eks.put({"kind": "CronJob", "metadata": metadata, "spec": job})

    proxies.act(mesh.context())

    assert archives(eks) == ["mesh-probe-agent-000000000000", agent.archive_name()]


def test_results_and_programs_go_with_the_federation(mesh: FakeFederation) -> None:
    """Those of jobs and of earlier versions too."""
    aks = mesh.clusters["aks"]
    aks.put(config_map("mesh-probe-results-job-nightly", "results"))
    aks.put(config_map("mesh-probe-agent-000000000000", "agent"))

    teardown.remove_datacenters(mesh.context(), mesh.federation.datacenters, str)

    assert aks.everything() == FakeCluster("aks").everything()
