"""``meshkit discover`` and ``meshkit federate --tag`` as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.cli import wiring
from platforms import nodes

Meshkit = Callable[..., Any]


@pytest.fixture(autouse=True)
def kubeconfig(tmp_path: Path, world: FakeFederation) -> None:
    """Both clusters, and one that is in the kubeconfig alone."""
    write(tmp_path, "aks", "eks", "gone")
    world.clusters["eks"].put({"kind": "Node", **nodes.EKS, "metadata": nodes.EKS["metadata"] | {"name": "eks-node"}})


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch, world: FakeFederation) -> None:
    """The real clock of the command is that of the fake clusters."""
    monkeypatch.setattr("meshkit.backends.clock.SystemClock.now", lambda _: world.clock.now())


def write(tmp_path: Path, *contexts: str) -> None:
    content = {
        "contexts": [{"name": name, "context": {"cluster": name, "user": "u"}} for name in contexts],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example"}} for name in contexts],
        "users": [{"name": "u", "user": {}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(content))


def label(world: FakeFederation, cluster: str, **labels: str) -> None:
    world.clusters[cluster].patch(Ref("Namespace", "kube-system"), {"metadata": {"labels": labels}})


def test_table(meshkit: Meshkit, world: FakeFederation) -> None:
    """One line per context, then one per cluster that was not seen or can't join."""
    label(world, "aks", env="prod")
    result = meshkit("discover")
    assert result.code == 0, result.err
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0] == ["CONTEXT", "CLOUD", "REGION", "KUBERNETES", "NODES", "FEDERATION", "JOINS", "TAGS"]
    assert lines[1] == ["aks", "meshkit", "lab", "-", "v1.34.4", "1", "-", "yes", "env=prod"]
    assert lines[2] == ["eks", "EKS", "eu-west-1", "v1.34.4", "1", "-", "yes", "-"]
    assert lines[3] == ["gone", "-", "-", "-", "-", "-", "no", "-"]
    assert result.out.splitlines()[4] == "! gone: there is no context gone"


def test_json(meshkit: Meshkit, world: FakeFederation) -> None:
    """Everything that scripts select by, members with their role."""
    meshkit("federate", "aks", "eks", "--chart", "light")
    found = json.loads(meshkit("discover", "-o", "json").out)
    assert [each["context"] for each in found] == ["aks", "eks", "gone"]
    assert found[0]["federation"] == {"name": "mesh", "datacenter": "aks", "primary": True}
    assert (found[1]["cloud"], found[1]["region"], found[1]["can_join"]) == ("eks", "eu-west-1", False)
    assert found[1]["zones"] == ["eu-west-1a"]
    assert found[1]["server"] == "https://eks.example"
    assert found[1]["tags"]["topology.kubernetes.io/zone"] == "eu-west-1a"
    assert found[2]["error"] == "there is no context gone"
    assert world.wan.values("eks")


@pytest.mark.parametrize(
    ("tags", "contexts"),
    [
        pytest.param(["env=prod"], ["aks", "gone"], id="a label; who is away may have it too"),
        pytest.param(["cloud=eks"], ["eks", "gone"], id="the cloud"),
        pytest.param(["env=prod", "cloud=eks"], ["gone"], id="both at once"),
        pytest.param(["env"], ["aks", "gone"], id="any value"),
    ],
)
def test_selected(meshkit: Meshkit, world: FakeFederation, tags: list[str], contexts: list[str]) -> None:
    """Tags narrow the list."""
    label(world, "aks", env="prod")
    options = [word for tag in tags for word in ("--tag", tag)]
    assert [each["context"] for each in json.loads(meshkit("discover", *options, "-o", "json").out)] == contexts


def test_no_context(meshkit: Meshkit, tmp_path: Path) -> None:
    """Without any there is nothing to list, and that is an error."""
    (tmp_path / "kubeconfig").unlink()
    result = meshkit("discover")
    assert (result.code, result.out) == (2, "")
    assert "there is no context in the kubeconfigs" in result.err


def test_a_wrong_tags_file(meshkit: Meshkit, state_root: Path) -> None:
    """It is told before any cluster is asked."""
    folder = state_root.parent / "config-dir"
    folder.mkdir()
    (folder / "tags.yaml").write_text("aks: prod")
    result = meshkit("discover")
    assert result.code == 2
    assert "tags.yaml:1: aks: expected a mapping of tags" in result.err


def test_federate_by_tags(meshkit: Meshkit, world: FakeFederation) -> None:
    """What has the tags is federated after a yes; the plan is shown first, and who is away is told."""
    label(world, "aks", env="prod")
    label(world, "eks", env="prod")
    result = meshkit("federate", "--tag", "env=prod", "--yes", "--chart", "light")
    assert result.code == 0, result.err
    assert [dc.name for dc in world.federation.datacenters] == ["aks", "eks"]
    assert "gone: left out, since its tags are not known: there is no context gone" in result.err
    assert "+ eks: create helm release consul" in result.err
    assert result.out.startswith("federation mesh works")


