"""``lab load`` looks at every file and every cluster before it gives a cluster anything."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from meshkit.errors import CombinedError, MeshkitError, UsageError
from meshkit.lab import lab, node, preflight, register
from meshkit.lab.topology import Node

AKS, EKS = Node("aks", 1), Node("eks", 2)
NAME = "docker.io/shop/web:1"
Ctr = Callable[..., str]


class Containerds:
    """In place of ctr: the images of each node's containerd, by node name."""

    def __init__(self) -> None:
        self.images: dict[str, list[str]] = {}
        self.broken: set[str] = set()
        self.name_on_import = "shop/web:1"

    def run(self, *argv: str | Path, check: bool = True, text: str | None = None) -> str:
        del check, text
        held = self.images.setdefault(Path(argv[2]).parent.name, [])
        words = [str(word) for word in argv[5:]]
        if words[:2] == ["images", "import"] and Path(argv[2]).parent.name not in self.broken:
            held.append(self.name_on_import)
        if words[:2] == ["images", "tag"] and words[-2] in held:
            held.append(words[-1])
        return "\n".join(held)


@pytest.fixture
def containerds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Containerds:
    """Two running clusters."""
    made = Containerds()
    monkeypatch.setattr(node, "run", made.run)
    monkeypatch.setattr(node, "is_running", lambda _: True)
    monkeypatch.setattr(register, "known", lambda: (AKS, EKS))
    monkeypatch.setattr(preflight, "require_root", lambda: None)
    monkeypatch.setattr(lab, "LOCK", tmp_path / "lock")
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An archive as buildah writes it."""
    index = {"manifests": [{"annotations": {"org.opencontainers.image.ref.name": "shop/web:1"}}]}
    content = json.dumps(index).encode()
    path = tmp_path / "web.tar"
    with tarfile.open(path, "w") as tar:
        entry = tarfile.TarInfo("index.json")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return path


def test_images_go_into_every_cluster_under_their_full_names(containerds: Containerds, file: Path) -> None:
    """Where the archive has the short one, a kubelet would not find it."""
    assert lab.load([file]) == (NAME,)
    assert containerds.images == {"aks": ["shop/web:1", NAME], "eks": ["shop/web:1", NAME]}


def test_only_the_named_cluster_is_given_any(containerds: Containerds, file: Path) -> None:
    """However often it is named."""
    lab.load([file], ["eks", "eks"])
    assert list(containerds.images) == ["eks"]


@pytest.mark.parametrize(
    ("files", "names", "message"),
    [
        pytest.param(["web.tar", "other.tar"], [], "there is no file", id="one of two files is not there"),
        pytest.param(["web.tar"], ["aks", "gke"], "no lab cluster 'gke'", id="one of two clusters is not there"),
    ],
)
def test_a_wrong_call_leaves_every_cluster_alone(
    containerds: Containerds, file: Path, files: list[str], names: list[str], message: str
) -> None:
    """What was right in it is not done either."""
    with pytest.raises(UsageError, match=message):
        lab.load([file.with_name(each) for each in files], names)
    assert containerds.images == {}


def test_a_cluster_that_does_not_run_is_said_before_any_import(
    containerds: Containerds, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that starts it."""
    monkeypatch.setattr(node, "is_running", lambda n: n is AKS)
    with pytest.raises(MeshkitError, match="eks: the cluster is not running") as raised:
        lab.load([file])
    assert raised.value.hint == "meshkit lab up eks"
    assert containerds.images == {}


def test_a_lab_without_clusters_is_said(containerds: Containerds, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to load into is no success."""
    del containerds
    monkeypatch.setattr(register, "known", lambda: ())
    with pytest.raises(UsageError, match="the lab has no clusters"):
        lab.load([file])


def test_an_image_that_containerd_leaves_out_is_an_error(containerds: Containerds, file: Path) -> None:
    """It passes over images of another architecture in silence."""
    containerds.broken = {"eks"}
    with pytest.raises(MeshkitError, match=f"eks: containerd did not take {NAME}") as raised:
        lab.load([file])
    assert not isinstance(raised.value, CombinedError)
    assert NAME in containerds.images["aks"]
