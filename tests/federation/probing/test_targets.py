"""From what is wanted to probes: addresses, names and identities, and what is refused before anything is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes.consul import TRUST_DOMAIN
from fakes.federation import FakeFederation
from meshkit.errors import UsageError
from meshkit.federation.probing import surroundings, targets
from meshkit.federation.probing.targets import Plan
from meshkit.probes.ladder import GATEWAY, MESH, NETWORK, RPC, RUNGS
from meshkit.probes.mechanisms.echo import EchoTarget
from meshkit.probes.mechanisms.tcp import TcpTarget
from meshkit.probes.wanted import LADDER, LOCAL, SERVICE, Wanted


def resolve(mesh: FakeFederation, *wanted: Wanted) -> Plan:
    return targets.resolve(mesh.context(), wanted)


def targets_of(plan: Plan, source: str) -> dict[str, Any]:
    return {probe.series.probe: probe.target for probe in plan.probes[source]}


def test_a_ladder_has_every_rung_of_every_ordered_pair(mesh: FakeFederation) -> None:
    plan = resolve(mesh, Wanted("clouds"))
    assert {source: [p.series.probe for p in probes] for source, probes in plan.probes.items()} == {
        "aks": list(RUNGS),
        "eks": list(RUNGS),
    }
    assert [(a.name, b.name) for a, b in plan.pairs] == [("aks", "eks"), ("eks", "aks")]


def test_each_rung_is_aimed_at_what_it_is_about(mesh: FakeFederation) -> None:
    found = targets_of(resolve(mesh, Wanted("clouds", sources=("aks",))), "aks")
    assert found[NETWORK] == TcpTarget("203.0.113.2", 443)
    assert (found[GATEWAY].host, found[GATEWAY].port) == ("203.0.113.2", 443)
    assert found[GATEWAY].server_name == f"mesh-probe-eks.default.eks.internal.{TRUST_DOMAIN}"
    assert found[GATEWAY].spiffe == f"spiffe://{TRUST_DOMAIN}/ns/default/dc/eks/svc/mesh-probe-eks"
    assert (found[GATEWAY].verify, found[GATEWAY].identity) == ("mesh", "mesh")
    assert found[RPC].url == "https://server.aks.consul:8501/v1/status/leader?dc=eks"
    assert found[MESH] == EchoTarget("127.0.0.1", 9102)


def test_an_address_never_becomes_a_label(mesh: FakeFederation) -> None:
    plan = resolve(mesh, Wanted("clouds"))
    labels = [str(probe.series) + probe.id for probes in plan.probes.values() for probe in probes]
    assert not any("203.0.113" in text or "127.0.0.1" in text for text in labels)


def test_from_this_machine_there_are_only_the_rungs_that_begin_outside(mesh: FakeFederation) -> None:
    plan = resolve(mesh, Wanted("clouds", sources=(LOCAL,), destinations=("eks",)))
    assert list(targets_of(plan, LOCAL)) == [NETWORK, GATEWAY]
    assert targets_of(plan, LOCAL)[GATEWAY].identity == ""
    assert plan.pairs == ()
    assert any("rpc begins inside a cluster" in note for note in plan.notes)
    assert any("no mesh certificate" in note for note in plan.notes)


def test_a_service_is_reached_as_another_one(mesh: FakeFederation) -> None:
    wanted = Wanted("s", SERVICE, ("aks",), ("eks",), target={"service": "mesh-probe-eks", "as": "frontend"})
    plan = resolve(mesh, wanted)
    (probe,) = plan.probes["aks"]
    assert probe.target.identity == "frontend"  # type: ignore[attr-defined]
    assert plan.identities == {"aks": frozenset({"frontend"})}


def test_a_cluster_that_is_away_is_probed_by_what_the_others_know_of_it(mesh: FakeFederation) -> None:
    mesh.clusters["eks"].faults.unreachable = True
    plan = resolve(mesh, Wanted("clouds", sources=("aks",)))
    assert targets_of(plan, "aks")[NETWORK] == TcpTarget("203.0.113.2", 443)
    assert any(note.startswith("eks: ") for note in plan.notes)


@pytest.mark.parametrize("away", ["aks", "eks"])
def test_whichever_cluster_is_away_everything_is_still_probed_from_both(mesh: FakeFederation, away: str) -> None:
    mesh.clusters[away].faults.unreachable = True
    plan = resolve(mesh, Wanted("clouds"))
    assert {source: len(probes) for source, probes in plan.probes.items()} == {"aks": 4, "eks": 4}
    assert plan.notes == (f"{away}: the API server cannot be reached",)
    assert plan.away == {away: f"{away}: the API server cannot be reached"}


def test_without_state_and_primary_what_needs_no_token_is_still_probed(
    mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The CA certificate is in every cluster; the management token is in the primary's alone, by intention."""
    mesh.clusters["aks"].faults.unreachable = True
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(tmp_path / "none"))
    plan = resolve(mesh, Wanted("clouds"))
    assert list(targets_of(plan, "aks")) == [NETWORK, RPC, MESH]
    assert list(targets_of(plan, "eks")) == [RPC, MESH]
    assert "BEGIN CERTIFICATE" in targets_of(plan, "eks")[RPC].roots
    assert any("no datacenter's servers can be asked" in note for note in plan.notes)
    assert "aks: its gateway's address is not known, so nothing is sent there" in plan.notes


