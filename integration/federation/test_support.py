"""A support bundle of two real clusters: whole, without a secret, and readable in a browser."""

from __future__ import annotations

import base64
import json
import tarfile
from pathlib import Path

import pytest
from federation.mesh import NAMESPACE, Mesh

pytestmark = pytest.mark.lab

CANARY = "cafe0042-fade-4bad-8bad-0123456789ab"
PUBLIC = "-----BEGIN CERTIFICATE-----"


def test_it_holds_everything_but_secrets(federated: Mesh, tmp_path: Path) -> None:
    """Those of both clusters, of the state directory, and one that stands in an object of somebody else."""
    first, second = federated.names
    federated.kubectl(first, "create", "configmap", "shop", f"--from-literal=url=postgres://shop:{CANARY}@db/shop")
    target = tmp_path / "bundle.tar.gz"
    try:
        said = federated.meshkit("support-bundle", "--file", str(target))
    finally:
        federated.kubectl(first, "delete", "configmap", "shop")

    assert said.stdout == f"{target}\n"
    assert target.stat().st_mode & 0o777 == 0o600
    files = _unpacked(target)
    for name in (first, second):
        assert "Started" in files[f"clusters/{name}/events.txt"]
        assert any(path.startswith(f"clusters/{name}/logs/consul-server-0/") for path in files)
        assert json.loads(files[f"consul/{name}/leader.json"])
        dumps = [path for path in files if path.startswith(f"envoy/{name}/") and path.endswith("/config_dump.json")]
        assert len(dumps) == 2
        assert all(json.loads(files[path])["configs"] for path in dumps)
        assert json.loads(files[f"consul/{name}/services.json"])["consul"]
    assert "2 paths traced" in files["doctor.txt"]
    index = files["index.html"]
    assert [path for path in files if path != "index.html" and f'href="./{path}"' not in index] == []
    secrets = {"canary": CANARY, **_secrets(federated)}
    leaks = {(name, path) for path, text in files.items() for name, value in secrets.items() if value in text}
    assert leaks == set()
    assert "What could not be read" not in index


def _unpacked(target: Path) -> dict[str, str]:
    with tarfile.open(target) as packed:
        files = {entry.name.partition("/")[2]: packed.extractfile(entry) for entry in packed.getmembers()}
        return {path: file.read().decode() for path, file in files.items() if file}


def _secrets(mesh: Mesh) -> dict[str, str]:
    """Every value that a Secret of either cluster or the state directory holds, keys line by line, and in base64."""
    found = {}
    for name in mesh.names:
        for secret in mesh.lab.get(name, "-n", NAMESPACE, "secrets")["items"]:
            if secret["type"] != "helm.sh/release.v1":
                for key, value in secret["data"].items():
                    found[f"{name} {secret['metadata']['name']}/{key}"] = base64.b64decode(value).decode()
    found["CA"] = (mesh.folder / "authority.pem").read_text()
    plain = {}
    for name, value in found.items():
        if "PRIVATE KEY" in value:
            body = value[value.index("PRIVATE KEY") :].splitlines()[1:-1]
            plain |= {f"{name} line {number}": line for number, line in enumerate(body) if len(line) > 40}
        elif PUBLIC not in value:
            plain |= {name: value, f"{name} in base64": base64.b64encode(value.encode()).decode()}
    assert len(plain) > 10
    return plain
