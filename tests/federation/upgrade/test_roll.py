"""Rolling an upgrade: primary first, each datacenter proven, stopped at the first that is unwell, and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fakes.faults import Killed, Killer
from fakes.federation import FakeFederation
from fakes.kube import FakeCluster
from meshkit.backends.base import Ref
from meshkit.errors import CombinedError, MeshkitError
from meshkit.events import Finished
from meshkit.federation import describe, drift, runner
from meshkit.federation.context import Context
from meshkit.federation.upgrade import plan, roll
from meshkit.federation.upgrade.plan import Move
from meshkit.federation.upgrade.target import Target

NEW = Target("1.22.8")


def image(cluster: FakeCluster) -> str:
    """The version that a cluster's servers have."""
    found = cluster.find(Ref("StatefulSet", "consul-server", "consul"))
    assert found
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]


def versions(mesh: FakeFederation) -> dict[str, str]:
    return {name: image(cluster) for name, cluster in mesh.clusters.items()}


def context(mesh: FakeFederation, **options: Any) -> Context:
    """As ``cli.known`` opens it: over what the state directory describes."""
    identity = mesh.state.identity()
    assert identity
    mesh.federation = identity.federation
    return mesh.context(**options)


def upgrade(mesh: FakeFederation, target: Target = NEW, **options: Any) -> tuple[Move, ...]:
    opened = context(mesh, **options)
    moves = plan.plan(opened, target)
    roll.roll(opened, moves)
    return moves


def test_plan(mesh: FakeFederation) -> None:
    """From what runs to what is asked for, the primary first, and nothing is written."""
    before = {name: cluster.everything() for name, cluster in mesh.clusters.items()}
    moves = plan.plan(context(mesh), NEW)
    assert [(m.datacenter.name, m.before.consul, m.target.consul, m.is_there) for m in moves] == [
        ("aks", "1.22.7", "1.22.8", False),
        ("eks", "1.22.7", "1.22.8", False),
    ]
    assert {name: cluster.everything() for name, cluster in mesh.clusters.items()} == before
    assert versions(mesh) == {"aks": "1.22.7", "eks": "1.22.7"}


def test_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The primary goes first wherever it stands, and the next only after requests through it were tried."""
    mesh = FakeFederation(("aks", "eks", "gke"))
    runner.run(mesh.context())
    seen: list[tuple[str, dict[str, str]]] = []
    prove = roll.verify.prove

    def watched(opened: Context, pairs: Any) -> None:
        seen.append(("+".join(sorted({dc.name for pair in pairs for dc in pair})), versions(mesh)))
        assert len(pairs) == 4
        prove(opened, pairs)

    monkeypatch.setattr(roll.verify, "prove", watched)
    upgrade(mesh)
    assert [set(at.values()) for _, at in seen] == [{"1.22.7", "1.22.8"}, {"1.22.7", "1.22.8"}, {"1.22.8"}]
    assert [at["aks"] for _, at in seen] == ["1.22.8"] * 3
    assert seen[0][1]["eks"] == "1.22.7"


def test_federate_keeps_it(mesh: FakeFederation) -> None:
    """Afterwards nothing differs from what is described, and neither another run nor a new cluster goes back."""
    upgrade(mesh)
    assert versions(mesh) == {"aks": "1.22.8", "eks": "1.22.8"}
    assert drift.drift(context(mesh), mesh.federation.primary) == ()
    runner.run(context(mesh))
    assert versions(mesh) == {"aks": "1.22.8", "eks": "1.22.8"}


def test_a_second_time(mesh: FakeFederation) -> None:
    """What is there is not installed again, and is verified all the same."""
    upgrade(mesh)
    for helm in mesh.wan.helms.values():
        helm.installs.clear()
    moves = upgrade(mesh)
    assert all(move.is_there for move in moves)
    assert [helm.installs for helm in mesh.wan.helms.values()] == [[], []]
    texts = [e.text for e in mesh.events if isinstance(e, Finished)][-2:]
    assert texts == ["Consul 1.22.8 was there already"] * 2


def test_stops_at_the_first_that_is_unwell(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secondary is not touched when the primary is unwell, and both ways out are named."""
    monkeypatch.setattr(mesh.clusters["eks"], "answer", lambda *_: (503, ""))
    with pytest.raises(MeshkitError, match=r"the upgrade stopped: aks is unwell at Consul 1\.22\.8: ") as raised:
        upgrade(mesh)
    assert versions(mesh) == {"aks": "1.22.8", "eks": "1.22.7"}
    assert raised.value.hint == (
        "once mended, go on: meshkit upgrade --consul-version 1.22.8; "
        "or go back: meshkit upgrade --consul-version 1.22.7 --force"
    )


