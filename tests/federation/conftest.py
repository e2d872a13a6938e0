"""Worlds that most tests of the procedure start from."""

from __future__ import annotations

import pytest

from fakes.federation import FakeFederation
from meshkit.federation import runner


@pytest.fixture
def world() -> FakeFederation:
    """Two clusters that nothing has touched yet."""
    return FakeFederation()


@pytest.fixture
def mesh() -> FakeFederation:
    """Two clusters that one run has federated; what it reported is forgotten."""
    made = FakeFederation()
    runner.run(made.context())
    made.events.clear()
    return made
