"""Everything that can be asked for: three servers, two gateways, a chart in a folder, values, all in one file."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from clusters import Lab
from federation.mesh import NAMESPACE, Mesh, settles, writes

from meshkit.federation import charts
from meshkit.lab import toolchain

pytestmark = [pytest.mark.lab, pytest.mark.slow]

LABEL = "it/described"


@pytest.fixture(scope="module")
def described(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A federation made from ``mesh.yaml`` alone, on clusters that have none before and after."""
    mesh = Mesh(lab)
    if mesh.folder.exists():
        mesh.meshkit("destroy", "--yes")
    mesh.meshkit("federate", "-f", str(write(mesh, tmp_path_factory.mktemp("described"))))
    yield mesh
    mesh.meshkit("destroy", "--yes")


def write(mesh: Mesh, folder: Path) -> Path:
    """mesh.yaml beside the chart that it names by a relative path."""
    shutil.copytree(charts.folder() / "consul", folder / "chart")
    first, second = mesh.names
    values = {"server": {"annotations": f'"{LABEL}": "yes"\n'}}
    document = {
        "federation": "mesh",
        "primary": second,
        "chart": "chart",
        "datacenters": {
            first: {"context": first, "values": values},
            second: {"context": second, "servers": 3, "gateways": 2},
        },
    }
    path = folder / "mesh.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_servers_and_gateways_are_as_many_as_described(described: Mesh) -> None:
    """Three servers with one leader and two gateways in the datacenter that asked for them, one in the other."""
    settles(lambda: bool(described.status()["healthy"]), "a healthy status")
    first, second = described.status()["datacenters"]
    if first["primary"]:
        first, second = second, first

    assert (second["primary"], second["name"]) == (True, described.names[1])
    assert sorted(server["leader"] for server in second["servers"]) == [False, False, True]
    assert (second["gateway"]["ready"], second["gateway"]["desired"]) == (2, 2)
    assert len(first["servers"]) == first["gateway"]["ready"] == 1


def test_values_of_one_datacenter_reach_its_pods_alone(described: Mesh) -> None:
    """The annotation is on the servers of the datacenter whose values have it; meshkit's own stays beside it."""
    marked = {}
    for name in described.names:
        pod = described.lab.get(name, "-n", NAMESPACE, "pod", "consul-server-0")
        assert "meshkit.dev/server-certificate" in pod["metadata"]["annotations"]
        marked[name] = pod["metadata"]["annotations"].get(LABEL)
    assert list(marked.values()) == ["yes", None]


def test_options_that_are_not_named_again_stay(described: Mesh) -> None:
    """A run with contexts alone plans no change to servers, gateways, values or chart."""
    planned = described.meshkit("federate", *described.names, "--dry-run", "--output", "json").stdout
    assert writes(json.loads(planned)) == []


@pytest.mark.parametrize("release", ["consul", "mesh-probe"])
def test_helm_test_passes(described: Mesh, release: str) -> None:
    """Each chart's own test, in both clusters."""
    for context in described.names:
        command = [str(toolchain.tool("helm")), "test", release, "--kube-context", context, "-n", NAMESPACE]
        done = subprocess.run(
            [*command, "--timeout", "60s"], env=described.lab.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.split("Phase:")[1].split()[0] == "Succeeded"