def test_way_back_across_a_series(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where meshkit would refuse the way back it names Helm's, with the revision, and its limit."""
    monkeypatch.setattr(mesh.clusters["eks"], "answer", lambda *_: (503, ""))
    with pytest.raises(MeshkitError) as raised:
        upgrade(mesh, Target("2.0.3"))
    assert "helm --kube-context aks -n consul rollback consul 1, as long as no 2.0.3 server has" in raised.value.hint


def test_and_back(mesh: FakeFederation) -> None:
    """Within a series a version can be gone back to."""
    upgrade(mesh)
    upgrade(mesh, Target("1.22.7"))
    assert versions(mesh) == {"aks": "1.22.7", "eks": "1.22.7"}


def test_force_mends(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secondary that can't start at the new version does not keep the primary from going back: proof comes last."""
    upgrade(mesh)
    answer = mesh.clusters["eks"].answer
    monkeypatch.setattr(
        mesh.clusters["eks"],
        "answer",
        lambda *call: (503, "") if image(mesh.clusters["eks"]) == "1.22.8" else answer(*call),
    )
    with pytest.raises(MeshkitError, match="aks is unwell"):
        upgrade(mesh, Target("1.22.7"))
    opened = context(mesh)
    roll.roll(opened, plan.plan(opened, Target("1.22.7")), mending=True)
    assert versions(mesh) == {"aks": "1.22.7", "eks": "1.22.7"}


def test_mending_goes_on_by_force(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """What had to be forced once is forced again."""
    monkeypatch.setattr(mesh.clusters["eks"], "answer", lambda *_: (503, ""))
    opened = context(mesh)
    with pytest.raises(MeshkitError) as raised:
        roll.roll(opened, plan.plan(opened, NEW), mending=True)
    assert "go on: meshkit upgrade --consul-version 1.22.8 --force; " in raised.value.hint


def _writes(make: Callable[[], FakeFederation]) -> int:
    killer = Killer(at_write=10_000)
    upgrade(make(), killer=killer)
    return killer.writes


@pytest.fixture
def made(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], FakeFederation]:
    """Federated clusters, new each time, with a state directory of their own."""
    count = iter(range(1000))

    def make() -> FakeFederation:
        monkeypatch.setenv("MESHKIT_STATE_DIR", str(tmp_path / f"state-{next(count)}"))
        mesh = FakeFederation(polls=0)
        runner.run(mesh.context())
        return mesh

    return make


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_any_write(made: Callable[[], FakeFederation], moment: Any) -> None:
    """Whatever write a kill hits, the next run ends where an unbroken one does."""
    writes = _writes(made)
    assert writes > 4
    for place in range(1, writes + 1):
        mesh = made()
        with pytest.raises(Killed):
            upgrade(mesh, killer=Killer(place, moment))
        upgrade(mesh)
        assert versions(mesh) == {"aks": "1.22.8", "eks": "1.22.8"}, f"killed {moment} write {place}"
        assert drift.drift(context(mesh), mesh.federation.primary) == ()


@pytest.mark.parametrize(
    ("target", "says"),
    [
        pytest.param(Target("1.21.5"), "can't go back from 1.22.7 to 1.21.5", id="a series back"),
        pytest.param(Target("1.23.0"), "knows nothing of Consul 1.23.0", id="an unknown series"),
    ],
)
def test_refused(mesh: FakeFederation, target: Target, says: str) -> None:
    """Every datacenter's reason is told, and the rule's source."""
    with pytest.raises(CombinedError, match="nothing was changed") as raised:
        plan.plan(context(mesh), target)
    assert [says in error.message for error in raised.value.errors] == [True, True]
    assert "developer.hashicorp.com" in raised.value.hint


def test_too_far(mesh: FakeFederation) -> None:
    """What runs counts, not what is described: three series at once are refused with the step between."""
    servers = mesh.clusters["eks"].find(Ref("StatefulSet", "consul-server", "consul"))
    assert servers
    servers["spec"]["template"]["spec"]["containers"][0]["image"] = "hashicorp/consul:1.19.2"
    mesh.clusters["eks"].put(servers)
    with pytest.raises(CombinedError) as raised:
        plan.plan(context(mesh), Target("1.22.8"))
    assert [error.message for error in raised.value.errors] == [
        "eks: Consul can't go from 1.19.2 to 1.22.8 at once: first to 1.21"
    ]


def test_without_servers(mesh: FakeFederation) -> None:
    """A datacenter whose Consul is gone has nothing to upgrade."""
    mesh.clusters["eks"].remove(Ref("StatefulSet", "consul-server", "consul"))
    with pytest.raises(MeshkitError, match="eks: there are no Consul servers"):
        plan.plan(context(mesh), NEW)


def test_without_state(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Another machine can't render the releases, and says where to go."""
    opened = context(mesh)
    monkeypatch.setenv("MESHKIT_STATE_DIR", str(tmp_path / "empty"))
    elsewhere = mesh.context()
    assert elsewhere.federation == opened.federation
    with pytest.raises(MeshkitError, match="on the machine that holds the federation's state"):
        plan.plan(elsewhere, NEW)


def test_unwell_beforehand(mesh: FakeFederation) -> None:
    """A cut link is found before anything is touched."""
    mesh.wan.cut("aks", "eks")
    with pytest.raises(MeshkitError, match="the federation is unwell before the upgrade: ") as raised:
        roll.prove_beforehand(context(mesh))
    assert "--force" in raised.value.hint
    assert versions(mesh) == {"aks": "1.22.7", "eks": "1.22.7"}


def test_a_new_cluster_joins_at_the_new_version(mesh: FakeFederation) -> None:
    """A datacenter that joins later gets what the primary has."""
    upgrade(mesh)
    mesh.add_cluster("gke")
    known = context(mesh).federation
    named = FakeFederation(("aks", "eks", "gke")).federation
    mesh.federation = describe.resolve(named, known, {})
    runner.run(mesh.context())
    assert versions(mesh) == {"aks": "1.22.8", "eks": "1.22.8", "gke": "1.22.8"}
