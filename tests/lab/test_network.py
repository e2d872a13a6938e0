"""The routes of a node's namespace: what its processes reach, and what they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshkit.lab import network
from meshkit.lab.topology import Node

NODE = Node("aks", 1)


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The routes that ``up`` sets inside, as ip is told them."""
    told: list[str] = []

    def run(*argv: str | Path) -> str:
        words = [str(word) for word in argv]
        if words[:5] == ["ip", "-n", NODE.namespace, "route", "replace"]:
            told.append(" ".join(words[5:]))
        return ""

    monkeypatch.setattr(network, "run", run)
    network.up(NODE)
    return told


def test_the_api_server_reaches_services_and_so_webhooks(routes: list[str]) -> None:
    """Without a route no packet is made, and iptables, where Services live, is never asked."""
    assert "10.101.0.0/16 dev eth0 src 10.99.1.1" in routes


def test_there_is_no_way_into_the_internet(routes: list[str]) -> None:
    """Only this machine and the node's own Services."""
    assert [route.split()[0] for route in routes] == ["10.99.0.254/32", NODE.service_cidr]
