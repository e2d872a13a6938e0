"""What stands in the way is said before anything is touched: one clear line, a hint, exit code 1 or 2."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clusters import Lab
from federation.mesh import NAMESPACE, Mesh

from federation import kubeconfigs
from meshkit.backends.base import Permission
from meshkit.federation.state import State
from meshkit.lab import command
from meshkit.model import Datacenter, Federation
from meshkit.pki import profiles

pytestmark = pytest.mark.lab

Broken = Callable[[Lab, str, Path], Path]
NoObjectLeft = list[tuple[str, ...]]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        pytest.param(kubeconfigs.unreachable, "cannot be reached", id="nothing listens"),
        pytest.param(kubeconfigs.untrusted, "is not signed by the kubeconfig's CA", id="untrusted certificate"),
        pytest.param(kubeconfigs.expired, "the client certificate", id="expired client certificate"),
    ],
)
def test_one_cluster_out_of_reach(federated: Mesh, tmp_path: Path, broken: Broken, words: str) -> None:
    """The cluster and the reason are named, and the other cluster is not blamed."""
    first, second = federated.names
    elsewhere = federated.elsewhere(federated.lab.state, broken(federated.lab, second, tmp_path))

    said = refused(elsewhere)

    assert f"{second}: " in said
    assert words in said
    assert f"{first}: " not in said


def test_an_expired_client_certificate_says_when_it_ended(federated: Mesh, tmp_path: Path) -> None:
    """The day stands in the message, since the server's own answer does not say it."""
    path = kubeconfigs.expired(federated.lab, federated.names[0], tmp_path)
    assert "2026-01-02" in refused(federated.elsewhere(federated.lab.state, path))


def test_an_api_server_that_hangs(federated: Mesh, hanging: str) -> None:
    """Is named after its deadline; the run does not hang with it."""
    said = refused(federated)
    assert f"{hanging}: the API server" in said
    assert "within" in said


def test_status_beside_an_api_server_that_hangs(federated: Mesh, hanging: str) -> None:
    """Names it, and shows all of the other cluster: one that is silent hides nothing."""
    status = federated.status()

    shown = {dc["name"]: dc for dc in status["datacenters"]}
    first = shown[federated.names[0]]
    assert not status["healthy"]
    assert hanging in shown[hanging]["error"]
    assert (first["error"], [server["healthy"] for server in first["servers"]]) == ("", [True])
    assert first["gateway"]["ready"] == 1


@pytest.mark.parametrize(
    "lacked",
    [
        pytest.param(Permission("delete", "persistentvolumeclaims", "", NAMESPACE), id="in the namespace"),
        pytest.param(Permission("list", "nodes"), id="in the whole cluster"),
    ],
)
def test_one_missing_permission(
    federated: Mesh, tmp_path: Path, no_object_left: NoObjectLeft, lacked: Permission
) -> None:
    """That verb, that resource and that cluster are named, and nothing else."""
    second = federated.names[1]
    for kind in ("serviceaccount", "clusterrole", "clusterrolebinding"):
        no_object_left.append((second, kind, kubeconfigs.ACCOUNT))
    path = kubeconfigs.lacking(federated.lab, second, tmp_path, lacked)

    said = refused(federated.elsewhere(federated.lab.state, path))

    where = f" in namespace {lacked.namespace}" if lacked.namespace else ""
    assert f"{second}: no permission to {lacked.verb} {lacked.resource}{where}\n" in said
    assert "problems stand in the way" not in said, "one problem, not several"
    assert f"kubectl --context {second} auth can-i {lacked.verb} {lacked.resource}" in said


