"""What probes are aimed by is read at once from whoever answers, and nobody is waited for long."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from fakes.consul import FakeConsul
from fakes.federation import FakeFederation
from meshkit.errors import UnreachableError
from meshkit.federation import asking
from meshkit.federation.probing import surroundings
from meshkit.federation.probing.surroundings import Surroundings

HANG_S = 20.0


def look(mesh: FakeFederation) -> Surroundings:
    return surroundings.look(mesh.context())


def test_everything_of_two_clusters(mesh: FakeFederation) -> None:
    seen = look(mesh)
    assert seen.gateways == {"aks": ("203.0.113.1", 443), "eks": ("203.0.113.2", 443)}
    assert set(seen.catalogs) == {"aks", "eks"}
    assert "BEGIN CERTIFICATE" in seen.ca_certificate
    assert (seen.away, seen.notes) == ({}, ())


@pytest.mark.parametrize("away", ["aks", "eks"])
def test_the_other_cluster_knows_what_one_that_is_away_can_not_say(mesh: FakeFederation, away: str) -> None:
    before = look(mesh)
    mesh.clusters[away].faults.unreachable = True
    seen = look(mesh)
    assert (seen.gateways, seen.catalogs) == (before.gateways, before.catalogs)
    assert (seen.trust_domain, seen.mesh_roots) == (before.trust_domain, before.mesh_roots)
    assert list(seen.away) == [away]


def test_a_cluster_that_is_away_is_noted_once(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever each of its silences would say."""
    cluster = mesh.clusters["eks"]

    def hang(*_: Any, **__: Any) -> Any:
        raise UnreachableError("eks: the API server did not answer within 15 s")

    monkeypatch.setattr(cluster, "list", hang)
    cluster.faults.unreachable = True
    seen = look(mesh)
    assert seen.away == {"eks": "eks: the API server cannot be reached"}
    assert seen.notes == ("eks: the API server cannot be reached",)


def test_catalogs_are_left_out_where_they_are_of_no_use(mesh: FakeFederation) -> None:
    assert surroundings.look(mesh.context(), catalogs=False).catalogs == {}


def test_servers_that_hang_cost_one_wait(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call to eks's servers, and every one to others about eks, hangs."""
    over, plain = threading.Event(), FakeConsul.services

    def hang(*_: Any) -> Any:
        over.wait(HANG_S)
        return {}

    def services(self: FakeConsul, datacenter: str) -> Any:
        return hang() if "eks" in (self._datacenter, datacenter) else plain(self, datacenter)

    monkeypatch.setattr(FakeConsul, "services", services)
    monkeypatch.setattr(FakeConsul, "gateways", hang)
    monkeypatch.setattr(asking, "WITHIN_S", 0.5)
    began = time.monotonic()
    try:
        seen = look(mesh)
        assert time.monotonic() - began < HANG_S / 2
    finally:
        over.set()
    assert set(seen.gateways) == {"aks", "eks"}
    assert set(seen.catalogs) == {"aks"}
    assert "eks: no answer within 0.5 s" in seen.notes
