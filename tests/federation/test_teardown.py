"""Teardown: nothing of meshkit's is left, nothing of anyone else's is touched, and a killed run is finished."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.faults import Killed, Killer
from fakes.federation import FakeFederation, described
from fakes.kube import FakeCluster
from meshkit.backends.base import Ref
from meshkit.errors import DeadlineError, UnreachableError, UsageError
from meshkit.events import Finished, Note
from meshkit.federation import runner, teardown

MARKER = Ref("ConfigMap", "meshkit-federation", "consul")


def pristine(name: str) -> list[str]:
    """What a cluster holds before any federation."""
    return FakeCluster(name).everything()


def destroy(world: FakeFederation, **options: Any) -> None:
    teardown.remove_datacenters(world.context(**options), world.federation.datacenters, lambda dc: f"without {dc.name}")


def test_nothing_is_left(mesh: FakeFederation) -> None:
    """Volumes, secrets, Services, releases and the namespace go; the clusters are as they were before."""
    destroy(mesh)
    for name, cluster in mesh.clusters.items():
        assert cluster.everything() == pristine(name)
    assert sorted(e.scope for e in mesh.events if isinstance(e, Finished)) == ["aks", "eks"]


def test_again_after_it_is_done(mesh: FakeFederation) -> None:
    """Removing what is gone is no error."""
    destroy(mesh)
    destroy(mesh)
    assert mesh.clusters["aks"].everything() == pristine("aks")


def test_order(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Releases first, then claims, secrets, Services, what probes kept; the marker goes last but for the namespace."""
    deleted: list[str] = []
    cluster, helm = mesh.clusters["eks"], mesh.wan.helms["eks"]
    plain, uninstall = cluster.delete, helm.uninstall

    def delete(ref: Ref) -> bool:
        deleted.append(ref.kind)
        return plain(ref)

    def uninstalled(name: str, namespace: str, *, hooks: bool = True) -> None:
        deleted.append(f"release {name}")
        uninstall(name, namespace, hooks=hooks)

    monkeypatch.setattr(cluster, "delete", delete)
    monkeypatch.setattr(helm, "uninstall", uninstalled)
    destroy(mesh)
    assert list(dict.fromkeys(deleted)) == [
        "release mesh-probe-schedule",
        "release mesh-probe",
        "release consul",
        "PersistentVolumeClaim",
        "Secret",
        "Service",
        "ConfigMap",
        "Namespace",
    ]


@pytest.mark.parametrize("place", [1, 3, 6, 10, 15, 20])
def test_killed_half_way(mesh: FakeFederation, place: int) -> None:
    """Wherever a run is killed, the marker is still there or all is gone, and the next run finishes."""
    with pytest.raises(Killed):
        destroy(mesh, killer=Killer(place))
    for name, cluster in mesh.clusters.items():
        left = set(cluster.everything()) - set(pristine(name)) - {"Namespace /consul"}
        assert not left or cluster.find(MARKER)
    destroy(mesh)
    for name, cluster in mesh.clusters.items():
        assert cluster.everything() == pristine(name)


def test_the_namespace_of_the_user_stays(world: FakeFederation) -> None:
    """A namespace that was there before is left, with what else is in it."""
    world.clusters["aks"].put({"kind": "Namespace", "metadata": {"name": "consul"}})
    world.clusters["aks"].put({"kind": "Secret", "metadata": {"name": "theirs", "namespace": "consul"}, "data": {}})
    runner.run(world.context())
    destroy(world)
    expected = [*pristine("aks"), "Namespace /consul", "Secret consul/theirs"]
    assert world.clusters["aks"].everything() == sorted(expected)
    assert world.clusters["eks"].everything() == pristine("eks")


