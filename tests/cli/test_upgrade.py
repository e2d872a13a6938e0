"""``meshkit upgrade`` as it is typed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.federation import FakeFederation, official_chart
from meshkit.federation.state import State

Meshkit = Callable[..., Any]


@pytest.fixture
def mesh(meshkit: Meshkit, world: FakeFederation) -> FakeFederation:
    """Two federated clusters."""
    assert meshkit("federate", "aks", "eks", "--chart", "light").code == 0
    return world


@pytest.mark.usefixtures("mesh")
def test_dry_run(meshkit: Meshkit) -> None:
    """The way of each datacenter, on stdout, and nothing is changed."""
    result = meshkit("upgrade", "--consul-version", "1.22.8", "--dry-run")
    assert result.code == 0, result.err
    assert result.out.splitlines() == [
        "federation mesh, one datacenter after the other:",
        "  ~ aks: Consul 1.22.7 to 1.22.8",
        "  ~ eks: Consul 1.22.7 to 1.22.8",
    ]
    assert meshkit("upgrade", "--consul-version", "1.22.7", "--dry-run").out.splitlines()[-1] == "nothing to change"


@pytest.mark.usefixtures("mesh")
def test_the_whole_job(meshkit: Meshkit) -> None:
    """The plan is shown before, the result after; a second time needs no yes, since nothing is changed."""
    result = meshkit("upgrade", "--consul-version", "1.22.8", "--yes")
    assert result.code == 0, result.err
    assert result.out == "federation mesh is at Consul 1.22.8\n"
    assert "~ aks: Consul 1.22.7 to 1.22.8" in result.err
    again = meshkit("upgrade", "--consul-version", "1.22.8", "--output", "json")
    found = json.loads(again.out)
    assert (found["done"], [dc["there"] for dc in found["datacenters"]]) == (True, [True, True])
    assert found["datacenters"][0]["from"]["consul"] == "1.22.8"


def test_needs_a_yes(meshkit: Meshkit, mesh: FakeFederation) -> None:
    """Without a terminal nothing is assumed."""
    for helm in mesh.wan.helms.values():
        helm.installs.clear()
    result = meshkit("upgrade", "--consul-version", "1.22.8")
    assert result.code == 2
    assert "meshkit: hint: --yes" in result.err
    assert [helm.installs for helm in mesh.wan.helms.values()] == [[], []]


def test_unwell_beforehand(meshkit: Meshkit, mesh: FakeFederation) -> None:
    """A federation that is unwell is not upgraded, unless that is to mend it."""
    mesh.wan.cut("aks", "eks")
    result = meshkit("upgrade", "--consul-version", "1.22.8", "--yes")
    assert result.code == 1
    assert "meshkit: error: the federation is unwell before the upgrade: " in result.err
    mesh.clock.at(mesh.clock.slept_s + 5, lambda: mesh.wan.heal("aks", "eks"))
    forced = meshkit("upgrade", "--consul-version", "1.22.8", "--yes", "--force")
    assert forced.code == 0, forced.err


@pytest.fixture
def charts(world: FakeFederation, tmp_path: Path) -> dict[str, Path]:
    """Official charts, in folders and in the repository; two of them install the same Consul."""
    made = {version: official_chart(tmp_path, version, "1.22.7") for version in ("1.9.10", "1.9.11")}
    for helm in world.wan.helms.values():
        helm.repository.update(made)
    return made


@pytest.mark.parametrize("packed", [False, True], ids=["from a repository", "by path"])
@pytest.mark.parametrize("way", ["go on", "go back"])
def test_the_ways_out_of_one_that_stopped(
    meshkit: Meshkit, world: FakeFederation, charts: dict[str, Path], way: str, *, packed: bool
) -> None:
    """Both work as they are printed, between charts that install the same Consul."""
    old, new = (["--chart", str(path)] if packed else ["--chart-version", version] for version, path in charts.items())
    assert meshkit("federate", "aks", "eks", "--federation", "shop", *old).code == 0
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(world.clusters["eks"], "answer", lambda *_: (503, ""))
        stopped = meshkit("upgrade", *new, "--yes", "--force", "--timeout", "5")
    assert "the upgrade stopped: eks is unwell at Consul 1.22.7 (aks went well)" in stopped.err
    (hint,) = (line for line in stopped.err.splitlines() if line.startswith("meshkit: hint: "))
    command = hint.partition(f"{way}: ")[2].partition("; or ")[0]
    result = meshkit(*shlex.split(command)[1:], "--yes")
    assert result.code == 0, result.err
    identity = State("shop").identity()
    assert identity
    assert identity.federation.chart_version == {"go on": "1.9.11", "go back": "1.9.10"}[way]


@pytest.mark.usefixtures("charts")
@pytest.mark.parametrize("upgraded", [False, True], ids=["as it was made", "after an upgrade"])
def test_federate_leaves_the_chart_to_it(meshkit: Meshkit, world: FakeFederation, *, upgraded: bool) -> None:
    """Named to federate another chart is refused before anything is touched, and the hint's command brings it."""
    assert meshkit("federate", "aks", "eks", "--chart-version", "1.9.10").code == 0
    before, after = ("1.9.11", "1.9.10") if upgraded else ("1.9.10", "1.9.11")
    if upgraded:
        assert meshkit("upgrade", "--chart-version", before, "--yes").code == 0
    for helm in world.wan.helms.values():
        helm.installs.clear()
    for dry_run in ([], ["--dry-run"]):
        result = meshkit("federate", "aks", "eks", "--chart-version", after, *dry_run)
        assert result.code == 2
        assert f"aks, eks: the chart is {before}, and {after} would come to all datacenters at once" in result.err
    assert [helm.installs for helm in world.wan.helms.values()] == [[], []]
    assert meshkit("federate", "aks", "eks", "--chart-version", before).code == 0
    command = result.err.partition("one after the other: ")[2]
    assert meshkit(*shlex.split(command)[1:], "--yes").code == 0
    assert meshkit("federate", "aks", "eks", "--chart-version", after).code == 0


