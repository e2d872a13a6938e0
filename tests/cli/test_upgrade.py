"""``meshkit upgrade`` as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.federation import FakeFederation

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
