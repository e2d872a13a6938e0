"""A federation whose probing is tried: two clusters, federated, and what each test needs of them."""

from __future__ import annotations

import pytest

from fakes.federation import FakeFederation
from meshkit.federation import runner


@pytest.fixture
def mesh() -> FakeFederation:
    """Two clusters that one run has federated."""
    made = FakeFederation()
    runner.run(made.context())
    made.events.clear()
    return made
