"""Files with images: whose names they hold in either form, and what is said of a file that is none."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from meshkit.errors import UsageError
from meshkit.lab import archive, images

CONTAINERD, REFERENCE = archive.NAMES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test's archive goes."""
    return tmp_path / "images.tar"


def write(file: Path, documents: dict[str, Any], mode: str = "w") -> Path:
    """A tar of JSON files; bytes are written as they are."""
    with tarfile.open(file, mode) as tar:  # type: ignore[call-overload]
        for name, document in documents.items():
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file


def index(*annotations: dict[str, str]) -> dict[str, Any]:
    return {"schemaVersion": 2, "manifests": [{"digest": "sha256:0", "annotations": each} for each in annotations]}


@pytest.mark.parametrize(
    ("documents", "named"),
    [
        pytest.param(
            {"index.json": index({CONTAINERD: "docker.io/shop/web:1", REFERENCE: "1"})},
            {"docker.io/shop/web:1": "docker.io/shop/web:1"},
            id="an OCI layout that containerd or meshkit wrote",
        ),
        pytest.param(
            {"index.json": index({REFERENCE: "shop/web:1"})},
            {"shop/web:1": "docker.io/shop/web:1"},
            id="buildah keeps the name as it was typed, and containerd does too",
        ),
        pytest.param(
            {"manifest.json": [{"RepoTags": ["shop/web:1", "web:2"]}, {"RepoTags": ["localhost/api:3"]}]},
            {name: name for name in ("docker.io/shop/web:1", "docker.io/library/web:2", "localhost/api:3")},
            id="docker save of several, whose names containerd completes",
        ),
        pytest.param(
            {
                "manifest.json": [{"RepoTags": ["shop/web:1"]}],
                "index.json": index({CONTAINERD: "docker.io/shop/web:1", REFERENCE: "1"}),
            },
            {"docker.io/shop/web:1": "docker.io/shop/web:1"},
            id="a newer docker save has both, and each image counts once",
        ),
        pytest.param(
            {"./index.json": index({}, {REFERENCE: "quay.example/web@sha256:0"})},
            {"quay.example/web@sha256:0": "quay.example/web@sha256:0"},
            id="a name with a digest, in a tar of the folder, beside an entry without a name",
        ),
    ],
)
def test_images_are_named_by_either_form(file: Path, documents: dict[str, Any], named: dict[str, str]) -> None:
    """By what containerd calls them on import, with the name that a kubelet asks for."""
    assert archive.read(write(file, documents)).images == named


def test_a_compressed_archive_is_read_too(file: Path) -> None:
    """Archives are often passed on as .tar.gz."""
    assert list(archive.read(write(file, {"manifest.json": [{"RepoTags": ["a:1"]}]}, "w:gz")).images.values()) == [
        "docker.io/library/a:1"
    ]


def test_what_the_lab_builds_is_an_archive(tmp_path: Path) -> None:
    """The lab's own images have the same form."""
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    image = images.Image("example.test/tool:1", {"/bin/tool": tool}, "0", ("/bin/tool",), shell=False)
    images._write_archive(image, tmp_path / "tool.tar")
    assert list(archive.read(tmp_path / "tool.tar").images) == ["example.test/tool:1"]


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("web", "docker.io/library/web:latest"),
        ("shop/web:1", "docker.io/shop/web:1"),
        ("quay.example/web", "quay.example/web:latest"),
        ("localhost/web:1", "localhost/web:1"),
        ("registry:5000/web", "registry:5000/web:latest"),
        ("shop/web@sha256:0", "docker.io/shop/web@sha256:0"),
    ],
)
def test_short_names_are_completed_as_docker_does(short: str, full: str) -> None:
    """So that a pod's image is the one that was loaded."""
    assert archive.full_name(short) == full


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        pytest.param({"etc/passwd": b"root"}, "does not say what its images are called", id="some other tar"),
        pytest.param({"manifest.json": [{"RepoTags": None}]}, "does not say what", id="an image saved by its ID"),
        pytest.param({"index.json": index({REFERENCE: "1.0"})}, "only the tag 1.0", id="a tag alone"),
        pytest.param({"index.json": b"{"}, "index.json is not JSON", id="half an index"),
        pytest.param({"index.json": [], "manifest.json": {}}, "does not say what", id="JSON of another kind"),
        pytest.param({"index.json": {"manifests": [1, {"annotations": None}]}}, "does not say what", id="odd entries"),
        pytest.param({"index.json": b" " * (archive.DOCUMENT_MAX + 1)}, "no list of them", id="a huge index"),
    ],
)
def test_a_tar_without_named_images_is_refused(file: Path, documents: dict[str, Any], message: str) -> None:
    """With the command that makes a right one."""
    with pytest.raises(UsageError, match=message) as raised:
        archive.read(write(file, documents))
    assert str(file) in raised.value.message
    assert "docker save" in raised.value.hint


def test_a_file_that_is_no_tar_is_refused(file: Path) -> None:
    """An image's name is easily typed for a file's."""
    file.write_bytes(b"\x7fELF" + bytes(2000))
    with pytest.raises(UsageError, match="is no archive of images"):
        archive.read(file)


def test_half_an_archive_is_refused(file: Path) -> None:
    """A download or a copy that ended early."""
    write(file, {"manifest.json": [{"RepoTags": ["a:1"]}], "layer.tar": bytes(100_000)}, "w:gz")
    file.write_bytes(file.read_bytes()[:150])
    with pytest.raises(UsageError, match="is no archive of images"):
        archive.read(file)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    """Each with its own words."""
    with pytest.raises(UsageError, match="there is no file"):
        archive.read(tmp_path / "web.tar")
    with pytest.raises(UsageError, match="can't be read"):
        archive.read(tmp_path)
