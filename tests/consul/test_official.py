"""Versions of the official chart."""

from __future__ import annotations

import pytest

from meshkit.consul import official


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("1.9.11", "1.9.11", id="a known one is itself"),
        pytest.param("1.9.12", "1.9.11", id="a later one of a known minor is like its newest"),
        pytest.param("2.0.17", "2.0.3", id="of every known minor"),
        pytest.param("1.9.4", "", id="one that was never published"),
        pytest.param("2.1.0", "", id="a later minor may have other keys"),
        pytest.param("1.8.16", "", id="an earlier minor"),
        pytest.param("1.9.11-rc1", "", id="a pre-release"),
        pytest.param("latest", "", id="no version"),
    ],
)
def test_known(version: str, expected: str) -> None:
    """Which version's facts hold for a version."""
    assert official.known(version) == expected


def test_the_default_is_known() -> None:
    """A new federation gets a chart that meshkit works with, and its Consul."""
    assert official.default() in official.versions()
    assert official.consul_version(official.default()) == "1.22.7"


def test_a_chart_for_a_version_of_consul() -> None:
    """The newest that installs it; an upgrade goes by Consul's version."""
    assert official.chart_for("1.22.7") == "1.9.11"
    assert official.chart_for("1.0.0") == ""


def test_ranges() -> None:
    """What an error says of the known versions."""
    assert official.ranges() == "1.9.0 to 1.9.11, 2.0.0 to 2.0.3"