def test_a_consul_that_is_not_meshkits(federated: Mesh, no_object_left: NoObjectLeft) -> None:
    """A foreign server's StatefulSet is named with its namespace and cluster."""
    second = federated.names[1]
    labels = {"app": "consul", "component": "server"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "consul", "image": "consul"}]}}
    spec = {"replicas": 0, "serviceName": "other", "selector": {"matchLabels": labels}, "template": pod}
    meta = {"name": "other-server", "labels": labels}
    no_object_left.append((second, "statefulset", "other-server"))
    federated.lab.apply(
        second, "default", {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": spec}
    )

    assert f"{second}: a Consul that meshkit did not install is there: statefulset default/other-server" in refused(
        federated
    )


def test_a_namespace_in_deletion(stranger: Mesh, no_object_left: NoObjectLeft) -> None:
    """Together with every other problem, before anything is touched: the Consul that is there is named too."""
    first, second = stranger.names
    lab = stranger.lab
    lab.kubectl(second, "create", "namespace", "leaving")
    no_object_left.append((second, "namespace", "leaving"))
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    lab.apply(second, "leaving", held)
    lab.kubectl(second, "delete", "namespace", "leaving", "--wait=false")
    try:
        said = refused(stranger, "--namespace", "leaving")
    finally:
        lab.kubectl(second, "-n", "leaving", "patch", "configmap", "held", "-p", '{"metadata":{"finalizers":null}}')
    assert f"{second}: the namespace is being deleted" in said
    assert f"{first}: the cluster's Consul is meshkit's already, in namespace consul" in said


def test_a_lost_state_directory_is_no_new_federation(stranger: Mesh) -> None:
    """Both clusters are said to belong to a federation that this machine does not hold; no state is made."""
    said = refused(stranger)

    for name in stranger.names:
        assert f"{name}: the cluster belongs to federation mesh, whose state directory is not on this machine" in said
    assert "restore" in said
    assert not (stranger.folder / "authority.pem").exists()


def test_a_cluster_of_another_federation(stranger: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that holds another federation under the same name can't take the clusters over."""
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(stranger.lab.state))
    first, second = stranger.names
    state = State("mesh")
    state.save_identity(Federation("mesh", (Datacenter(first, first, primary=True), Datacenter(second, second))))
    state.ensure_authority(profiles.load("ca"), datetime.now(UTC))
    state.ensure_secrets()

    said = refused(stranger)

    assert f"{first}: the cluster belongs to another federation, mesh" in said
    assert f"{second}: the cluster belongs to another federation, mesh" in said


def test_helm_of_a_wrong_version(stranger: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said with the version that is needed, together with the other problems, and before anything is touched."""
    helm = tmp_path / "bin" / "helm"
    helm.parent.mkdir()
    helm.write_text("#!/bin/sh\nprintf v3.10.1\n")
    helm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helm.parent}:{os.environ['PATH']}")

    said = refused(stranger)

    assert "helm 3.10.1 is too old: 3.14 or later is needed" in said
    assert "meshkit lab tools" in said


def test_helm_that_is_missing(stranger: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither on PATH nor built by the lab."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("MESHKIT_CACHE_DIR", str(tmp_path / "cache"))

    assert "helm is not installed" in refused(stranger)


def test_contexts_that_are_not_there(federated: Mesh) -> None:
    """A wrong call: exit code 2, and the contexts that are there."""
    done = federated.meshkit("federate", federated.names[0], "nowhere", check=False)
    assert done.returncode == 2
    assert "context 'nowhere' is not in the kubeconfig" in done.stderr
    assert federated.names[1] in done.stderr


@pytest.fixture(scope="module", autouse=True)
def unharmed(federated: Mesh) -> Iterator[None]:
    """After all refusals the federation is as it was: another run changes nothing."""
    before = federated.identity()
    yield
    result = federated.federate()
    assert [c for s in result["steps"] for c in s["changes"] if c["action"] not in ("await", "verify")] == []
    assert federated.identity() == before


@pytest.fixture
def hanging(federated: Mesh) -> Iterator[str]:
    """The second cluster, whose API server takes connections and does not answer."""
    name = federated.names[1]
    stopped = [pid for pid in command.processes(name) if _program(pid) == "kube-apiserver"]
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    yield name
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    federated.lab.kubectl(name, "wait", "node", name, "--for=condition=Ready", "--timeout=60s")


def refused(mesh: Mesh, *arguments: str) -> str:
    """What federate says when it refuses: nothing on stdout, no trace of Python, an error and a hint."""
    done: subprocess.CompletedProcess[str] = mesh.meshkit(
        "federate", *mesh.names, "--output", "json", *arguments, check=False
    )
    assert done.returncode in (1, 2), json.dumps([done.returncode, done.stderr])
    assert done.stdout == ""
    assert "meshkit: error: " in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/exe").resolve().name
    except OSError:
        return ""