@pytest.mark.usefixtures("charts")
@pytest.mark.parametrize("packed", [False, True], ids=["from a repository", "by path"])
def test_a_chart_that_is_newer_than_those_known(
    meshkit: Meshkit, world: FakeFederation, tmp_path: Path, *, packed: bool
) -> None:
    """Its Consul is the one that it says itself: in the plan, of the servers, of the probe, and a second time."""
    newer = official_chart(tmp_path, "1.9.12", "1.22.8")
    for helm in world.wan.helms.values():
        helm.repository["1.9.12"] = newer
    assert meshkit("federate", "aks", "eks", "--chart-version", "1.9.11").code == 0
    named = ["--chart", str(newer)] if packed else ["--chart-version", "1.9.12"]
    planned = meshkit("upgrade", *named, "--dry-run")
    assert "  ~ aks: Consul 1.22.7 to 1.22.8, chart 1.9.11 to 1.9.12" in planned.out.splitlines(), planned.err
    result = meshkit("upgrade", *named, "--yes")
    assert result.out == "federation mesh is at Consul 1.22.8\n", result.err
    assert world.wan.helms["eks"].values("mesh-probe", "consul")["imageConsul"].endswith("/consul:1.22.8")
    assert meshkit("upgrade", *named, "--dry-run").out.splitlines()[-1] == "nothing to change"
    assert meshkit("federate", "aks", "eks", "--dry-run").out.splitlines()[-1] == "nothing to change"


@pytest.mark.usefixtures("charts")
def test_by_gitops(meshkit: Meshkit) -> None:
    """There federate changes the chart, by the command that the hint has."""
    assert meshkit("federate", "aks", "eks", "--federation", "shop", "--chart-version", "1.9.10").code == 0
    identity = State("shop").identity()
    assert identity
    State("shop").save_identity(replace(identity.federation, gitops=True))
    refused = meshkit("upgrade", "--chart-version", "1.9.11")
    assert refused.code == 1
    assert "the releases of this federation are GitOps's to upgrade" in refused.err
    command = refused.err.partition("hint: ")[2].partition(", or ")[0]
    assert command == "meshkit federate --gitops aks eks --chart-version 1.9.11 --federation shop"
    result = meshkit(*shlex.split(command)[1:], "--dry-run")
    assert result.code == 0, result.err
    assert "~ update description" in result.out


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The working folder, with something in it that is an official chart by its name."""
    (tmp_path / "official").mkdir()
    (tmp_path / "official" / "Chart.yaml").write_text(yaml.safe_dump({"name": "consul", "version": "1.9.11"}))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("mesh", "folder")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param([], 2, "to which version?", id="no version"),
        pytest.param(["--consul-version", "new"], 2, "new is no version of Consul", id="a word"),
        pytest.param(["--consul-version", "1.21.5"], 1, "can't be reached from here", id="a downgrade"),
        pytest.param(["--consul-version", "1.22.8", "--chart-version", "1.9.11"], 2, "light", id="light, versioned"),
        pytest.param(["--chart", "nowhere"], 2, "--chart: ", id="a chart that is not there"),
        pytest.param(["--chart", "official"], 2, "another kind of chart", id="a chart of the other kind"),
        pytest.param(["--consul-version", "1.22.8", "--federation", "x"], 2, "federation x", id="another federation"),
    ],
)
def test_wrong_call(meshkit: Meshkit, arguments: list[str], code: int, says: str) -> None:
    """One error with a hint, and nothing on stdout."""
    result = meshkit("upgrade", *arguments, "--yes")
    assert (result.code, result.out) == (code, ""), result.err
    assert says in result.err
    assert "hint: " in result.err


@pytest.mark.usefixtures("world")
def test_no_federation(meshkit: Meshkit) -> None:
    """A machine that made none has nothing to upgrade."""
    assert "this machine knows no federation" in meshkit("upgrade", "--consul-version", "1.22.8").err
