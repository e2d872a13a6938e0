"""``meshkit support-bundle`` as it is typed: what is in the archive, what must not be, and what is refused."""

from __future__ import annotations

import base64
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.test_canary import leaks, secrets_of
from fakes.federation import FakeFederation
from meshkit.federation.support import archive, envoys
from meshkit.trace import envoy

Meshkit = Callable[..., Any]
CANARY = "cafe0042-fade-4bad-8bad-0123456789ab"


@pytest.fixture
def federated(meshkit: Meshkit, world: FakeFederation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Meshkit:
    """A federation, and an empty folder to be in."""
    assert meshkit("federate", "aks", "eks").code == 0
    del world
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    return meshkit


def unpacked(result: Any) -> dict[str, str]:
    """Path below the archive's folder to text."""
    assert result.code == 0, result.err
    (name,) = result.out.split()
    with tarfile.open(name) as packed:
        files = {entry.name: packed.extractfile(entry) for entry in packed.getmembers()}
        texts = {path: file.read().decode() for path, file in files.items() if file}
    folder = Path(name).name.removesuffix(".tar.gz")
    assert all(path.startswith(f"{folder}/") for path in texts)
    return {path.removeprefix(f"{folder}/"): text for path, text in texts.items()}


def test_it_holds_what_both_clusters_say(federated: Meshkit, world: FakeFederation) -> None:
    world.clusters["eks"].pod_logs["consul-server-0", "server"] = "a line of the log\n"
    files = unpacked(federated("support-bundle"))
    for dc in ("aks", "eks"):
        for name in ("pods.json", "endpoints.json", "networkpolicies.json", "events.txt", "helm.txt", "secrets.txt"):
            assert f"clusters/{dc}/{name}" in files
        for name in ("wan-members.json", "config-entries.json", "acl-replication.json", "services.json"):
            assert f"consul/{dc}/{name}" in files
    assert "a line of the log" in files["clusters/eks/logs/consul-server-0/server.log"]
    assert {"index.html", "status.json", "checks.txt", "probes.html", "versions.txt"} <= files.keys()


def test_the_index_leads_to_every_file_and_loads_nothing(federated: Meshkit) -> None:
    files = unpacked(federated("support-bundle"))
    index = files.pop("index.html")
    assert [path for path in files if f'href="./{path}"' not in index] == []
    assert "default-src &#x27;none&#x27;" in index
    assert "<script" not in index
    assert "http:" not in index


def test_no_secret_is_in_it(federated: Meshkit, world: FakeFederation) -> None:
    """Neither one of the federation's, however it came into a log, nor somebody else's beside it."""
    secrets = secrets_of(world)
    cluster = world.clusters["aks"]
    cluster.pod_logs["consul-server-0", "server"] = "\n".join(
        [*(f"odd: {value}" for value in secrets.values()), f"Authorization: Bearer {CANARY}"]
    )
    metadata = {"namespace": "consul", "annotations": {"note": f"password={CANARY}"}}
    cluster.put({"kind": "ConfigMap", "metadata": metadata | {"name": "shop"}, "data": {"url": f"db://u:{CANARY}@h"}})
    theirs = {
        "kind": "Secret",
        "metadata": {"namespace": "consul", "name": "shop"},
        "data": {"x": "aHVudGVyMi1jYW5hcnk="},
    }
    cluster.put(theirs)
    cluster.pod_logs["consul-server-0", "server"] += "\nshop says hunter2-canary\n"
    files = unpacked(federated("support-bundle"))
    assert leaks(files.values(), {**secrets, "theirs": CANARY, "of a Secret": "hunter2-canary"}) == set()
    assert "&lt;redacted" not in files["index.html"]
    assert "gossip key" in files["index.html"]
    assert "shop says <redacted: aks shop/x>" in files["clusters/aks/logs/consul-server-0/server.log"]


def test_a_cluster_that_is_away_is_a_gap_and_the_other_is_there(federated: Meshkit, world: FakeFederation) -> None:
    world.clusters["eks"].faults.unreachable = True
    result = federated("support-bundle")
    files = unpacked(result)
    assert "not in it: clusters/eks, consul/eks and envoy/eks: eks: the API server cannot be reached" in result.err
    assert "clusters/eks" in files["index.html"]
    assert "clusters/aks/pods.json" in files
    assert "✘" in files["index.html"]


def test_what_may_not_be_read_is_a_gap_and_the_rest_is_there(federated: Meshkit, world: FakeFederation) -> None:
    for resource in ("events", "pods/log"):
        for verb in ("get", "list"):
            world.clusters["eks"].faults.forbid(verb, resource)
    result = federated("support-bundle")
    files = unpacked(result)
    for name in ("events.txt", "logs/consul-server-0/server.log"):
        assert f"not in it: clusters/eks/{name}" in result.err
        assert f"clusters/eks/{name}" not in files
    assert "clusters/eks/pods.json" in files


def test_a_cluster_whose_secrets_may_not_be_listed_is_left_out(federated: Meshkit, world: FakeFederation) -> None:
    """What is to be taken out of its texts is not known then; the other cluster's is."""
    cluster = world.clusters["eks"]
    data = {"x": base64.b64encode(b"hunter2-canary").decode()}
    cluster.put({"kind": "Secret", "metadata": {"namespace": "consul", "name": "shop"}, "data": data})
    cluster.pod_logs["consul-server-0", "server"] = "shop says hunter2-canary\n"
    cluster.faults.forbid("list", "secrets")
    result = federated("support-bundle")
    files = unpacked(result)
    assert "not in it: clusters/eks, consul/eks and envoy/eks: eks: user cannot list resource secrets" in result.err
    assert [path for path in files if path.split("/")[1:2] == ["eks"]] == []
    assert "hunter2-canary" not in "".join(files.values())
    assert "eks: user cannot list resource secrets; so its Secrets could not be looked for" in files["index.html"]
    assert "clusters/aks/pods.json" in files


def test_pods_that_may_not_be_listed_are_a_gap_and_the_rest_is_there(federated: Meshkit, world: FakeFederation) -> None:
    world.clusters["eks"].faults.forbid("list", "pods")
    result = federated("support-bundle")
    files = unpacked(result)
    assert "not in it: clusters/eks/pods.json" in result.err
    assert "clusters/eks/services.json" in files
    assert "clusters/aks/pods.json" in files


def test_a_container_that_was_started_again_has_both_its_logs(
    federated: Meshkit, world: FakeFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = world.clusters["aks"]
    listed = cluster.list

    def restarted(kind: str, namespace: str = "", *, selector: str = "") -> list[dict[str, Any]]:
        found = list(listed(kind, namespace, selector=selector))
        for state in (state for pod in found for state in pod.get("status", {}).get("containerStatuses", ())):
            state["restartCount"] = 1
        return found

    monkeypatch.setattr(cluster, "list", restarted)
    cluster.pod_logs["consul-server-0", "server"] = "now\n"
    cluster.pod_logs["consul-server-0", "server before"] = "panic: then\n"
    files = unpacked(federated("support-bundle"))
    assert "now" in files["clusters/aks/logs/consul-server-0/server.log"]
    assert "panic: then" in files["clusters/aks/logs/consul-server-0/server.before.log"]


def test_what_envoys_say_is_in_it_without_their_tokens(federated: Meshkit, world: FakeFederation) -> None:
    pod = "consul-mesh-gateway-6d5f8b9c4-0"
    token = f'{{"key": "x-consul-token", "value": "{CANARY}"}}'
    pages = dict.fromkeys(envoys.FILES.values(), "{}") | {envoy.CONFIG: f'{{"initial_metadata": [{token}]}}'}
    world.clusters["aks"].loopback.admin[pod] = pages
    result = federated("support-bundle")
    files = unpacked(result)
    assert {path.rpartition("/")[2] for path in files if path.startswith(f"envoy/aks/{pod}/")} == envoys.FILES.keys()
    assert files[f"envoy/aks/{pod}/config_dump.json"].count("<redacted: header>") == 1
    assert CANARY not in "".join(files.values())
    assert f"not in it: envoy/eks/{pod}" in result.err


def test_what_the_doctor_found_comes_first(federated: Meshkit, world: FakeFederation) -> None:
    world.clusters["eks"].faults.unreachable = True
    files = unpacked(federated("support-bundle"))
    assert "eks" in files["doctor.txt"]
    assert files["index.html"].index("✘") < files["index.html"].index("Files")


def test_only_its_owner_reads_it(federated: Meshkit) -> None:
    result = federated("support-bundle", "--file", "mine.tar.gz")
    assert result.out == "mine.tar.gz\n"
    assert Path("mine.tar.gz").stat().st_mode & 0o777 == 0o600
    assert list(Path.cwd().iterdir()) == [Path.cwd() / "mine.tar.gz"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--file", "here.tar.gz"), "here.tar.gz exists"),
        (("--file", "bundle.zip"), "bundle.zip is not a name for the archive"),
        (("--file", ".tar.gz"), ".tar.gz is not a name for the archive"),
        (("--file", "nowhere/x.tar.gz"), "nothing can be written to nowhere"),
        (("--since", "soon"), "--since"),
        (("--since", "8d"), "--since"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_read(
    federated: Meshkit, world: FakeFederation, arguments: tuple[str, ...], said: str
) -> None:
    Path("here.tar.gz").touch()
    before = world.clusters["aks"].faults.calls
    result = federated("support-bundle", *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert world.clusters["aks"].faults.calls == before


def test_a_full_disk_leaves_no_archive(federated: Meshkit, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "_add", full)
    result = federated("support-bundle", "--file", "mine.tar.gz")
    assert result.code == 1
    assert "mine.tar.gz can't be written: No space left on device" in result.err
    assert list(Path.cwd().iterdir()) == []
