"""The link between two clouds breaks and comes back: seen, explained, and over by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from federation.mesh import Mesh, settles

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture
def cut(federated: Mesh) -> Iterator[Mesh]:
    """No packet passes; afterwards the link is whole and the federation healthy."""
    federated.meshkit("lab", "cut", *federated.names)
    yield federated
    federated.meshkit("lab", "heal", *federated.names)
    settles(lambda: bool(federated.status()["healthy"]), "a healthy status")


def test_a_cut_link_is_seen_explained_and_heals(cut: Mesh) -> None:
    """Status names both directions with a reason, checks fail with a hint, both exit with 1; healed, all is well."""
    settles(lambda: not any(link["healthy"] for link in cut.status()["links"]), "both directions broken")

    status = cut.status()
    assert not status["healthy"]
    assert all(link["reason"] for link in status["links"])
    assert all(dc["error"] == "" for dc in status["datacenters"]), "the clusters themselves are well"
    done = cut.meshkit("check", "--output", "json", check=False)
    failed = [result for result in json.loads(done.stdout) if result["verdict"] == "fail"]
    assert done.returncode == cut.meshkit("status", check=False).returncode == 1
    assert "every datacenter sees the others' servers healthy" in [result["check"] for result in failed]
    assert all(result["detail"] and result["hint"] for result in failed)

    cut.meshkit("lab", "heal", *cut.names)
    settles(lambda: all(result["verdict"] == "pass" for result in cut.checks()), "checks that pass")
    assert cut.status()["healthy"]
