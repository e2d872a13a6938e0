"""Helm that is missing, old, broken, slow or refuses: one sentence each, and no foreign exception."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from meshkit.backends import helm as helm_module
from meshkit.backends.base import InstalledChart
from meshkit.backends.helm import HelmClient
from meshkit.errors import ForbiddenError, MeshkitError, UnreachableError, UsageError

VERSION = 'case "$*" in version*) printf v3.17.1; exit 0;; esac\n'
STATUS = (
    '{"name":"consul","namespace":"consul","version":2,"manifest":"","info":{"status":"%s",'
    '"last_deployed":"2026-01-01T00:00:00Z","description":"meshkit one"}}'
)


def script(tmp_path: Path, body: str) -> str:
    """An executable that stands for helm."""
    path = tmp_path / "helm"
    path.write_text(f"#!/bin/sh\n{body}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def helm(tmp_path: Path, body: str) -> HelmClient:
    return HelmClient("aks", executable=script(tmp_path, VERSION + body))


def test_missing(tmp_path: Path) -> None:
    """No helm is a usage error that says where to get one."""
    with pytest.raises(UsageError, match="helm is not installed") as caught:
        HelmClient("aks", executable=str(tmp_path / "helm"))
    assert "3.14" in caught.value.hint


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param("printf v3.9.4", "helm 3.9.4 is too old", id="too old"),
        pytest.param("printf v2.17.0", "helm 2.17.0 is too old", id="a major version too old"),
        pytest.param("echo hello", "not a helm that runs", id="another program of that name"),
        pytest.param("echo boom >&2; exit 3", "not a helm that runs: boom", id="one that fails"),
    ],
)
def test_wrong_version(tmp_path: Path, body: str, says: str) -> None:
    """What is no usable helm is found before anything is done with it."""
    with pytest.raises(UsageError, match=says) as caught:
        HelmClient("aks", executable=script(tmp_path, body))
    assert caught.value.hint


def test_release(tmp_path: Path) -> None:
    """A release is read with its status, revision and description."""
    found = helm(tmp_path, f"cat <<'END'\n{STATUS % 'deployed'}\nEND\n").release("consul", "consul")
    assert found is not None
    assert (found.status, found.revision, found.description) == ("deployed", 2, "meshkit one")


def test_no_release(tmp_path: Path) -> None:
    """Helm's "not found" is None, whatever its exit code."""
    assert helm(tmp_path, "echo 'Error: release: not found' >&2; exit 1").release("consul", "consul") is None


def test_chart_and_values(tmp_path: Path) -> None:
    """Chart, version, app version and values are read; helm prints null for a release without values of its own."""
    body = (
        'case "$*" in\n*"get metadata consul --namespace consul --output json"*)'
        """ echo '{"name":"consul","chart":"consul","version":"1.9.11","appVersion":"1.22.7"}';;\n"""
        '*"get values consul"*) echo \'{"global":{"name":"consul"}}\';;\n*) echo null;; esac\n'
    )
    client = helm(tmp_path, body)
    assert client.chart("consul", "consul") == InstalledChart("consul", "1.9.11", "1.22.7")
    assert client.values("consul", "consul") == {"global": {"name": "consul"}}
    assert client.values("plain", "consul") == {}


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        pytest.param(
            "echo 'Error: Kubernetes cluster unreachable: dial tcp: connection refused' >&2; exit 1",
            UnreachableError,
            "cannot reach the API server",
            id="an API server that is away",
        ),
        pytest.param("echo 'Error: forbidden' >&2; exit 1", MeshkitError, "aks: helm: forbidden", id="a refusal"),
        pytest.param("exit 1", MeshkitError, "no output", id="a failure without a word"),
        pytest.param("echo no json", MeshkitError, "can't be read", id="an answer that is not JSON"),
        pytest.param("echo '{}'", MeshkitError, "can't be read", id="JSON of another shape"),
    ],
)
def test_failure(tmp_path: Path, body: str, kind: type[MeshkitError], says: str) -> None:
    """Every failure is one of ours and names the cluster."""
    with pytest.raises(MeshkitError, match=says) as caught:
        helm(tmp_path, body).release("consul", "consul")
    assert type(caught.value) is kind
    assert caught.value.message.startswith("aks: ")


def test_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helm that never ends is ended, with what it started."""
    client = helm(tmp_path, "sleep 600 & wait")
    monkeypatch.setattr(helm_module, "DEADLINE_S", 0.05)
    with pytest.raises(UnreachableError, match="did not end"):
        client.release("consul", "consul")


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("pending-install", "uninstall"),
        ("uninstalling", "uninstall"),
        ("pending-upgrade", "rollback"),
        ("pending-rollback", "rollback"),
    ],
)
def test_repair(tmp_path: Path, status: str, command: str) -> None:
    """A pending release is taken out of that state first, and without waiting for pods that may never be ready."""
    log = tmp_path / "log"
    answer = f"cat <<'END'\n{STATUS % status}\nEND\n"
    client = helm(
        tmp_path,
        f'echo "$*" >> {log}\ncase "$*" in *show*) echo "{{apiVersion: v2, name: c, version: 1.0.0}}"; exit 0;; esac\n'
        + answer,
    )
    client.install("consul", "consul", tmp_path, {"password": "canary"}, "meshkit two")
    calls = log.read_text().splitlines()
    names = [call.replace("--kube-context aks ", "").split()[0] for call in calls]
    assert names.index(command) < names.index("upgrade")
    assert not [call for call in calls if "rollback" in call and "--wait" in call]
    assert "canary" not in log.read_text()


def test_a_login_plugin_that_fails_for_helm(tmp_path: Path) -> None:
    """Helm logs in with the same plugin by itself; its failure is told as that, not as an unreachable cluster."""
    words = (
        "Error: INSTALLATION FAILED: Kubernetes cluster unreachable: Get 'https://x/version': "
        "getting credentials: exec: executable aws failed with exit code 255"
    )
    with pytest.raises(ForbiddenError, match=r"^aks: helm can't log in: exec: executable aws failed") as caught:
        helm(tmp_path, f'echo "{words}" >&2; exit 1').release("consul", "consul")
    assert "kubectl --context aks" in caught.value.hint
