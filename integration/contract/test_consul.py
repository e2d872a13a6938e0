"""Real Consul servers keep what ``base.Consul`` promises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clusters import Lab

from contracts.consul import ConsulContract
from meshkit.backends.base import Consul
from meshkit.cli import wiring
from meshkit.events import ignore
from meshkit.federation.state import State
from meshkit.model import Datacenter, Federation

pytestmark = pytest.mark.lab

NAME = "mesh"
TIMEOUT_S = 120.0


@pytest.fixture(scope="module")
def federated(lab: Lab) -> Lab:
    """The lab's clusters as one federation."""
    lab.meshkit("federate", *lab.names)
    return lab


class TestConsulClient(ConsulContract):
    """Against the lab, federated."""

    @pytest.fixture
    def primary(self, lab: Lab) -> str:
        return lab.names[0]

    @pytest.fixture
    def consul(self, federated: Lab, primary: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Consul]:
        lab = federated
        monkeypatch.setenv("KUBECONFIG", str(lab.kubeconfig))
        monkeypatch.setenv("MESHKIT_STATE_DIR", str(lab.state))
        datacenters = tuple(Datacenter(name, name, primary=name == primary) for name in lab.names)
        federation = Federation(NAME, datacenters)
        with wiring.connect(federation, State(NAME), ignore, TIMEOUT_S) as context:
            yield context.consul(primary)
