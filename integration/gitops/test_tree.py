"""A rendered tree through the real Helm: the values beside the charts that it brings along."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from fakes.federation import FakeFederation
from meshkit.federation.gitops import files, rendering, write
from meshkit.federation.gitops.repository import Repository
from meshkit.lab import toolchain

GIVEN = {"aks": "203.0.113.1", "eks": "203.0.113.2"}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of two datacenters that nothing has been made of yet."""
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(tmp_path / "state"))
    rendered = rendering.gather(FakeFederation().context(), GIVEN)
    texts = files.tree(rendered, "terraform", Repository("https://git.example/mesh.git"))
    write.write_tree(tmp_path / "tree", texts, files.charts(rendered))
    return tmp_path / "tree"


@pytest.mark.parametrize("release", ["consul", "mesh-probe"])
@pytest.mark.parametrize("datacenter", ["aks", "eks"])
def test_helm_renders_the_tree(tree: Path, datacenter: str, release: str) -> None:
    """Helm takes chart and values as they lie in the tree, and the workloads name only Secrets of SECRETS.md."""
    command = [str(toolchain.tool("helm")), "template", release, str(tree / "charts" / release), "-n", "consul"]
    command += ["-f", str(tree / datacenter / f"{release}.values.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    manifests = [m for m in yaml.safe_load_all(done.stdout) if m]
    named = {
        volume["secret"]["secretName"]
        for manifest in manifests
        if manifest["kind"] in ("StatefulSet", "Deployment")
        for volume in manifest["spec"]["template"]["spec"]["volumes"]
        if "secret" in volume
    }
    assert named
    expected = (tree / "SECRETS.md").read_text()
    assert [name for name in named if f"| {datacenter} | consul | {name} |" not in expected] == []
