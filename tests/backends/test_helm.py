"""Helm that is missing, old, broken, slow or refuses: one sentence each, and no foreign exception."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from meshkit.backends import helm_command
from meshkit.backends.base import InstalledChart
from meshkit.backends.helm import HelmClient
from meshkit.errors import ForbiddenError, MeshkitError, UnreachableError, UsageError

VERSION = 'case "$*" in version*) printf v3.17.1; exit 0;; esac\n'
STATUS = '[{"revision":2,"status":"%s","chart":"consul-1.9.11","app_version":"1.22.7","description":"meshkit one"}]'


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
    monkeypatch.setattr(helm_command, "DEADLINE_S", 0.05)
    with pytest.raises(UnreachableError, match="did not end"):
        client.release("consul", "consul")


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("pending-install", "rollback"),
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
        f'echo "$*" >> {log}\ncase "$*" in *upgrade*) echo "{{}}"; exit 0;; esac\n' + answer,
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


def test_a_first_revision_that_can_not_be_finished_is_removed(tmp_path: Path) -> None:
    """Going "back" to it is tried first, without its hooks; where that fails, nothing of it is worth keeping."""
    log, answer = tmp_path / "log", f"cat <<'END'\n{STATUS % 'pending-install'}\nEND\n"
    body = f'echo "$*" >> {log}\ncase "$*" in *rollback*) exit 1;; *upgrade*) echo "{{}}"; exit 0;; esac\n'
    helm(tmp_path, body + answer).install("consul", "consul", tmp_path, {}, "meshkit two")
    calls = [call.split()[2:] for call in log.read_text().splitlines()]
    names = [call[0] for call in calls]
    assert names.index("rollback") < names.index("uninstall") < names.index("upgrade")
    assert {"2", "--no-hooks"} <= set(calls[names.index("rollback")])


def test_an_install_takes_as_long_as_it_is_given(tmp_path: Path) -> None:
    """The hooks of a chart may take minutes, and helm must know; the deadline of others stays."""
    log = tmp_path / "log"
    body = f'echo "$*" >> {log}\ncase "$*" in *upgrade*) echo "{{}}"; exit 0;; esac\n'
    client = helm(tmp_path, body + f"cat <<'END'\n{STATUS % 'deployed'}\nEND\n")
    client.install("consul", "consul", tmp_path, {}, "meshkit two", timeout_s=600)
    assert "--timeout 600s" in next(line for line in log.read_text().splitlines() if "upgrade" in line)


def test_an_install_is_stopped(tmp_path: Path) -> None:
    """Helm is told to end, so that it can note its release as failed, and what it started ends too."""
    told, begun, stop = tmp_path / "told", tmp_path / "begun", threading.Event()
    body = (
        f"trap 'touch {told}; exit 1' TERM\n"
        f'case "$*" in *upgrade*) touch {begun}; while :; do sleep 0.05; done;; esac\n'
    )
    client = helm(tmp_path, body + f"cat <<'END'\n{STATUS % 'deployed'}\nEND\n")

    def watch() -> None:
        while not begun.exists():
            stop.wait(0.02)
        stop.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    with pytest.raises(MeshkitError, match="aks: helm was stopped"):
        client.install("consul", "consul", tmp_path, {}, "meshkit two", timeout_s=600, stop=stop)
    watcher.join()
    assert told.exists()


PULL = {
    "a repository that is away": (
        'looks like "https://c" is not a valid chart repository or cannot be reached: dial tcp: no such host',
        UnreachableError,
        "the chart repository https://c cannot be reached",
    ),
    "a version that it has not": (
        'chart "consul" version "9.9.9" not found in https://c repository',
        MeshkitError,
        "has no chart",
    ),
    "credentials that it does not take": (
        "failed to fetch https://c/consul.tgz : 403 Forbidden",
        MeshkitError,
        "wants other",
    ),
    "anything else": ("boom", MeshkitError, "the chart consul 9.9.9 can't be had from https://c"),
}


@pytest.mark.parametrize(("said", "kind", "says"), PULL.values(), ids=PULL.keys())
def test_a_chart_that_can_not_be_pulled(tmp_path: Path, said: str, kind: type[MeshkitError], says: str) -> None:
    """One sentence for each, without a word of API servers, with helm's own words as the detail."""
    client = helm(tmp_path, f"echo 'Error: {said}' >&2; exit 1\n")
    with pytest.raises(MeshkitError, match=says) as caught:
        client.pull("https://c", "consul", "9.9.9", tmp_path)
    assert type(caught.value) is kind
    assert said in caught.value.detail
    assert "API server" not in caught.value.message


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("https://charts.example/x", "pull consul --repo https://charts.example/x --version 1.9.11"),
        ("oci://registry.example/charts/", "pull oci://registry.example/charts/consul --version 1.9.11"),
    ],
)
def test_where_a_chart_is_pulled_from(tmp_path: Path, repository: str, expected: str) -> None:
    """A repository by its index, and an OCI registry by the chart's name in it."""
    log = tmp_path / "log"
    body = f'echo "$*" >> {log}\nfor last; do :; done; touch "$last/consul-1.9.11.tgz"\n'
    assert helm(tmp_path, body).pull(repository, "consul", "1.9.11", tmp_path) == tmp_path / "consul-1.9.11.tgz"
    assert expected in log.read_text()


def test_a_pull_that_leaves_nothing(tmp_path: Path) -> None:
    """Is no success, whatever helm's exit code says."""
    with pytest.raises(MeshkitError, match="helm pull left no chart consul"):
        helm(tmp_path, "exit 0\n").pull("https://c", "consul", "1.9.11", tmp_path)
