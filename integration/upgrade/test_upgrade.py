"""An upgrade on real clusters: one datacenter after the other, gone on with after a kill, stopped and gone back from.

The lab has one build of Consul. Other versions are the same image under another tag: what is tried is the rolling, not
what Consul itself does between versions.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from clusters import Lab
from federation.mesh import NAMESPACE, Mesh

from meshkit.lab import images

pytestmark = [pytest.mark.lab, pytest.mark.slow]

OLD, NEW, NOT_IN_THE_SECOND = "1.22.7", "1.22.8", "1.22.9"


@pytest.fixture(scope="module")
def mesh(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Both clusters federated, with the newer images in their nodes; the newest is in the primary's alone."""
    folder = tmp_path_factory.mktemp("images")
    made = Mesh(lab)
    first, second = made.names
    for version, names in {NEW: (first, second), NOT_IN_THE_SECOND: (first,)}.items():
        clusters = [argument for name in names for argument in ("--cluster", name)]
        lab.meshkit("lab", "load", str(_retagged(folder, version)), *clusters)
    made.federate()
    yield made
    made.meshkit("destroy", "--yes")


def test_upgrade(mesh: Mesh) -> None:
    """Killed while the primary's servers are replaced, run again it goes on; then nothing is left to do."""
    code, _ = mesh.stop_at(f"Consul {OLD} to {NEW}", signal.SIGKILL, "upgrade", "--consul-version", NEW, "--yes")
    assert code == -signal.SIGKILL
    done = mesh.meshkit("upgrade", "--consul-version", NEW, "--yes")
    assert done.stdout == f"federation mesh is at Consul {NEW}\n"
    assert versions(mesh) == dict.fromkeys(mesh.names, NEW)
    assert mesh.status()["healthy"]
    again = json.loads(mesh.meshkit("upgrade", "--consul-version", NEW, "--output", "json").stdout)
    assert [dc["there"] for dc in again["datacenters"]] == [True, True]


def test_federate_leaves_the_version_alone(mesh: Mesh) -> None:
    """Afterwards the description and the clusters agree."""
    planned = mesh.meshkit("federate", *mesh.names, "--dry-run").stdout
    assert planned.splitlines()[-1] == "nothing to change"


def test_stopped_and_gone_back_from(mesh: Mesh) -> None:
    """A secondary whose node lacks the image is named, and the hint's own command brings both back."""
    first, second = mesh.names
    failed = mesh.meshkit("upgrade", "--consul-version", NOT_IN_THE_SECOND, "--yes", "--timeout", "60", check=False)
    assert failed.returncode == 1
    assert f"the upgrade stopped: {second} is unwell at Consul {NOT_IN_THE_SECOND} ({first} went well)" in failed.stderr
    back = re.search(r"or go back: meshkit (upgrade .*--force)", failed.stderr)
    assert back, failed.stderr
    assert f"--consul-version {NEW} " in back[1]
    mesh.meshkit(*back[1].split(), "--yes")
    assert versions(mesh) == dict.fromkeys(mesh.names, NEW)
    assert mesh.status()["healthy"]


def versions(mesh: Mesh) -> dict[str, str]:
    """The tag that each datacenter's server runs."""
    pods = {name: mesh.lab.get(name, "-n", NAMESPACE, "pod", "consul-server-0") for name in mesh.names}
    return {name: pod["spec"]["containers"][0]["image"].rpartition(":")[2] for name, pod in pods.items()}


def _retagged(folder: Path, version: str) -> Path:
    """The lab's Consul image with another tag, as an archive."""
    consul = next(image for image in images.catalogue() if image.name == images.CONSUL)
    path = folder / f"consul-{version}.tar"
    images._write_archive(replace(consul, name=consul.name.replace(OLD, version)), path)
    return path
