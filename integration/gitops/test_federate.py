"""GitOps on real clusters: federate waits while a tree is rendered and applied as Argo CD does, then verifies it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import Lab
from federation.mesh import NAMESPACE, Mesh

from meshkit.lab import toolchain

pytestmark = [pytest.mark.lab, pytest.mark.slow]

AWAITED = r"configmap/consul\S* is not there yet"


@pytest.fixture
def mesh(lab: Lab) -> Iterator[Mesh]:
    """Clusters without a federation, before and after."""
    made = Mesh(lab)
    if made.folder.exists():
        made.meshkit("destroy", "--yes")
    yield made
    made.meshkit("destroy", "--yes", check=False)


def test_rendered_applied_and_verified(mesh: Mesh, tmp_path: Path) -> None:
    """The whole way of a team that deploys by GitOps, there and back, without one release of Helm's."""
    code, _ = mesh.stop_at(AWAITED, signal.SIGKILL, "federate", "--gitops", *mesh.names)
    assert code == -signal.SIGKILL
    mesh.meshkit("render", "--output-dir", str(tmp_path / "tree"))
    tree(mesh, tmp_path / "tree", "apply")
    mesh.federate()
    assert mesh.status()["healthy"]
    for name in mesh.names:
        assert releases(mesh, name) == ""
    planned = mesh.meshkit("federate", *mesh.names, "--dry-run").stdout
    assert planned.splitlines()[-1] == "nothing to change"

    first, second = mesh.names
    mesh.kubectl(second, "scale", "deployment", "consul-mesh-gateway", "--replicas=2")
    drift = mesh.meshkit("status", check=False).stdout
    assert f"{second}: consul, by GitOps: deployment/consul-mesh-gateway is not as rendered: replicas" in drift
    assert f"{first}: consul, by GitOps" not in drift
    mesh.kubectl(second, "scale", "deployment", "consul-mesh-gateway", "--replicas=1")

    tree(mesh, tmp_path / "tree", "delete")
    mesh.meshkit("destroy", "--yes")
    for name in mesh.names:
        assert mesh.lab.kubectl(name, "get", "namespace", NAMESPACE, "--ignore-not-found") == ""


def tree(mesh: Mesh, folder: Path, verb: str) -> None:
    """What Argo CD does with a tree: render each release as it lies there, and apply (or delete) what comes out."""
    for name in mesh.names:
        for release in ("consul", "mesh-probe"):
            chart, values = folder / "charts" / release, folder / name / f"{release}.values.yaml"
            command = [str(toolchain.tool("helm")), "template", release, str(chart), "-n", NAMESPACE]
            done = subprocess.run(
                [*command, "-f", str(values), "--skip-tests"], capture_output=True, text=True, check=True
            )
            more = (
                ("--server-side", "--field-manager=argocd-controller") if verb == "apply" else ("--ignore-not-found",)
            )
            mesh.lab.kubectl(name, "-n", NAMESPACE, verb, "-f", "-", *more, text=done.stdout)


def releases(mesh: Mesh, context: str) -> str:
    """Helm's own records in Consul's namespace."""
    return mesh.kubectl(context, "get", "secrets", "-l", "owner=helm", "-o", "name")
