"""The Consul chart's files: pulled once, kept, and looked at every time."""

from __future__ import annotations

import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.federation import OFFICIAL, FakeFederation, officially
from meshkit.errors import MeshkitError, UnreachableError
from meshkit.federation import charts
from meshkit.model import Federation


def pulled(world: FakeFederation, **changes: str) -> Federation:
    """The world's federation with the official chart from a repository, which holds the stand-in."""
    for helm in world.wan.helms.values():
        helm.repository = {"1.9.11": OFFICIAL}
    return replace(officially(world.federation), chart_path="", **changes)  # type: ignore[arg-type]


def test_a_chart_is_pulled_once(world: FakeFederation, state_root: Path) -> None:
    """The next run, and a look at what is installed, need no network; nobody else reads the folder."""
    federation, helm = pulled(world), world.wan.helms["aks"]
    path = charts.fetch(federation, helm)
    assert charts.fetch(federation, helm) == path == charts.consul(federation)
    assert helm.pulls == ["https://helm.releases.hashicorp.com consul 1.9.11"]
    assert path.is_relative_to(state_root)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [found.name for found in path.parent.iterdir()] == ["consul-1.9.11.tgz"]


def test_each_repository_has_its_own(world: FakeFederation) -> None:
    """The same version of a mirror may be another chart."""
    federation, helm = pulled(world), world.wan.helms["aks"]
    mirror = replace(federation, chart_repo="oci://mirror.example/charts")
    assert charts.fetch(federation, helm) != charts.fetch(mirror, helm)
    assert helm.pulls[-1] == "oci://mirror.example/charts consul 1.9.11"


def test_a_version_that_the_repository_lacks(world: FakeFederation) -> None:
    """With the versions that are known to work."""
    with pytest.raises(MeshkitError, match="has no chart consul") as raised:
        charts.fetch(pulled(world, chart_version="1.9.99"), world.wan.helms["aks"])
    assert "1.9.0 to 1.9.11" in raised.value.hint


def test_a_repository_that_is_away(world: FakeFederation) -> None:
    """Its own hint, the way without a network, is kept."""
    federation, helm = pulled(world), world.wan.helms["aks"]
    helm.repository = {"1.9.11": UnreachableError("the chart repository x cannot be reached", hint="--chart PATH")}
    with pytest.raises(UnreachableError, match="cannot be reached") as raised:
        charts.fetch(federation, helm)
    assert raised.value.hint == "--chart PATH"


def test_another_chart_in_the_repository(world: FakeFederation, tmp_path: Path) -> None:
    """What a mirror serves under the name is looked at before it is installed."""
    federation, helm = pulled(world), world.wan.helms["aks"]
    other = shutil.copytree(OFFICIAL, tmp_path / "other")
    (other / "Chart.yaml").write_text("{apiVersion: v2, name: consul, version: 1.9.9}")
    helm.repository = {"1.9.11": other}
    with pytest.raises(MeshkitError, match=r"the hashicorp chart 1\.9\.9, and the hashicorp chart 1\.9\.11 is desc"):
        charts.fetch(federation, helm)


def test_a_torn_archive(world: FakeFederation) -> None:
    """One that was kept and is damaged says so, with the way to a new one."""
    federation, helm = pulled(world), world.wan.helms["aks"]
    path = charts.fetch(federation, helm)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(MeshkitError, match="holds no chart of Consul any more") as raised:
        charts.fetch(federation, helm)
    assert raised.value.hint.startswith(f"rm {path}")


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "another version"])
def test_a_path_that_changed(world: FakeFederation, tmp_path: Path, *, gone: bool) -> None:
    """A folder is looked at each time; a new version is a decision and not an accident."""
    chart = shutil.copytree(OFFICIAL, tmp_path / "chart")
    federation = replace(officially(world.federation), chart_path=str(chart))
    assert charts.fetch(federation, world.wan.helms["aks"]) == chart
    if gone:
        shutil.rmtree(chart)
    else:
        (chart / "Chart.yaml").write_text("{apiVersion: v2, name: consul, version: 2.0.3}")
    with pytest.raises(MeshkitError) as raised:
        charts.fetch(federation, world.wan.helms["aks"])
    assert raised.value.hint == "name it again: --chart PATH"
    assert world.wan.helms["aks"].pulls == []
