"""Drift: what federate would change in a datacenter, as sentences."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.errors import MeshkitError
from meshkit.federation.drift import drift


def of(mesh: FakeFederation, name: str) -> tuple[str, ...]:
    return drift(mesh.context(), next(dc for dc in mesh.federation.datacenters if dc.name == name))


def test_none(mesh: FakeFederation) -> None:
    """What was just federated is as described."""
    assert of(mesh, "aks") == of(mesh, "eks") == ()


@pytest.mark.parametrize(
    ("ref", "sentence"),
    [
        pytest.param(
            Ref("Secret", "meshkit-gossip", "consul"), "secret meshkit-gossip: missing or changed", id="secret"
        ),
        pytest.param(
            Ref("ConfigMap", "meshkit-federation", "consul"),
            "configmap meshkit-federation: missing or changed",
            id="marker",
        ),
        pytest.param(
            Ref("Service", "meshkit-mesh-gateway", "consul"),
            "service meshkit-mesh-gateway, port 443: missing or changed",
            id="gateway",
        ),
    ],
)
def test_something_is_missing(mesh: FakeFederation, ref: Ref, sentence: str) -> None:
    """An object that was deleted is named in its datacenter, and only there."""
    mesh.clusters["eks"].remove(ref)
    assert of(mesh, "eks") == (sentence,)
    assert of(mesh, "aks") == ()


@pytest.mark.parametrize("release", ["consul", "mesh-probe"])
def test_release(mesh: FakeFederation, release: str) -> None:
    """A release that someone changed or broke is named with the reason."""
    mesh.wan.helms["eks"].leave(release, "consul", "failed")
    assert of(mesh, "eks") == (f"helm release {release}: it is failed",)


def test_certificate(mesh: FakeFederation) -> None:
    """A certificate that is due is named with its end."""
    mesh.clock.advance(timedelta(days=300).total_seconds())
    (sentence,) = of(mesh, "aks")
    assert sentence.startswith("server certificate: two thirds of its lifetime are over, it ends on ")


@pytest.mark.parametrize("lost", ["federation.json", "authority.pem"])
def test_machine_without_the_state(mesh: FakeFederation, lost: str) -> None:
    """Where the state directory is not complete, nothing can be said, and nothing is."""
    mesh.clusters["eks"].remove(Ref("Secret", "meshkit-gossip", "consul"))
    (mesh.state.path / lost).unlink()
    assert of(mesh, "eks") == ()


def test_another_cluster_that_is_silent(mesh: FakeFederation) -> None:
    """What differs in the cluster that answers is still named; what its silent neighbour is needed for is left out."""
    mesh.clusters["eks"].faults.unreachable = True
    assert of(mesh, "aks") == ()
    mesh.clusters["aks"].remove(Ref("Secret", "meshkit-gossip", "consul"))
    assert of(mesh, "aks") == ("secret meshkit-gossip: missing or changed",)
    with pytest.raises(MeshkitError, match="eks: the API server cannot be reached"):
        of(mesh, "eks")


def test_a_chart_that_is_not_on_this_machine(mesh: FakeFederation, tmp_path: Path) -> None:
    """Nothing is said to differ that could not be compared, and what could not be is said."""
    mesh.federation = replace(mesh.federation, chart_path=str(tmp_path / "gone"))
    found = of(mesh, "eks")
    assert any(line.startswith("helm release consul: the chart") and "is not on this machine" in line for line in found)
