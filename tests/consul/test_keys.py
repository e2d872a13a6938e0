"""Keys of the official chart: what it does not know is found, with what may have been meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meshkit.consul import keys, official

FOLDER = Path(keys.__file__).with_name("chart_keys")


def found(values: dict[str, Any], version: str = "1.9.11") -> list[tuple[str, str]]:
    return [(".".join(each.where), each.near) for each in keys.unknown(values, version)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({"server": {"storage": "1Gi"}}, [], id="a key of the chart"),
        pytest.param({"server": {"storge": "1Gi"}}, [("server.storge", "storage")], id="a typo, with what was meant"),
        pytest.param({"servers": {"storage": "1Gi"}}, [("servers", "server")], id="a typo at the top"),
        pytest.param({"zzz": 1}, [("zzz", "")], id="nothing like any key"),
        pytest.param({"server": {"resources": {"limits": {"x": 1}}}}, [], id="anything below an open key"),
        pytest.param({"server": {"storage": {"size": 1}}}, [("server.storage.size", "")], id="a mapping for a text"),
        pytest.param({"server": None, "global": "x"}, [], id="nothing and texts have no keys"),
        pytest.param(
            {
                "connectInject": {
                    "apiGateway": {"managedGatewayClass": {"copyAnnotations": {"service": {"annotations": "-"}}}}
                }
            },
            [],
            id="a key that is a text by default, and read below",
        ),
        pytest.param({"meshGateway": {"aclToken": {}}}, [("meshGateway.aclToken", "")], id="a key of the light chart"),
        pytest.param({"fullnameOverride": "x"}, [], id="a key that only templates read"),
        pytest.param({1: 2}, [("1", "")], id="a number for a key"),
    ],
)
def test_unknown(values: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Each with the keys that lead to it."""
    assert found(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({"server": True}, ["server"], id="a switch"),
        pytest.param({"global": {"tls": "on", "acls": []}}, ["global.tls", "global.acls"], id="a text and a list"),
        pytest.param({"connectInject": {"apiGateway": None}}, [], id="nothing takes it away"),
        pytest.param({"server": {"storage": "1Gi", "resources": "{}"}}, [], id="where the chart has no more keys"),
        pytest.param({"server": {"resources": {"requests": 5}}}, ["server.resources.requests"], id="resources"),
        pytest.param({"server": {"resources": {"limits": {"cpu": None}}}}, [], id="resources as they are"),
        pytest.param(
            {"servers": True, "zzz": {"server": 1, "resources": {"limits": 1}}}, [], id="what the chart does not know"
        ),
    ],
)
def test_flat(values: dict[str, Any], expected: list[str]) -> None:
    """What is no mapping where the chart has keys of its own."""
    assert [".".join(where) for where in keys.flat(values, "1.9.11")] == expected


def test_keys_come_and_go_with_versions() -> None:
    """A later patch has what it added, an earlier one has not, and a minor what it took away no more."""
    added = {"client": {"aclInit": {"startupStagger": {"enabled": True}}}}
    assert [found(added, version) == [] for version in ("1.9.1", "1.9.2", "1.9.11", "2.0.0")] == [
        False,
        True,
        True,
        True,
    ]
    gone = {"global": {"cloud": {"enabled": True}}}
    assert [found(gone, version) == [] for version in ("1.9.11", "2.0.0")] == [True, False]


def test_every_known_version_has_keys() -> None:
    """And no file is of a version that is not known."""
    for version in official.versions():
        assert found({"global": {"datacenter": "dc1"}}, version) == []
    assert {file.stem for file in FOLDER.iterdir()} <= set(official.versions())