def test_without_the_ca_certificate_nothing_is_probed_that_would_only_fail_for_it(
    mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for cluster in mesh.clusters.values():
        cluster.faults.forbid("get", "secrets")
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(tmp_path / "none"))
    plan = resolve(mesh, Wanted("clouds", rungs=(NETWORK, RPC)))
    assert list(targets_of(plan, "aks")) == [NETWORK]
    assert "rpc needs the CA certificate, which is not known: not probed" in plan.notes
    assert any(note.startswith("no CA certificate: aks: user cannot get resource secrets") for note in plan.notes)


def test_who_may_not_list_nodes_still_knows_the_gateway(mesh: FakeFederation) -> None:
    mesh.clusters["eks"].faults.forbid("list", "nodes")
    mesh.clusters["aks"].faults.unreachable = True
    plan = resolve(mesh, Wanted("clouds", sources=("aks",)))
    assert targets_of(plan, "aks")[NETWORK] == TcpTarget("203.0.113.2", 443)
    assert "eks: user cannot list resource nodes" in plan.notes


def test_a_service_of_a_catalog_that_nobody_knows_is_probed_and_noted(mesh: FakeFederation) -> None:
    mesh.wan.cut("aks", "eks")
    mesh.clusters["eks"].faults.unreachable = True
    plan = resolve(mesh, Wanted("s", SERVICE, ("aks",), ("eks",), target={"service": "mesh-probe-eks"}))
    assert len(plan.probes["aks"]) == 1
    assert any("eks: its catalog is not known, so whether mesh-probe-eks is there" in note for note in plan.notes)


def test_what_was_seen_just_now_is_not_looked_at_again(mesh: FakeFederation) -> None:
    context = mesh.context()
    seen = surroundings.look(context)
    for cluster in mesh.clusters.values():
        cluster.faults.unreachable = True
    plan = targets.resolve(context, (Wanted("clouds"),), seen)
    assert (len(plan.probes["aks"]), plan.notes) == (4, ())


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        pytest.param(Wanted("x", sources=("aky",)), "no datacenter aky", "did you mean aks?", id="unknown source"),
        pytest.param(Wanted("x", destinations=("gke",)), "no datacenter gke", "aks, eks", id="unknown destination"),
        pytest.param(Wanted("x", "smtp"), "no mechanism smtp", "tcp", id="unknown mechanism"),
        pytest.param(
            Wanted("x", SERVICE, ("aks",), ("eks",), target={"service": "nope"}),
            "no service nope is in eks's catalog",
            "mesh-probe-eks",
            id="unknown service",
        ),
        pytest.param(
            Wanted("x", SERVICE, ("aks",), ("eks",), target={"service": "mesh-probe-aks"}),
            "no service mesh-probe-aks",
            "it is in aks",
            id="a service of another datacenter",
        ),
        pytest.param(Wanted("x", "tcp", target={"host": "a", "prot": 1}), "prot", "tcp", id="unknown field"),
        pytest.param(
            Wanted("x", SERVICE, (LOCAL,), ("eks",), target={"service": "mesh-probe-eks", "as": "web"}),
            "local can't speak as web",
            "--from",
            id="another identity from this machine",
        ),
    ],
)
def test_what_can_not_be_is_refused(mesh: FakeFederation, wanted: Wanted, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(mesh, wanted)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_ladder_of_some_rungs(mesh: FakeFederation) -> None:
    plan = resolve(mesh, Wanted("x", LADDER, rungs=(NETWORK,)))
    assert [probe.series.probe for probe in plan.probes["aks"]] == [NETWORK]
    assert plan.pairs == ()
