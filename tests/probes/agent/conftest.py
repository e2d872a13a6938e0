"""Servers and an agent for each test that asks for them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes import responders
from probes.agent.agents import Agent
from probes.agent.servers import FakeConsul, FakeKubernetes, serving


def _silent(connection: socket.socket) -> None:
    connection.recv(1)


@pytest.fixture
def target() -> Iterator[int]:
    """A port that accepts."""
    with responders.tcp(_silent) as port:
        yield port


@pytest.fixture
def kubernetes(tmp_path: Path) -> Iterator[FakeKubernetes]:
    folder = tmp_path / "kubernetes"
    folder.mkdir()
    fake = FakeKubernetes()
    with serving(fake, folder):
        yield fake


@pytest.fixture
def consul(tmp_path: Path) -> Iterator[FakeConsul]:
    """Its certificate is for its own name, not for the address that it is reached at."""
    folder = tmp_path / "consul"
    folder.mkdir()
    fake = FakeConsul()
    with serving(fake, folder, "server.aks.consul"):
        yield fake


@pytest.fixture
def agent(tmp_path: Path, kubernetes: FakeKubernetes) -> Agent:
    """An agent that is not started yet, without a mesh identity."""
    return Agent(tmp_path, kubernetes)