def test_a_namespace_with_other_workloads_stays(mesh: FakeFederation) -> None:
    """A namespace that meshkit made but that others use by now stays, and why is said."""
    labels = {"app": "shop"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "shop"}]}}
    metadata = {"name": "shop", "namespace": "consul", "labels": labels}
    mesh.clusters["eks"].put({"kind": "Deployment", "metadata": metadata, "spec": {"template": template}})
    destroy(mesh)
    assert mesh.clusters["eks"].find(Ref("Namespace", "consul"))
    assert mesh.clusters["eks"].find(Ref("Deployment", "shop", "consul"))
    assert mesh.clusters["eks"].find(MARKER) is None
    (note,) = [e for e in mesh.events if isinstance(e, Note)]
    assert note.scope == "eks"
    assert note.text.startswith("namespace consul stays, it holds deployment/shop")


def linger(cluster: FakeCluster) -> None:
    """A server pod that is slow to end."""
    metadata = {"name": "consul-server-0", "namespace": "consul", "labels": {"app": "consul", "component": "server"}}
    cluster.remove(Ref("StatefulSet", "consul-server", "consul"))
    cluster.put({"kind": "Pod", "metadata": metadata, "status": {"phase": "Running"}})


def test_pods_are_awaited(mesh: FakeFederation) -> None:
    """A pod that is slow to end is waited for before the marker goes."""
    eks = mesh.clusters["eks"]
    linger(eks)
    seen = []

    def end() -> None:
        seen.append(eks.find(MARKER))
        eks.remove(Ref("Pod", "consul-server-0", "consul"))

    mesh.clock.at(mesh.clock.slept_s + 30, end)
    destroy(mesh)
    assert seen[0] is not None
    assert eks.everything() == pristine("eks")


def test_pod_that_never_ends(mesh: FakeFederation) -> None:
    """What is still there is named, and the marker stays so that the next run knows."""
    linger(mesh.clusters["eks"])
    with pytest.raises(DeadlineError, match=r"^eks: not after 180 s: still there: pod/consul-server-0$"):
        destroy(mesh)
    assert mesh.clusters["eks"].find(MARKER)
    assert mesh.clusters["aks"].everything() == pristine("aks")


def test_unreachable_cluster(mesh: FakeFederation) -> None:
    """One cluster that does not answer does not keep the others from being removed."""
    mesh.clusters["eks"].faults.unreachable = True
    with pytest.raises(UnreachableError, match="eks: the API server cannot be reached") as raised:
        destroy(mesh)
    assert raised.value.hint == "if the cluster is gone for good: without eks"
    assert mesh.clusters["aks"].everything() == pristine("aks")


def test_federate_again_after_destroy(mesh: FakeFederation) -> None:
    """A new federation can be made of the same clusters, with a CA of its own."""
    before = mesh.state.authority()
    destroy(mesh)
    mesh.state.remove()
    runner.run(mesh.context())
    after = mesh.state.authority()
    assert before
    assert after
    assert after.fingerprint != before.fingerprint


def test_lost_cluster(mesh: FakeFederation) -> None:
    """A cluster that is gone for good is not touched, the others are removed, and so is the state."""
    eks = mesh.clusters["eks"]
    eks.faults.unreachable = True
    with pytest.raises(UnreachableError) as raised:
        teardown.destroy(mesh.context(), mesh.federation.datacenters)
    assert raised.value.hint == (
        "if the cluster is gone for good: add --lost eks; what it holds of meshkit's stays there"
    )
    assert mesh.state.identity()
    asked = eks.faults.calls
    teardown.destroy(mesh.context(), teardown.without_lost(mesh.federation, ["eks"], mesh.federation))
    assert eks.faults.calls == asked
    assert mesh.clusters["aks"].everything() == pristine("aks")
    assert mesh.state.identity() is None


@pytest.mark.parametrize(
    ("found", "lost", "error"),
    [
        pytest.param(("aks", "eks"), ["gke"], "no datacenter gke in federation mesh", id="a name that is none"),
        pytest.param(("aks",), [], "the federation mesh has more datacenters: eks", id="neither found nor lost"),
    ],
)
def test_who_can_not_be_lost(found: tuple[str, ...], lost: list[str], error: str) -> None:
    """Nothing is left standing by a slip of the pen."""
    with pytest.raises(UsageError, match=error) as raised:
        teardown.without_lost(described(found), lost, described(("aks", "eks")))
    assert raised.value.hint