@pytest.mark.parametrize(
    ("chart", "can_join"),
    [
        pytest.param([], False, id="the cloud's default"),
        pytest.param(["--chart", "light"], True, id="another that is chosen"),
        pytest.param(["--chart-version", "1.9.11"], False, id="what only the official one has"),
        pytest.param(["--chart", "nowhere"], False, id="what is no chart"),
    ],
)
def test_federate_by_tags_for_a_chart(
    meshkit: Meshkit, world: FakeFederation, chart: list[str], *, can_join: bool
) -> None:
    """Clusters are judged by the chart that they are to get."""
    for cluster in world.clusters:
        label(world, cluster, env="prod")
    world.clusters["eks"].faults.forbid("create", "customresourcedefinitions")
    result = meshkit("federate", "--tag", "env=prod", "--dry-run", *chart)
    assert (result.code == 0) is can_join
    assert ("eks: no permission to create customresourcedefinitions" in result.err) is not can_join


def test_federate_by_tags_asks(meshkit: Meshkit, world: FakeFederation) -> None:
    """Without a terminal there is nobody to ask: nothing is changed, and --yes is named."""
    label(world, "aks", env="prod")
    label(world, "eks", env="prod")
    result = meshkit("federate", "--tag", "env=prod", "--chart", "light")
    assert result.code == 2
    assert "--yes" in result.err
    assert not world.state.path.exists()


def test_a_dry_run_by_tags(meshkit: Meshkit, world: FakeFederation) -> None:
    """It asks nothing, and the plan is data."""
    label(world, "aks", env="prod")
    label(world, "eks", env="prod")
    result = meshkit("federate", "--tag", "env=prod", "--dry-run", "--chart", "light")
    assert result.code == 0
    assert "+ eks: create helm release consul" in result.out


def test_a_third_cluster_by_tag(meshkit: Meshkit, world: FakeFederation, tmp_path: Path) -> None:
    """Members of the federation stay, and need not have the tag."""
    meshkit("federate", "aks", "eks", "--chart", "light")
    world.add_cluster("gke")
    write(tmp_path, "aks", "eks", "gke")
    label(world, "gke", env="new")
    result = meshkit("federate", "--tag", "env=new", "--yes")
    assert result.code == 0, result.err
    assert [dc.name for dc in world.federation.datacenters] == ["aks", "eks", "gke"]


def test_two_contexts_of_one_cluster(
    meshkit: Meshkit, world: FakeFederation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tags are the cluster's, so both contexts have them: one is taken, the federation's own if it has one."""
    clusters = dict(world.clusters) | {"aks-admin": world.clusters["aks"], "a-eks": world.clusters["eks"]}
    monkeypatch.setattr(wiring, "open_unasked", clusters.__getitem__)
    for cluster in world.clusters:
        label(world, cluster, env="prod")
    write(tmp_path, "aks", "aks-admin", "eks")
    result = meshkit("federate", "--tag", "env=prod", "--yes", "--chart", "light")
    assert result.code == 0, result.err
    assert "aks-admin: left out, since it is the same cluster as aks" in result.err
    assert [dc.context for dc in world.federation.datacenters] == ["aks", "eks"]
    write(tmp_path, "a-eks", "aks", "aks-admin", "eks")
    again = meshkit("federate", "--tag", "env=prod", "--yes")
    assert again.code == 0, again.err
    assert "a-eks: left out, since it is the same cluster as eks" in again.err
    assert [dc.context for dc in world.federation.datacenters] == ["aks", "eks"]


def test_a_chosen_cluster_that_can_not_join(meshkit: Meshkit, world: FakeFederation) -> None:
    """It is not left out in silence."""
    for cluster in ("aks", "eks"):
        label(world, cluster, env="prod")
    world.clusters["eks"].gitversion = "v1.24.1"
    result = meshkit("federate", "--tag", "env=prod", "--yes")
    assert result.code == 1
    assert "1 of the 2 clusters with these tags can't join mesh" in result.err
    assert "eks: Kubernetes v1.24.1 is too old" in result.err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(["--tag", "env=none", "--yes"], "no cluster has the tags env=none", id="nothing has it"),
        pytest.param(["--tag", "=x"], '"=x" is no tag', id="a tag without a name"),
        pytest.param(["--tag", "env=prod", "aks"], "tags can't be mixed", id="with clusters"),
        pytest.param(["--tag", "env=prod", "-f", "mesh.yaml"], "tags can't be mixed", id="with a file"),
        pytest.param(["--tag", "env=prod", "--adopt"], "--adopt takes installations as they are", id="to adopt"),
    ],
)
def test_wrong_calls(meshkit: Meshkit, arguments: list[str], error: str) -> None:
    """One line, exit code 2."""
    result = meshkit("federate", *arguments)
    assert result.code == 2
    assert error in result.err
    assert result.out == ""


def test_a_deadline_that_is_none(meshkit: Meshkit) -> None:
    """Nobody answers in no time."""
    assert meshkit("discover", "--timeout", "0").code == 2
