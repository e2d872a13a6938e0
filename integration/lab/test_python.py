"""The stand-in for the official Python image, with nothing of this machine around it but the kernel."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from meshkit.lab import images

pytestmark = pytest.mark.lab

PROGRAM = """
import asyncio, ctypes, gzip, http.client, json, multiprocessing, os, socket, ssl, sys, threading
json.dump({"uid": os.getuid(), "prefix": sys.prefix}, sys.stdout)
"""


def test_python3_runs_as_another_user_with_its_whole_library(tmp_path: Path) -> None:
    """A chroot into the layer alone, as uid 100; modules come compiled, so a start costs no compiling."""
    _unpack(tmp_path)
    tmp_path.chmod(0o755)

    done = subprocess.run(
        ["chroot", "--userspec=100:1000", str(tmp_path), "/usr/local/bin/python3", "-v", "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"uid": 100, "prefix": "/usr/local"}
    loaded = re.findall(r"code object from '(\S+)'", done.stderr)
    assert loaded
    assert [path for path in loaded if not path.endswith(".pyc")] == []


def _unpack(folder: Path) -> None:
    """The one layer of the image."""
    (image,) = (image for image in images.catalogue() if image.name == images.PYTHON)
    path = images._build(image, lambda _: None)
    with tarfile.open(path) as archive:
        index = json.load(_blob(archive, "index.json"))
        manifest = json.load(_blob(archive, _path(index["manifests"][0])))
        with tarfile.open(fileobj=_blob(archive, _path(manifest["layers"][0]))) as layer:
            layer.extractall(folder, filter="tar")


def _blob(archive: tarfile.TarFile, name: str):  # noqa: ANN202 - tarfile names its type only in private
    return archive.extractfile(name)


def _path(descriptor: dict[str, str]) -> str:
    return f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"
