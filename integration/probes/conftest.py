"""The federation that probes' tests share, and schedules put into it as meshkit does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clusters import Lab
from federation.mesh import NAMESPACE, Mesh

from charts.rendering import schedule_values
from meshkit.backends.helm import HelmClient
from meshkit.consul.names import SCHEDULE_RELEASE
from meshkit.federation import agent, charts
from meshkit.lab import toolchain

Schedule = Callable[[str, dict[str, Any]], None]


@pytest.fixture(scope="module")
def federated(lab: Lab) -> Mesh:
    """Both clusters as one healthy federation."""
    mesh = Mesh(lab)
    mesh.federate()
    return mesh


@pytest.fixture
def schedule(federated: Mesh) -> Iterator[Schedule]:
    """Installs or upgrades the schedule of a cluster with these values; all of them are gone afterwards."""
    clients = {name: _helm(federated, name) for name in federated.names}

    def install(name: str, values: dict[str, Any]) -> None:
        over = schedule_values(name) | {"archive": agent.archive_name(), "probes": [], "jobs": []} | values
        clients[name].install(SCHEDULE_RELEASE, NAMESPACE, charts.schedule(), over, "test")

    yield install
    for client in clients.values():
        client.uninstall(SCHEDULE_RELEASE, NAMESPACE)


def _helm(mesh: Mesh, name: str) -> HelmClient:
    return HelmClient(name, executable=str(toolchain.tool("helm")), kubeconfig=str(mesh.lab.kubeconfig))
