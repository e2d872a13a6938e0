"""Names and addresses: valid, distinct, and only where they may be."""

from __future__ import annotations

import ipaddress
import itertools
from pathlib import Path

import pytest

from meshkit.errors import UsageError
from meshkit.lab import network
from meshkit.lab.topology import HOST_ADDRESS, MAX_NODES, Node, cache_folder, check_name, lab_folder
from meshkit.lab.wan.packet import ROUTER


@pytest.mark.parametrize("name", ["a", "aks", "eks-2", "a" * 20])
def test_good_names_pass(name: str) -> None:
    """As they are."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("Aks", id="upper case"),
        pytest.param("2aks", id="digit first"),
        pytest.param("aks-", id="dash last"),
        pytest.param("a.b", id="dot"),
        pytest.param("a/b", id="slash"),
        pytest.param("..", id="parent folder"),
        pytest.param("a" * 21, id="too long for an interface or host name"),
        pytest.param("aks\n", id="line end"),
        pytest.param("wan", id="the WAN's own"),
    ],
)
def test_bad_names_are_refused_with_a_hint(name: str) -> None:
    """They would become folders, namespaces and host names."""
    with pytest.raises(UsageError) as raised:
        check_name(name)
    assert raised.value.hint


def test_no_two_nodes_share_an_address_or_a_range() -> None:
    """For every pair the lab allows, the machine's and the router's addresses included."""
    nodes = [Node(f"n{i}", i) for i in range(1, MAX_NODES + 1)]
    ranges = [ipaddress.ip_network(n.pod_cidr) for n in nodes]
    ranges += [ipaddress.ip_network(f"{n.service_prefix}.0.0/16") for n in nodes]
    ranges += [ipaddress.ip_network(f"{n.address}/32") for n in nodes]
    ranges += [ipaddress.ip_network(HOST_ADDRESS), ipaddress.ip_network(ROUTER)]
    ranges.sort()
    for before, after in itertools.pairwise(ranges):
        assert not before.overlaps(after)


def test_interface_names_fit_the_kernel() -> None:
    """15 letters at most (IFNAMSIZ less its zero byte), whatever the cluster's name."""
    assert len(network.host_interface(Node("a" * 20, MAX_NODES))) <= 15


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MESHKIT_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/meshkit"),
        ({"XDG_CACHE_HOME": ""}, "/home/u/.cache/meshkit"),
    ],
    ids=["ours wins", "else the user's cache", "else the usual place, also when XDG_CACHE_HOME is empty"],
)
def test_the_cache_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    """In this order."""
    for name in ("MESHKIT_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/u")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)


def test_a_clusters_folder_lies_in_the_labs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """MESHKIT_LAB_DIR moves it."""
    monkeypatch.setenv("MESHKIT_LAB_DIR", str(tmp_path))
    assert lab_folder() == tmp_path
    assert Node("aks", 1).folder == tmp_path / "aks"
