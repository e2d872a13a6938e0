"""Which upgrades Consul takes: at most two release series at once, and never back."""

from __future__ import annotations

import pytest

from meshkit.consul import official, upgrades


@pytest.mark.parametrize(
    ("current", "wanted"),
    [
        pytest.param("1.22.7", "1.22.8", id="a patch"),
        pytest.param("1.22.7", "1.22.7", id="the same version"),
        pytest.param("1.22.8", "1.22.7", id="a patch back"),
        pytest.param("1.22.7", "2.0.3", id="the next series, across the major number"),
        pytest.param("1.21.5", "2.0.3", id="two series"),
        pytest.param("1.22.0-rc1", "1.22.0", id="from a pre-release"),
    ],
)
def test_taken(current: str, wanted: str) -> None:
    """These need no intermediate step."""
    assert upgrades.refusal(current, wanted) == ""


@pytest.mark.parametrize(
    ("current", "wanted", "says"),
    [
        pytest.param("1.22.7", "1.21.5", "can't go back", id="a series back"),
        pytest.param("2.0.3", "1.22.7", "can't go back", id="a series back, across the major number"),
        pytest.param("1.20.6", "2.0.3", "first to 1.22", id="three series"),
        pytest.param("1.18.0", "1.22.0", "first to 1.20", id="four series"),
        pytest.param("1.22.7", "1.23.0", "knows nothing of Consul 1.23.0", id="a series that nobody knows"),
        pytest.param("0.9.0", "1.22.7", "knows nothing of Consul 0.9.0", id="from a series that nobody knows"),
        pytest.param("latest", "1.22.7", "knows nothing of Consul latest", id="from what is no version"),
    ],
)
def test_refused(current: str, wanted: str, says: str) -> None:
    """The reason names the versions, and the step between where there is one."""
    assert says in upgrades.refusal(current, wanted)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("1.22.7", True), ("1.22.0-rc1", True), ("1.22", False), ("v1.22.7", False), ("latest", False), ("", False)],
)
def test_versions(text: str, is_one: bool) -> None:  # noqa: FBT001 - a column of the table
    """A version has three numbers and no leading letter."""
    assert upgrades.is_version(text) is is_one


def test_every_chart_can_be_upgraded_to() -> None:
    """No known chart installs a Consul of which the rule knows nothing."""
    assert {upgrades.series(official.consul_version(chart)) for chart in official.versions()} <= set(upgrades.known())


def test_way_back() -> None:
    """Only within a series."""
    assert upgrades.is_way_back("1.22.8", "1.22.7")
    assert not upgrades.is_way_back("2.0.0", "1.22.7")
    assert not upgrades.is_way_back("latest", "latest")
