"""``lab up`` and ``lab down`` may be killed at any point and run again; ``down`` leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from clusters import Lab

from meshkit.lab import cgroups, command, configs, mounts, network, node, register
from meshkit.lab.topology import Node

pytestmark = [pytest.mark.lab, pytest.mark.slow]

NAME = "test-kill"
FOREIGN = {
    "apiVersion": "v1",
    "kind": "Config",
    "preferences": {},
    "clusters": [{"name": "prod", "cluster": {"server": "https://prod.example"}}],
    "users": [{"name": "prod", "user": {"token": "not-a-real-token", "expiry": "2030-01-01T00:00:00Z"}}],
    "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "prod", "namespace": "shop"}}],
    "current-context": "prod",
}


@pytest.fixture
def cluster(lab: Lab) -> Iterator[Lab]:
    """The lab without the cluster ``test-kill``, before and after."""
    lab.meshkit("lab", "down", NAME, check=False)
    yield lab
    lab.meshkit("lab", "down", NAME, check=False)


def start(lab: Lab, *arguments: str) -> subprocess.Popen[str]:
    """A running ``meshkit lab``, its narration readable."""
    words = [str(Path(sys.executable).with_name("meshkit")), "lab", *arguments]
    return subprocess.Popen(words, env=lab.environment, stderr=subprocess.PIPE, text=True, encoding="utf-8")


def kill_at(lab: Lab, words: str, *arguments: str) -> None:
    """Start ``meshkit lab`` and kill it as soon as it says the words."""
    with start(lab, *arguments) as run:
        assert run.stderr is not None
        said = []
        for line in run.stderr:
            said.append(line)
            if words in line:
                run.send_signal(signal.SIGKILL)
                break
        else:
            pytest.fail(f"never said {words!r}: {said}")


def kill_after(lab: Lab, seconds: float, *arguments: str) -> None:
    """Start ``meshkit lab`` and kill it after a time, whatever it does then."""
    with start(lab, *arguments) as run:
        try:
            run.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)


def remains(n: Node) -> list[str]:
    """Everything of a cluster that is still on this machine."""
    found = [f"process {pid}" for pid in command.processes(n.name)]
    found += [f"mount {place}" for folder in (n.folder, configs.runtime_folder(n)) for place in mounts.below(folder)]
    found += [f"folder {folder}" for folder in (n.folder, configs.runtime_folder(n)) if folder.exists()]
    found += [f"control group {path}" for path in cgroups.ROOT.glob(f"**/{cgroups.name(n)}")]
    found += ["network namespace"] if network.exists(n) else []
    if n.index in {k.index for k in register.known() if k != n}:
        return found  # another run's cluster has the index, and with it interface and routes, by now
    links = json.loads(command.run("ip", "-json", "link"))
    found += [link["ifname"] for link in links if link["ifname"] in {network.host_interface(n), f"meshkitwan{n.index}"}]
    found += [line for line in command.run("ip", "route").splitlines() if n.address in line]
    found += [line for line in command.run("iptables-save").splitlines() if n.address in line or "KUBE" in line]
    return found


@pytest.mark.parametrize("words", ["control plane starting", "waiting for CoreDNS"])
def test_up_killed_at_a_step_is_finished_by_the_next_up(cluster: Lab, words: str) -> None:
    """The second run brings the cluster up, with a context that works."""
    kill_at(cluster, words, "up", NAME)
    cluster.meshkit("lab", "up", NAME)
    assert node.is_running(register.find(NAME))
    assert cluster.kubectl(NAME, "get", "node", NAME, "-o", "name") == f"node/{NAME}\n"


def test_up_killed_after_any_time_is_removed_by_down(cluster: Lab) -> None:
    """Whatever had been started by then, nothing of it remains."""
    for tenths in (3, 6, 9, 20, 50):
        kill_after(cluster, tenths / 10, "up", NAME)
        known = [n for n in register.known() if n.name == NAME]
        cluster.meshkit("lab", "down", NAME, check=bool(known))
        assert [remains(n) for n in known] in ([], [[]]), f"killed after {tenths / 10} s"


def test_down_killed_after_any_time_is_finished_by_the_next_down(cluster: Lab) -> None:
    """The second ``down`` ends with nothing left, and an ``up`` after a killed ``down`` starts anew."""
    for tenths in (4, 6, 8):
        cluster.meshkit("lab", "up", NAME)
        n = register.find(NAME)
        kill_after(cluster, tenths / 10, "down", NAME)
        if tenths == 6:
            cluster.meshkit("lab", "up", NAME)
            assert node.is_running(register.find(NAME))
        cluster.meshkit("lab", "down", NAME, check=NAME in {k.name for k in register.known()})
        assert remains(n) == [], f"killed after {tenths / 10} s"


def test_two_ups_at_once_make_one_cluster(cluster: Lab) -> None:
    """Both end well, and the second finds the cluster running."""
    with start(cluster, "up", NAME) as first, start(cluster, "up", NAME) as second:
        said = [first.communicate()[1], second.communicate()[1]]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert sum("was already running" in text for text in said) == 1, said


@pytest.mark.parametrize("program", ["containerd", "python"])
def test_up_mends_a_cluster_that_lost_a_component(cluster: Lab, program: str) -> None:
    """Not answered with "was already running": the component is back."""
    cluster.meshkit("lab", "up", NAME)
    victims = [pid for pid in command.processes(NAME) if _program(pid).startswith(program)]
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    assert not node.is_running(register.find(NAME))
    assert "ready at" in cluster.meshkit("lab", "up", NAME).stderr
    assert node.is_running(register.find(NAME))


def test_down_of_a_used_cluster_leaves_nothing(cluster: Lab) -> None:
    """Pods, volumes and load balancers included; the lab's other clusters stay as they are."""
    cluster.meshkit("lab", "up", NAME)
    n = register.find(NAME)
    assert remains(n), "the search itself must find a running cluster"
    cluster.meshkit("lab", "down", NAME)
    assert remains(n) == []
    assert all(node.is_running(register.find(name)) for name in cluster.names)


def test_other_entries_of_the_kubeconfig_stay(cluster: Lab, tmp_path: Path) -> None:
    """With several files and a context that is current: the lab's comes and goes, all else is as it was."""
    first, second = tmp_path / "missing", tmp_path / "config"
    second.write_text(yaml.safe_dump(FOREIGN))
    environment = cluster.environment | {"KUBECONFIG": f"{first}:{second}"}
    meshkit = str(Path(sys.executable).with_name("meshkit"))
    subprocess.run([meshkit, "lab", "up", NAME], env=environment, check=True)
    document = yaml.safe_load(second.read_text())
    assert {entry["name"] for entry in document["contexts"]} == {"prod", NAME}
    assert document["current-context"] == "prod"
    subprocess.run([meshkit, "lab", "down", NAME], env=cluster.environment, check=True)
    assert yaml.safe_load(second.read_text()) == FOREIGN
    assert not first.exists()


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/exe").resolve().name
    except OSError:
        return ""
