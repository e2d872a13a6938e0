"""An authority on a fixed day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from meshkit.pki import profiles
from meshkit.pki.authority import Authority

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    """The day on which everything is made."""
    return NOW


@pytest.fixture(scope="session")
def authority() -> Authority:
    """A CA made by the profile that ships."""
    return Authority.create(profiles.load("ca"), "mesh", NOW)
