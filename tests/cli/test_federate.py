"""``meshkit federate`` as it is typed: the whole job, the plan, and every wrong call before anything is touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.federation import FakeFederation, described
from meshkit.backends.base import Ref
from meshkit.federation import describe, runner
from meshkit.model import Federation
from platforms import nodes

Meshkit = Callable[..., Any]
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://192.0.2.1:6443"}}]
users: [{name: u, user: {token: t}}]
contexts:
- {name: aks, context: {cluster: c, user: u}}
- {name: eks, context: {cluster: c, user: u}}
"""


def test_the_whole_job(meshkit: Meshkit, world: FakeFederation) -> None:
    """Two names are enough; the result is on stdout and the way there on stderr."""
    result = meshkit("federate", "aks", "eks")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0].startswith("federation mesh works: ")
    assert "203.0.113.1:443" in lines[1]
    assert "203.0.113.2:443" in lines[2]
    assert "verify" in result.err
    assert "verify" not in lines[0]
    assert world.wan.helms["eks"].release("consul", "consul")


@pytest.mark.usefixtures("world")
def test_result_as_json(meshkit: Meshkit) -> None:
    """With --output json stdout is one document, whatever is narrated."""
    result = meshkit("federate", "aks", "eks", "--output", "json")
    found = json.loads(result.out)
    assert found["primary"] == "aks"
    assert [dc["gateway"]["address"] for dc in found["datacenters"]] == ["203.0.113.1", "203.0.113.2"]
    assert found["steps"][0]["name"] == "preflight"


def test_dry_run(meshkit: Meshkit, world: FakeFederation) -> None:
    """The plan names what would be made, and nothing is made."""
    before = {name: cluster.everything() for name, cluster in world.clusters.items()}
    result = meshkit("federate", "aks", "eks", "--dry-run")
    assert result.code == 0
    assert "+ eks: create helm release consul" in result.out
    assert {name: cluster.everything() for name, cluster in world.clusters.items()} == before
    assert not world.state.path.exists()


@pytest.mark.usefixtures("world")
def test_dry_run_with_nothing_to_do(meshkit: Meshkit) -> None:
    """After a run the plan says that there is nothing to change."""
    meshkit("federate", "aks", "eks")
    assert meshkit("federate", "aks", "eks", "--dry-run").out.splitlines()[-1] == "nothing to change"
    found = json.loads(meshkit("federate", "aks", "eks", "--dry-run", "-o", "json").out)
    assert [step["name"] for step in found["steps"] if step["changes"]] == ["verify"]


@pytest.mark.usefixtures("world")
def test_quiet(meshkit: Meshkit) -> None:
    """With --quiet a good run says nothing on stderr."""
    result = meshkit("--quiet", "federate", "aks", "eks")
    assert (result.code, result.err) == (0, "")


MESH_YAML = "federation: shop\ndatacenters:\n  aks: {context: aks}\n  eks: {context: eks, gateways: 2}\n"


def test_from_a_file(meshkit: Meshkit, world: FakeFederation, tmp_path: Path) -> None:
    """A mesh.yaml describes it all."""
    (tmp_path / "mesh.yaml").write_text(MESH_YAML)
    assert meshkit("federate", "-f", str(tmp_path / "mesh.yaml")).code == 0
    assert world.wan.values("eks")["meshGateway"]["replicas"] == 2
    assert world.federation.name == "shop"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(["aks"], "a federation needs two clusters or more", id="a single context"),
        pytest.param([], "a federation needs two clusters or more", id="no context"),
        pytest.param(["aks", "aks"], "cluster aks is named twice", id="a duplicate context"),
        pytest.param(["aks", "a.b=eks"], "a.b", id="a datacenter name with a dot"),
        pytest.param(["aks", "EKS=eks"], "EKS", id="a datacenter name in upper case"),
        pytest.param(["aks", "=eks"], "NAME=CONTEXT", id="an empty datacenter name"),
        pytest.param(["aks", "eks", "--servers", "2"], "servers", id="an even number of servers"),
        pytest.param(["aks", "eks", "--servers", "many"], "invalid value for '--servers'", id="a number that is none"),
        pytest.param(["aks", "eks", "--primary", "gcp"], "gcp", id="a primary that is not named"),
        pytest.param(["aks", "eks", "-f", "mesh.yaml"], "a file and arguments can't be mixed", id="-f with contexts"),
        pytest.param(["--servers", "3", "-f", "mesh.yaml"], "can't be mixed", id="-f with an option"),
        pytest.param(["--federation", "shop", "-f", "mesh.yaml"], "can't be mixed", id="-f with a federation's name"),
        pytest.param(["-f", "nowhere.yaml"], "nowhere.yaml: there is no such file", id="a file that is not there"),
        pytest.param(["aks", "eks", "--wrong"], "no such option: --wrong", id="an option that does not exist"),
        pytest.param(["aks", "eks", "--timeout", "0"], "timeout", id="a timeout of nothing"),
        pytest.param(["aks", "eks", "--output", "xml"], "xml", id="an output that does not exist"),
        pytest.param(["aks", "nowhere"], "nowhere", id="a context that does not exist"),
    ],
)
def test_wrong_call(
    meshkit: Meshkit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], error: str
) -> None:
    """One error, a hint, exit code 2, nothing on stdout, and nothing was touched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    (tmp_path / "config").write_text(KUBECONFIG)
    result = meshkit("federate", *arguments)
    assert result.code == 2, result.err
    assert result.out == ""
    assert result.err.startswith("meshkit: error: ")
    assert error.lower() in result.err.lower()
    assert "hint: " in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("datacenters: [", "mesh.yaml:", id="broken YAML names the line"),
        pytest.param(
            "datacenters:\n  aks: {context: aks, serverz: 3}\n  eks: {context: eks}\n",
            "mesh.yaml:2",
            id="an unknown key names its line",
        ),
        pytest.param("", "mesh.yaml: the file is empty", id="an empty file"),
    ],
)
def test_malformed_file(
    meshkit: Meshkit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, error: str
) -> None:
    """File and line are named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mesh.yaml").write_text(text)
    result = meshkit("federate", "-f", "mesh.yaml")
    assert result.code == 2
    assert error in result.err


