"""Nothing secret is anywhere but in Secrets and in this machine's state directory; the CA key only in the latter."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import Lab
from federation.mesh import Mesh

pytestmark = pytest.mark.lab

READABLE = "configmaps,pods,events,services,deployments,statefulsets,serviceaccounts,nodes,persistentvolumes"


@pytest.fixture(scope="module")
def secrets(federated: Mesh) -> dict[str, str]:
    """Every secret of the federation by name; private keys by the middle of their base64 text."""
    held = json.loads((federated.folder / "secrets.json").read_text())
    found = {"gossip key": held["gossip"]} | {f"token {name}": token for name, token in held["tokens"].items()}
    for path in federated.folder.glob("*.pem"):
        _, begin, key = path.read_text().partition("PRIVATE KEY-----\n")
        assert begin, path
        found[f"key in {path.name}"] = key.splitlines()[1]
    assert len(found) == 1 + 6 + 3
    return found


def test_no_secret_in_what_others_may_read(federated: Mesh, secrets: dict[str, str]) -> None:
    """Not in a pod's specification, a ConfigMap, an event or any other object but Secrets."""
    for context in federated.names:
        readable = federated.lab.kubectl(context, "get", READABLE, "--all-namespaces", "-o", "json")
        assert "mesh-probe" in readable
        assert names_in(readable, secrets) == []


def test_no_secret_in_helms_memory(federated: Mesh, secrets: dict[str, str]) -> None:
    """Neither values nor manifests of any revision of a release hold one."""
    for context in federated.names:
        releases = list(release_documents(federated.lab, context))
        assert {json.loads(text)["name"] for text in releases} == {"consul", "mesh-probe"}
        assert [names_in(text, secrets) for text in releases] == [[]] * len(releases)


def test_no_secret_on_a_command_line(federated: Mesh, secrets: dict[str, str]) -> None:
    """Of any process on this machine, those of the pods included."""
    lines = {path: _read(path) for path in Path("/proc").glob("[0-9]*/cmdline")}
    assert any("consul\0agent" in line for line in lines.values()), "the search itself must see the servers"
    assert {path: found for path, line in lines.items() if (found := names_in(line, secrets))} == {}
    del federated


def test_no_secret_in_a_log(federated: Mesh, secrets: dict[str, str]) -> None:
    """Of any container in the namespace, init containers included."""
    for context in federated.names:
        for pod in federated.kubectl(context, "get", "pods", "-o", "name").split():
            text = federated.kubectl(context, "logs", pod, "--all-containers", "--tail=-1")
            assert names_in(text, secrets) == [], f"{context} {pod}"


def test_the_ca_key_is_in_no_cluster(federated: Mesh, secrets: dict[str, str]) -> None:
    """Not even in a Secret, while the other secrets are."""
    for context in federated.names:
        held = json.dumps(
            [
                {key: base64.b64decode(value).decode(errors="replace") for key, value in item.get("data", {}).items()}
                for item in federated.lab.get(context, "secrets", "--all-namespaces")["items"]
            ]
        )
        assert "gossip key" in names_in(held, secrets), "the search itself must find what is there"
        assert f"key in server-{context}.pem" in names_in(held, secrets)
        assert "key in authority.pem" not in names_in(held, secrets)


def test_the_management_token_is_in_the_primary_alone(federated: Mesh) -> None:
    """A secondary's Secrets can't be used to manage the federation."""
    primary, secondary = federated.names
    assert "meshkit-bootstrap-token" in federated.kubectl(primary, "get", "secrets", "-o", "name")
    assert "meshkit-bootstrap-token" not in federated.kubectl(secondary, "get", "secrets", "-o", "name")


def test_the_state_directory_is_private(federated: Mesh) -> None:
    """The folder 0700, every file in it 0600."""
    assert federated.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in federated.folder.iterdir()} == {0o600}


def names_in(text: str, secrets: dict[str, str]) -> list[str]:
    """The names of the secrets that a text holds, plain or in base64."""
    forms = {name: (secret, base64.b64encode(secret.encode()).decode()) for name, secret in secrets.items()}
    return [name for name, held in forms.items() if any(form in text for form in held)]


def release_documents(lab: Lab, context: str) -> Iterator[str]:
    """Every revision that Helm remembers, as JSON: base64 twice and compressed in its Secret."""
    for item in lab.get(context, "-n", "consul", "secrets", "-l", "owner=helm")["items"]:
        packed = base64.b64decode(base64.b64decode(item["data"]["release"]))
        yield gzip.decompress(packed).decode()


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # it has ended
