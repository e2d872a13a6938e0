"""What intentions say should be seen: allowed passes, denied is refused, and what can't be judged is noted."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.consul import FakeConsul
from fakes.federation import FakeFederation
from meshkit.consul import config_entries
from meshkit.consul.config_entries import Intention
from meshkit.federation import segmentation, trial
from meshkit.federation.probing import expected, surroundings
from meshkit.federation.probing.expected import Expected

REFUSED_BOTH_WAYS = {("aks", "mesh-probe-eks"): ("refused",), ("eks", "mesh-probe-aks"): ("refused",)}


def find(mesh: FakeFederation) -> Expected:
    context = mesh.context()
    return expected.expected(context, surroundings.look(context))


def expectations(mesh: FakeFederation) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(e.sources[0], str(e.target["service"])): e.expect for e in find(mesh).wanted}


def serve(monkeypatch: pytest.MonkeyPatch, *services: str) -> None:
    """Every datacenter has these services too, in the mesh."""
    plain = FakeConsul.services

    def more(self: FakeConsul, datacenter: str) -> dict[str, Any]:
        names = [name for service in services for name in (service, f"{service}-sidecar-proxy")]
        return {**plain(self, datacenter), **{name: [] for name in names}}

    monkeypatch.setattr(FakeConsul, "services", more)


def permit(mesh: FakeFederation, source: str, destination: str) -> None:
    sources = [{"Name": source, "Permissions": [{"Action": "allow", "HTTP": {"PathExact": "/"}}]}]
    entry = {"Kind": config_entries.INTENTIONS, "Name": destination, "Sources": sources}
    mesh.context().consul("aks").write_config_entry(entry)


def test_by_default_everything_between_probes_is_refused(mesh: FakeFederation) -> None:
    assert expectations(mesh) == REFUSED_BOTH_WAYS
    assert find(mesh).notes == ()


def test_what_is_allowed_is_to_be_reachable(mesh: FakeFederation) -> None:
    segmentation.write(mesh.context(), Intention("mesh-probe-aks", "mesh-probe-eks", "allow"))
    assert expectations(mesh)["aks", "mesh-probe-eks"] == ("reachable",)
    assert expectations(mesh)["eks", "mesh-probe-aks"] == ("refused",)


def test_a_wildcard_decides_where_nothing_else_does(mesh: FakeFederation) -> None:
    segmentation.write(mesh.context(), Intention("*", "mesh-probe-eks", "allow"))
    assert expectations(mesh)["aks", "mesh-probe-eks"] == ("reachable",)


@pytest.mark.parametrize(("action", "seen"), [("allow", "reachable"), ("deny", "refused")])
def test_intentions_between_services_are_tried_where_both_are_in_the_mesh(
    mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch, action: Any, seen: str
) -> None:
    serve(monkeypatch, "web", "api")
    segmentation.write(mesh.context(), Intention("web", "api", action))
    segmentation.write(mesh.context(), Intention("web", "elsewhere", action))
    found = [(e.sources, e.destinations, e.target, e.expect) for e in find(mesh).wanted if "as" in e.target]
    target = {"service": "api", "as": "web"}
    assert found == [(("aks",), ("eks",), target, (seen,)), (("eks",), ("aks",), target, (seen,))]


def test_http_permissions_are_not_tried_which_is_noted(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, "web", "api")
    permit(mesh, "mesh-probe-aks", "mesh-probe-eks")
    permit(mesh, "web", "api")
    permit(mesh, "web", "not-in-the-mesh")
    found = find(mesh)
    assert [entry.sources for entry in found.wanted] == [("eks",)]
    assert found.notes == (
        "mesh-probe-aks to mesh-probe-eks: HTTP permissions decide, so their intention is not tried",
        "web to api: HTTP permissions decide, so their intention is not tried",
    )


def test_what_is_allowed_for_a_run_is_not_taken_for_the_users_word(mesh: FakeFederation) -> None:
    context = mesh.context()
    (pair, _) = context.federation.pairs
    with trial.allowed(context, [pair], trial.for_run(context, 60.0)):
        found = find(mesh)
    assert [entry.sources for entry in found.wanted] == [("eks",)]
    (note,) = found.notes
    assert note.startswith("mesh-probe-aks to mesh-probe-eks: allowed for another run now")


@pytest.mark.parametrize("away", ["aks", "eks"])
def test_a_cluster_that_is_away_keeps_nothing_from_being_expected(
    mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    """The others have a copy of the intentions, and can be asked for its catalog."""
    serve(monkeypatch, "web", "api")
    segmentation.write(mesh.context(), Intention("web", "api", "allow"))
    before = find(mesh).wanted
    mesh.clusters[away].faults.unreachable = True
    found = find(mesh)
    assert found.wanted == before
    assert len(before) == 4
    note = "intentions as eks has them, since the primary, aks, does not answer"
    assert found.notes == ((note,) if away == "aks" else ())


def test_a_catalog_that_nobody_knows_is_noted(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, "web", "api")
    segmentation.write(mesh.context(), Intention("web", "api", "allow"))
    mesh.wan.cut("aks", "eks")
    mesh.clusters["eks"].faults.unreachable = True
    found = find(mesh)
    assert {entry.target["service"] for entry in found.wanted} == {"mesh-probe-aks", "mesh-probe-eks"}
    assert found.notes == ("eks: its catalog is not known, so no intention of its services is tried",)


def test_without_any_servers_nothing_is_expected_which_is_noted(mesh: FakeFederation) -> None:
    for cluster in mesh.clusters.values():
        cluster.faults.unreachable = True
    assert find(mesh) == Expected(notes=("intentions are not tried: aks: the API server cannot be reached",))
