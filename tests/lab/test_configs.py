"""Flags and files of a node: the ones that several nodes on one machine, and old kernels, depend on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshkit.lab import configs, limits, pki
from meshkit.lab.topology import Node

SECRETS = ("BEGIN", "PRIVATE")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with keys, in a lab folder of the module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHKIT_LAB_DIR", str(tmp_path_factory.mktemp("lab")))
        made = Node("aks", 3)
        pki.ensure(made)
        yield made


@pytest.mark.parametrize("component", configs.COMPONENTS)
def test_no_secret_stands_on_a_command_line(node: Node, component: str) -> None:
    """Every user of the machine can read those."""
    flags = configs.flags(node, component)
    assert flags
    assert not any(secret in flag for flag in flags for secret in SECRETS)


@pytest.mark.parametrize("component", configs.COMPONENTS)
def test_every_file_that_a_flag_names_is_there(node: Node, component: str) -> None:
    """Keys and kubeconfigs; folders are made by the components themselves."""
    configs.write_kubelet(node)
    for flag in configs.flags(node, component):
        _, _, value = flag.partition("=")
        if value.startswith("/") and Path(value).suffix:
            assert Path(value).exists(), flag


def test_components_stay_within_their_node(node: Node) -> None:
    """Own folders and ranges, so that two nodes on one machine do not meet."""
    apiserver = configs.flags(node, "kube-apiserver")
    assert "--service-cluster-ip-range=10.103.0.0/16" in apiserver
    assert f"--root-dir={node.folder / 'kubelet'}" in configs.flags(node, "kubelet")
    assert "--cluster-cidr=10.153.0.0/16" in configs.flags(node, "kube-proxy")


def test_the_kubelet_runs_on_the_users_machine_as_it_is(node: Node) -> None:
    """Swap and control groups of version 1 are no reason to stop, and logs lie in the node's own folder."""
    configs.write_kubelet(node)
    settings = json.loads((node.folder / "kubelet.json").read_text())
    assert settings["failSwapOn"] is settings["failCgroupV1"] is False
    assert settings["cgroupRoot"] == "/meshkit-aks"
    assert settings["podLogsDir"] == str(node.folder / "podlogs")
    assert settings["clusterDNS"] == ["10.103.0.10"]
    assert settings["authentication"]["anonymous"] == {"enabled": False}


def test_sockets_fit_the_kernels_limit() -> None:
    """107 letters, for the longest name there is."""
    assert len(str(configs.containerd_socket(Node("a" * 20, 40)))) < 107


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(128, 1024, id="a low limit is raised"),
        pytest.param(1024, 1024, id="the wanted one stays"),
        pytest.param(8192, 8192, id="a higher one is not lowered"),
    ],
)
def test_limits_are_only_raised(tmp_path: Path, before: int, after: int) -> None:
    """The machine is the user's; a limit that is not there is let be."""
    (tmp_path / "max_user_instances").write_text(f"{before}\n")
    limits.ensure(tmp_path)
    assert int((tmp_path / "max_user_instances").read_text()) == after
    assert not (tmp_path / "max_user_watches").exists()