def test_all_problems_of_all_clusters(meshkit: Meshkit, world: FakeFederation) -> None:
    """Preflight's problems come below one line, each with its hint, and the exit code is 1."""
    world.clusters["aks"].faults.unreachable = True
    world.clusters["eks"].gitversion = "v1.20.0"
    result = meshkit("--quiet", "federate", "aks", "eks")
    assert result.code == 1
    assert result.err.splitlines() == [
        "meshkit: error: 2 problems stand in the way; nothing was changed",
        "  - aks: the API server cannot be reached",
        "    hint: is the cluster up?",
        "  - eks: Kubernetes v1.20.0 is too old",
        "    hint: upgrade to 1.25 or later",
        "meshkit: hint: mend these and run the same command again",
    ]


@pytest.mark.usefixtures("world")
def test_interrupted(meshkit: Meshkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with 130 and says how to go on."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", interrupted)
    result = meshkit("federate", "aks", "eks")
    assert result.code == 130
    assert "meshkit: error: interrupted" in result.err
    assert "meshkit: hint: run the same command again: it goes on where this one stopped" in result.err


def test_a_datacenter_that_is_not_named_stays(meshkit: Meshkit, world: FakeFederation) -> None:
    """Joining a third cluster needs no list of all; who stays is said."""
    meshkit("federate", "aks", "eks")
    world.add_cluster("gke")
    result = meshkit("federate", "aks", "gke")
    assert result.code == 0, result.err
    assert "! eks: is in the federation already and stays" in result.err
    assert [dc.name for dc in world.federation.datacenters] == ["aks", "eks", "gke"]


@pytest.mark.parametrize("form", ["by context", "by file"])
def test_a_federation_of_one_that_is_left(meshkit: Meshkit, world: FakeFederation, tmp_path: Path, form: str) -> None:
    """After all others have left it can still be repaired and renewed, and joined again."""
    meshkit("federate", "aks", "eks")
    meshkit("leave", "eks", "--yes")
    file = tmp_path / "mesh.yaml"
    file.write_text("datacenters:\n  aks: {context: aks}\n")
    result = meshkit("federate", *(["aks"] if form == "by context" else ["-f", str(file)]))
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == "next: meshkit federate CONTEXT, for a second datacenter"
    assert meshkit("federate", "eks").code == 0
    assert [dc.name for dc in world.federation.datacenters] == ["aks", "eks"]


def test_changed_meanwhile(meshkit: Meshkit, world: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another run does between reading the federation and locking it is not undone."""
    meshkit("federate", "aks", "eks")
    resolve = describe.resolve

    def meanwhile(*arguments: Any) -> Federation:
        world.state.save_identity(described(("aks", "eks", "gke")))
        return resolve(*arguments)

    monkeypatch.setattr(describe, "resolve", meanwhile)
    result = meshkit("federate", "aks", "eks")
    assert result.code == 1
    assert "meshkit: error: the federation changed meanwhile" in result.err
    assert world.state.identity().federation == described(("aks", "eks", "gke"))


def test_gateways_inside_the_clouds(meshkit: Meshkit, world: FakeFederation) -> None:
    """Both options hold for all datacenters, are kept by a run that does not name them, and can be taken back."""
    for name, cluster in world.clusters.items():
        cluster.put({"kind": "Node", **nodes.AKS, "metadata": nodes.AKS["metadata"] | {"name": f"{name}-node"}})
    ranges = ("--gateway-source-range", "203.0.113.0/24", "--gateway-source-range", "198.51.100.7/32")
    assert meshkit("federate", "aks", "eks", "--chart", "light", "--internal-gateways", *ranges).code == 0
    assert meshkit("federate", "aks", "eks").code == 0
    assert {dc.gateway_internal for dc in world.federation.datacenters} == {True}
    ref = Ref("Service", "meshkit-mesh-gateway", "consul")
    for cluster in world.clusters.values():
        found = cluster.find(ref)
        assert found
        assert found["spec"]["loadBalancerSourceRanges"] == ["203.0.113.0/24", "198.51.100.7/32"]
    planned = meshkit("federate", "aks", "eks", "--public-gateways", "--dry-run").out
    assert (
        "~ aks: replace service meshkit-mesh-gateway, port 443 (a load balancer that is public has another" in planned
    )


@pytest.mark.usefixtures("world")
def test_gitops_plan(meshkit: Meshkit, world: FakeFederation) -> None:
    """With --gitops releases are awaited, and Helm is not asked to install."""
    result = meshkit("federate", "aks", "eks", "--chart", "light", "--gitops", "--dry-run")
    assert result.code == 0, result.err
    assert "… aks: await consul, by GitOps" in result.out
    assert "helm release" not in result.out
    assert world.wan.helms["aks"].installs == []
