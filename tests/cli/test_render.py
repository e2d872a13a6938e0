"""``meshkit render`` as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.federation import FakeFederation

Meshkit = Callable[..., Any]
ADDRESSES = ("--gateway-address", "aks=203.0.113.1", "--gateway-address", "eks=203.0.113.2")
LIGHT = ("aks", "eks", "--chart", "light", *ADDRESSES)


def test_printed(meshkit: Meshkit, world: FakeFederation) -> None:
    """Each file below its path; the whole is one stream of YAML, and nothing was made anywhere."""
    before = {name: cluster.everything() for name, cluster in world.clusters.items()}
    result = meshkit("render", *LIGHT)
    assert result.code == 0, result.err
    assert "# aks/consul.values.yaml\nglobal:\n" in result.out
    assert len(list(yaml.safe_load_all(result.out))) > 20
    assert "the CA is not made yet" in result.err
    assert {name: cluster.everything() for name, cluster in world.clusters.items()} == before
    assert not world.state.path.exists()


def test_what_exists(meshkit: Meshkit, world: FakeFederation) -> None:
    """A federation that exists need not be named, and its addresses are known."""
    meshkit("federate", "aks", "eks", "--chart", "light")
    result = meshkit("render", "--as", "values", "--output", "json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert yaml.safe_load(found["files"]["eks/consul.values.yaml"]) == world.wan.values("eks")


@pytest.mark.usefixtures("world")
def test_gateways_as_federate_would_make_them(meshkit: Meshkit) -> None:
    """Who may reach them is part of the rendered Service."""
    result = meshkit("render", *LIGHT, "--gateway-source-range", "203.0.113.0/24", "--internal-gateways")
    assert result.code == 0, result.err
    services = [found for found in yaml.safe_load_all(result.out) if found.get("kind") == "Service"]
    ranges = [found["spec"].get("loadBalancerSourceRanges") for found in services]
    assert ranges.count(["203.0.113.0/24"]) == len(LIGHT[:2]), services


@pytest.mark.usefixtures("world")
def test_tree_and_secrets(meshkit: Meshkit, tmp_path: Path) -> None:
    """Both are written, the paths are printed, and a second run writes the same bytes."""
    call = ("render", *LIGHT, "--as", "terraform", "--output-dir", str(tmp_path / "tree"))
    call += ("--secrets", str(tmp_path / "secrets"))
    result = meshkit(*call)
    assert result.code == 0, result.err
    assert str(tmp_path / "tree" / "main.tf.json") in result.out.splitlines()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "state" not in path.parts}
    assert meshkit(*call).code == 0
    assert {path: path.read_bytes() for path in before} == before
    assert "not-made-yet" not in (tmp_path / "tree" / "aks" / "consul.values.yaml").read_text()


@pytest.mark.usefixtures("world")
def test_federate_takes_what_render_made(meshkit: Meshkit, world: FakeFederation, tmp_path: Path) -> None:
    """The Secrets that were written are those that federate puts into the clusters afterwards."""
    folder = tmp_path / "secrets"
    assert meshkit("render", *LIGHT, "--secrets", str(folder)).code == 0
    assert meshkit("federate", "aks", "eks", "--chart", "light").code == 0
    for secret in world.clusters["eks"].list("Secret", "consul"):
        if secret["metadata"]["labels"].get("app.kubernetes.io/managed-by") == "meshkit":
            written = yaml.safe_load((folder / f"eks.{secret['metadata']['name']}.yaml").read_text())
            assert written["data"] == secret["data"]


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["aks", "eks", "--chart", "light"], "address is not known yet: aks, eks", id="no addresses"),
        pytest.param([*LIGHT, "--gateway-address", "aks=1.2.3.4"], "aks is named twice", id="an address twice"),
        pytest.param(["aks", "eks", "--gateway-address", "1.2.3.4"], "expected NAME=ADDRESS", id="an address alone"),
        pytest.param([*LIGHT, "--gateway-address", "gke=1.2.3.4"], "no datacenter gke", id="an unknown name"),
        pytest.param([*LIGHT, "--as", "argocd"], "argocd gets charts from a git repository", id="no repository"),
        pytest.param([*LIGHT, "--as", "pulumi"], "pulumi", id="a form that does not exist"),
        pytest.param([], "this machine knows no federation", id="nothing named and nothing known"),
        pytest.param(["-f", "mesh.yaml", "aks"], "can't be mixed", id="a file and a context"),
        pytest.param([*LIGHT, "--output-dir", "t", "--secrets", "t/s"], "is to be committed", id="secrets in the tree"),
    ],
)
def test_wrong_call(
    meshkit: Meshkit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], says: str
) -> None:
    """One error with a hint, exit code 2, nothing on stdout and nothing written."""
    monkeypatch.chdir(tmp_path)
    result = meshkit("render", *arguments)
    assert (result.code, result.out) == (2, ""), result.err
    assert says in result.err
    assert "hint: " in result.err
    assert not (tmp_path / "t").exists()
