"""Releases: the mark that tells whether chart and values are those described."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.errors import MeshkitError
from meshkit.federation import charts, releases

ADDRESSES = {"aks": "203.0.113.1", "eks": "203.0.113.2"}


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart of two files."""
    folder = tmp_path / "chart"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("name: consul\n")
    (folder / "templates" / "a.yaml").write_text("kind: ConfigMap\n")
    return folder


def rename(chart: Path) -> None:
    (chart / "templates" / "a.yaml").rename(chart / "templates" / "b.yaml")


def move(chart: Path) -> None:
    (chart / "templates" / "a.yaml").rename(chart / "a.yaml")


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        pytest.param(lambda _: None, False, id="an untouched chart keeps its mark"),
        pytest.param(lambda c: (c / "Chart.yaml").touch(), False, id="a new time of change is no change"),
        pytest.param(lambda c: (c / "Chart.yaml").write_text("name: x\n"), True, id="other content is a change"),
        pytest.param(lambda c: (c / "values.yaml").write_text(""), True, id="one more file is a change"),
        pytest.param(lambda c: (c / "templates" / "a.yaml").unlink(), True, id="one file less is a change"),
        pytest.param(rename, True, id="another name is a change"),
        pytest.param(move, True, id="another folder is a change"),
        pytest.param(lambda c: (c / "empty").mkdir(), False, id="an empty folder is no change"),
    ],
)
def test_mark_follows_the_chart(chart: Path, change: Callable[[Path], object], *, differs: bool) -> None:
    """The mark changes with any file of the chart, by name or content, and with nothing else."""
    before = releases.Wanted("consul", chart, {}).mark
    change(chart)
    assert (releases.Wanted("consul", chart, {}).mark != before) is differs


def test_mark_of_a_packaged_chart(tmp_path: Path) -> None:
    """A chart may be an archive; its bytes are its content."""
    archive = tmp_path / "consul.tgz"
    archive.write_bytes(b"one")
    before = releases.Wanted("consul", archive, {}).mark
    archive.write_bytes(b"two")
    assert releases.Wanted("consul", archive, {}).mark != before


def test_mark_does_not_depend_on_where_the_chart_is(chart: Path, tmp_path: Path) -> None:
    """Another checkout, or an installed package, must not reinstall a federation."""
    shutil.copytree(chart, tmp_path / "copy")
    assert releases.Wanted("consul", tmp_path / "copy", {}).mark == releases.Wanted("consul", chart, {}).mark


def test_mark_follows_the_values(chart: Path) -> None:
    """Any value counts, the order of keys does not; and no value can be read in the mark."""
    wanted = releases.Wanted("consul", chart, {"a": {"x": 1, "y": 2}, "b": "seCret"})
    assert wanted.mark == releases.Wanted("consul", chart, {"b": "seCret", "a": {"y": 2, "x": 1}}).mark
    assert wanted.mark != releases.Wanted("consul", chart, {"a": {"x": 1, "y": 3}, "b": "seCret"}).mark
    assert "seCret" not in wanted.mark


def test_own_charts_are_found() -> None:
    """The charts that meshkit brings are where it looks for them."""
    assert (charts.folder() / "consul" / "Chart.yaml").exists()
    assert (charts.probe() / "Chart.yaml").exists()


def test_chart_of_the_user(world: FakeFederation) -> None:
    """A path in the description is the Consul chart; the probe stays meshkit's."""
    assert charts.consul(replace(world.federation, chart_path="/srv/consul")) == Path("/srv/consul")
    assert charts.consul(world.federation) == charts.folder() / "consul"


@pytest.mark.parametrize(
    ("status", "why"),
    [
        pytest.param("failed", "it is failed", id="a failed release"),
        pytest.param("pending-install", "it is pending-install", id="an install that was killed"),
        pytest.param("pending-upgrade", "it is pending-upgrade", id="an upgrade that was killed"),
        pytest.param("deployed", "its chart or values are not those described", id="a release of other content"),
    ],
)
def test_differences(mesh: FakeFederation, status: str, why: str) -> None:
    """A release that is there but not as described is updated, and the reason is said."""
    mesh.wan.helms["eks"].leave("consul", "consul", status)
    eks = mesh.federation.secondaries[0]
    context = mesh.context()
    change = releases.difference(context, eks, releases.consul(context, eks, ADDRESSES))
    assert change
    assert (change.action, change.what, change.datacenter, change.why) == ("update", "helm release consul", "eks", why)


def test_no_difference(mesh: FakeFederation) -> None:
    """What was installed is what is wanted."""
    context = mesh.context()
    for dc in mesh.federation.datacenters:
        for wanted in (releases.consul(context, dc, ADDRESSES), releases.probe(context, dc)):
            assert releases.difference(context, dc, wanted) is None


def test_values_need_a_certificate(world: FakeFederation) -> None:
    """Without a server certificate there are no values, and the way out is named."""
    with pytest.raises(MeshkitError, match="eks: there is no server certificate") as raised:
        releases.consul(world.context(), world.federation.secondaries[0], ADDRESSES)
    assert raised.value.hint == "run meshkit federate again"


def test_addresses_are_all_or_none(mesh: FakeFederation) -> None:
    """While one gateway has no address, nothing can be installed anywhere."""
    assert releases.addresses(mesh.context()) == ADDRESSES
    mesh.clusters["eks"].remove(Ref("Service", "meshkit-mesh-gateway", "consul"))
    assert releases.addresses(mesh.context()) is None
