"""The fake Consul keeps what ``base.Consul`` promises."""

from __future__ import annotations

import pytest

from contracts.consul import ConsulContract
from fakes.federation import FakeFederation
from meshkit.backends.base import Consul
from meshkit.federation import runner


class TestFakeConsul(ConsulContract):
    """In memory, in a federation made over fakes."""

    @pytest.fixture
    def consul(self, primary: str) -> Consul:
        world = FakeFederation()
        runner.run(world.context())
        return world.context().consul(primary)

    @pytest.fixture
    def primary(self) -> str:
        return "aks"
