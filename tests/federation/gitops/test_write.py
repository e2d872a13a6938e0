"""What is written: a tree that anybody may read, Secrets that nobody else may."""

from __future__ import annotations

import base64
import tarfile
from pathlib import Path

import pytest
import yaml

from fakes.federation import FakeFederation
from meshkit.errors import MeshkitError, UsageError
from meshkit.federation import charts
from meshkit.federation.gitops import rendering, write


def test_secrets(mesh: FakeFederation, tmp_path: Path) -> None:
    """Mode 0600 in a folder of mode 0700, and exactly what the clusters hold."""
    folder = tmp_path / "secrets"
    written = write.write_secrets(folder, rendering.gather(mesh.context(), {}))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    found = yaml.safe_load((folder / "aks.meshkit-gossip.yaml").read_text())
    held = mesh.state.secrets()
    assert held
    assert base64.b64decode(found["data"]["key"]).decode() == held.gossip.reveal()
    assert not (folder / "eks.meshkit-bootstrap-token.yaml").exists()


def test_a_folder_that_others_may_read(mesh: FakeFederation, tmp_path: Path) -> None:
    """Nothing is written where others look."""
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    with pytest.raises(MeshkitError, match="is open to other users"):
        write.write_secrets(folder, rendering.gather(mesh.context(), {}))
    assert list(folder.iterdir()) == []


def test_secrets_within_the_tree(tmp_path: Path) -> None:
    """A folder that is to be committed, or is in a repository, is no place for Secrets."""
    tree = tmp_path / "tree"
    for secrets in (tree, tree / "secrets"):
        with pytest.raises(UsageError, match="in the tree that is to be committed"):
            write.refuse_within(secrets, tree)
    (tree / ".git").mkdir(parents=True)
    with pytest.raises(UsageError, match="in the git repository"):
        write.refuse_within(tree / "deep" / "down", None)
    write.refuse_within(tmp_path / "elsewhere", tree)


def test_tree(tmp_path: Path) -> None:
    """Files and charts in their places; what was there of a chart is replaced, all else stays."""
    (tmp_path / "charts" / "consul").mkdir(parents=True)
    (tmp_path / "charts" / "consul" / "old.yaml").write_text("")
    (tmp_path / "theirs.txt").write_text("theirs")
    write.write_tree(tmp_path, {"aks/a.yaml": "a: 1\n"}, {"charts/consul": charts.folder() / "consul"})
    assert (tmp_path / "aks" / "a.yaml").read_text() == "a: 1\n"
    assert (tmp_path / "charts" / "consul" / "Chart.yaml").is_file()
    assert not (tmp_path / "charts" / "consul" / "old.yaml").exists()
    assert (tmp_path / "theirs.txt").read_text() == "theirs"


def test_chart_from_an_archive(tmp_path: Path) -> None:
    """A .tgz is unpacked: Argo CD and Flux take folders from a repository."""
    archive = tmp_path / "consul.tgz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(charts.folder() / "consul", "consul")
    write.write_tree(tmp_path / "tree", {}, {"charts/consul": archive})
    assert (tmp_path / "tree" / "charts" / "consul" / "Chart.yaml").is_file()


@pytest.mark.parametrize(
    ("content", "says"),
    [pytest.param(b"no archive", "is no archive", id="rubbish"), pytest.param(None, "holds no chart", id="empty")],
)
def test_archives_that_hold_no_chart(tmp_path: Path, content: bytes | None, says: str) -> None:
    """What is no chart is named."""
    archive = tmp_path / "consul.tgz"
    if content is None:
        tarfile.open(archive, "w:gz").close()
    else:
        archive.write_bytes(content)
    with pytest.raises(MeshkitError, match=says):
        write.write_tree(tmp_path / "tree", {}, {"charts/consul": archive})


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    """A tree that can't be written is one sentence."""
    (tmp_path / "tree").write_text("")
    with pytest.raises(MeshkitError, match="can't be written"):
        write.write_tree(tmp_path / "tree", {"aks/a.yaml": ""}, {})
