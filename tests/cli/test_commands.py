"""The other commands as they are typed, over a federation in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from fakes.federation import FakeFederation, described
from fakes.kube import FakeCluster
from meshkit.federation import runner

Meshkit = Callable[..., Any]


@pytest.fixture
def mesh(world: FakeFederation) -> FakeFederation:
    """A federation that works."""
    runner.run(world.context())
    return world


@pytest.mark.usefixtures("mesh")
def test_status(meshkit: Meshkit) -> None:
    """Two tables and a verdict; exit code 0 while all is well."""
    result = meshkit("status")
    assert result.code == 0, result.err
    assert result.out.startswith("DATACENTER  ROLE")
    assert result.out.splitlines()[-1] == "federation mesh is healthy"


def test_status_of_a_cut_link(meshkit: Meshkit, mesh: FakeFederation) -> None:
    """What is not healthy ends with exit code 1 and in the document."""
    mesh.wan.cut("aks", "eks")
    result = meshkit("status", "--output", "json")
    found = json.loads(result.out)
    assert result.code == 1
    assert found["healthy"] is False
    assert {(link["from"], link["to"], link["healthy"]) for link in found["links"]} == {
        ("aks", "eks", False),
        ("eks", "aks", False),
    }


def test_status_from_another_machine(meshkit: Meshkit, mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """With contexts the federation is found without its state directory being there."""
    token = mesh.state.secrets()
    assert token
    monkeypatch.setattr(FakeFederation, "_bootstrap_token", lambda _: token.tokens["bootstrap"].reveal())
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(mesh.state.path / "elsewhere"))
    result = meshkit("status", "aks", "eks")
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == "federation mesh is healthy"


@pytest.mark.usefixtures("mesh")
def test_check(meshkit: Meshkit) -> None:
    """Everything passes, in each of the three forms."""
    assert meshkit("check").out.splitlines()[-1].endswith(" passed")
    verdicts = {entry["verdict"] for entry in json.loads(meshkit("check", "-o", "json").out)}
    assert verdicts == {"pass"}
    assert ET.fromstring(meshkit("check", "-o", "junit").out).tag == "testsuites"  # noqa: S314 - our own output


def test_check_of_a_dead_cluster(meshkit: Meshkit, mesh: FakeFederation) -> None:
    """A cluster that does not answer fails one check, and the others are skipped instead of passed."""
    mesh.clusters["eks"].faults.unreachable = True
    result = meshkit("check", "--output", "json")
    found = json.loads(result.out)
    assert result.code == 1
    assert found[0]["verdict"] == "fail"
    assert found[0]["hint"]
    assert "pass" not in {entry["verdict"] for entry in found}


@pytest.mark.usefixtures("mesh")
def test_intentions(meshkit: Meshkit) -> None:
    """Allow, deny, list and remove, each said in one line."""
    assert meshkit("allow", "web", "api").out == "web may talk to api\n"
    assert meshkit("allow", "web", "api").out == "web may talk to api (as before)\n"
    assert meshkit("deny", "batch", "api").out == "batch may not talk to api\n"
    rows = [line.split() for line in meshkit("intentions").out.splitlines()]
    assert rows == [
        ["SOURCE", "DESTINATION", "ACTION"],
        ["batch", "api", "deny"],
        ["web", "api", "allow"],
        ["*", "*", "deny"],
    ]
    assert meshkit("intentions", "--remove", "web", "api").out == "removed\n"
    assert meshkit("intentions", "--remove", "web", "api").out == "there was no such intention\n"
    found = json.loads(meshkit("intentions", "-o", "json").out)
    assert {"source": "*", "destination": "*", "action": "deny"} in found


def test_leave_and_destroy(meshkit: Meshkit, mesh: FakeFederation) -> None:
    """A datacenter leaves, then the federation ends, and nothing is left."""
    result = meshkit("leave", "eks", "--yes")
    assert (result.code, result.out) == (0, "eks has left the federation mesh\n"), result.err
    result = meshkit("destroy", "--yes")
    assert (result.code, result.out) == (0, "federation mesh is gone\n"), result.err
    for name, cluster in mesh.clusters.items():
        assert cluster.everything() == FakeCluster(name).everything()
    assert meshkit("status").code == 2


def test_several_leave(meshkit: Meshkit, world: FakeFederation) -> None:
    """Clusters that were lost together leave together."""
    for name in ("gke", "doks"):
        world.add_cluster(name)
    meshkit("federate", "aks", "eks", "gke", "doks")
    for name in ("gke", "doks"):
        world.clusters[name].faults.unreachable = True
        world.wan.cut(name, "aks")
        world.wan.cut(name, "eks")
    result = meshkit("leave", "gke", "doks", "--lost", "--yes")
    assert (result.code, result.out) == (0, "gke, doks have left the federation mesh\n"), result.err


@pytest.mark.parametrize("contexts", [(), ("aks",)], ids=["by the state directory", "by contexts"])
def test_destroy_with_a_lost_cluster(meshkit: Meshkit, mesh: FakeFederation, contexts: tuple[str, ...]) -> None:
    """The federation ends although one of its clusters is gone for good."""
    mesh.clusters["eks"].faults.unreachable = True
    result = meshkit("destroy", *contexts, "--lost", "eks", "--yes")
    assert (result.code, result.out) == (0, "federation mesh is gone\n"), result.err
    assert mesh.clusters["aks"].everything() == FakeCluster("aks").everything()
    assert not mesh.state.path.exists()


@pytest.mark.parametrize("arguments", [("leave", "eks"), ("destroy",)], ids=["leave", "destroy"])
def test_changed_while_asked(
    meshkit: Meshkit, mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """A yes to one federation is none to what another run has made of it meanwhile."""

    def confirm(*_: object, **__: object) -> None:
        mesh.state.save_identity(described(("aks", "eks", "gke")))

    monkeypatch.setattr(f"meshkit.cli.{arguments[0]}.confirm", confirm)
    before = {name: cluster.everything() for name, cluster in mesh.clusters.items()}
    result = meshkit(*arguments)
    assert result.code == 1
    assert "meshkit: error: the federation changed meanwhile\nmeshkit: hint: run again\n" in result.err
    assert {name: cluster.everything() for name, cluster in mesh.clusters.items()} == before


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(["destroy"], "this needs a yes, and there is no terminal to ask on", id="destroy unasked"),
        pytest.param(["leave", "eks"], "this needs a yes, and there is no terminal to ask on", id="leave unasked"),
        pytest.param(["leave", "aks", "--yes"], "aks is the primary and can't leave", id="the primary leaving"),
        pytest.param(["leave", "gcp", "--yes"], "no datacenter gcp in federation mesh", id="an unknown one leaving"),
        pytest.param(
            ["destroy", "--lost", "gcp", "--yes"], "no datacenter gcp in federation mesh", id="an unknown lost"
        ),
        pytest.param(["allow", "web api", "db"], "'web api' is not a service name", id="a service name with a blank"),
        pytest.param(["allow", "web"], "missing argument", id="an argument too few"),
        pytest.param(
            ["allow", "*", "*"], "allowing everything would switch the segmentation off", id="everything to everything"
        ),
        pytest.param(["intentions", "--remove", "*", "*"], "the default-deny intention", id="removing default deny"),
        pytest.param(["status", "--federation", "shop"], "knows no federation shop", id="an unknown federation"),
        pytest.param(["status", "aks"], "has more datacenters: eks", id="half a federation"),
    ],
)
def test_wrong_call(meshkit: Meshkit, mesh: FakeFederation, arguments: list[str], error: str) -> None:
    """One error, a hint, exit code 2, and nothing was touched."""
    before = {name: cluster.everything() for name, cluster in mesh.clusters.items()}
    result = meshkit(*arguments)
    assert result.code == 2, result.err
    assert result.out == ""
    assert error in result.err
    assert result.err.startswith("meshkit: error: ")
    assert "meshkit: hint: " in result.err
    assert {name: cluster.everything() for name, cluster in mesh.clusters.items()} == before


@pytest.mark.parametrize("command", ["status", "check", "intentions", "destroy"])
def test_no_federation(meshkit: Meshkit, world: FakeFederation, command: str) -> None:
    """On a machine without any federation the way to one is named."""
    result = meshkit(command)
    assert result.code == 2
    assert "meshkit: error: this machine knows no federation\n" in result.err
    assert "meshkit federate aks eks" in result.err
    assert not world.state.path.exists()


def test_several_federations(meshkit: Meshkit, mesh: FakeFederation) -> None:
    """With several federations the name is asked for."""
    mesh.state.path.rename(mesh.state.path.parent / "shop")
    (mesh.state.path.parent / "other").mkdir(mode=0o700)
    (mesh.state.path.parent / "other" / "federation.json").write_text("{}")
    result = meshkit("status")
    assert result.code == 2
    assert "this machine knows several federations: other, shop" in result.err
