"""Only what is the federation's is removed: by its marker, and without one nothing that somebody else has installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from fakes.faults import Killed, Killer
from fakes.federation import FakeFederation, officially
from fakes.installations import Made, install, values
from fakes.kube import FakeCluster
from meshkit.backends.base import Manifest, Ref
from meshkit.errors import MeshkitError, UnreachableError
from meshkit.federation import runner, teardown
from meshkit.model import Federation

MARKER = Ref("ConfigMap", "meshkit-federation", "consul")
SERVER = {"app": "consul", "component": "server"}


def destroy(world: FakeFederation) -> None:
    teardown.remove_datacenters(world.context(), world.federation.datacenters, lambda dc: f"--lost {dc.name}")


def everything(world: FakeFederation) -> dict[str, list[str]]:
    """What stands in the clusters, but for pods, which come up by themselves."""
    return {
        name: [found for found in cluster.everything() if not found.startswith("Pod ")]
        for name, cluster in world.clusters.items()
    }


def marked(world: FakeFederation, **changes: str) -> None:
    """Let the marker of eks say something else."""
    found = world.clusters["eks"].find(MARKER)
    assert found
    described = json.loads(found["data"]["federation.json"]) | changes
    world.clusters["eks"].put(found | {"data": {"federation.json": json.dumps(described)}})


def another_consul(world: FakeFederation) -> None:
    """The marker is lost, and by now somebody else's Consul is there, beside Secrets that meshkit left."""
    world.clusters["eks"].remove(MARKER)
    world.wan.helms["eks"].uninstall("consul", "consul")
    install(world.clusters["eks"], world.wan.helms["eks"], Made(), values("eks"))


def only(world: FakeFederation, kind: str, name: str, namespace: str) -> None:
    """The context has come to lead to another cluster, which holds this alone of a Consul."""
    bare = FakeCluster("eks", world.clock)
    for each in ("consul", "other"):
        bare.put({"kind": "Namespace", "metadata": {"name": each}})
    spec = {"replicas": 1, "template": {"metadata": {"labels": SERVER}, "spec": {"containers": []}}}
    bare.put({"kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": SERVER}, "spec": spec})
    world.clusters["eks"] = bare
    world.wan.helms["eks"].uninstall("consul", "consul")


NOBODY_KNOWS = "eks: Consul is there, and nothing says that it is federation mesh's: "


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(
            lambda world: marked(world, id="00000000-0000-0000-0000-000000000000", name="shop"),
            "eks: the cluster belongs to another federation, shop",
            id="another federation's marker",
        ),
        pytest.param(
            lambda world: marked(world, datacenter="aks"),
            "eks: the cluster is the federation's datacenter aks",
            id="another datacenter's marker",
        ),
        pytest.param(
            another_consul,
            f"{NOBODY_KNOWS}helm release consul, statefulset consul/consul-server, "
            "persistentvolumeclaim/data-consul-consul-server-0",
            id="another Consul in the same place",
        ),
        pytest.param(
            lambda world: only(world, "StatefulSet", "consul-server", "other"),
            f"{NOBODY_KNOWS}statefulset other/consul-server",
            id="another Consul in another namespace",
        ),
        pytest.param(
            lambda world: only(world, "PersistentVolumeClaim", "data-0", "consul"),
            f"{NOBODY_KNOWS}persistentvolumeclaim/data-0",
            id="only data",
        ),
    ],
)
def test_refused(mesh: FakeFederation, spoil: Callable[[FakeFederation], None], says: str) -> None:
    """One cluster that is not the federation's is enough to touch none, and the way past it is named."""
    spoil(mesh)
    before = everything(mesh)
    with pytest.raises(MeshkitError) as raised:
        destroy(mesh)
    assert raised.value.message == says
    assert raised.value.hint.endswith("to leave the cluster as it is: --lost eks")
    assert everything(mesh) == before
    teardown.remove_datacenters(mesh.context(), (mesh.federation.primary,), str)
    assert everything(mesh) == before | {"aks": FakeCluster("aks").everything()}


def test_a_lost_marker(mesh: FakeFederation) -> None:
    """A release that meshkit has installed is its own without a marker too."""
    mesh.clusters["eks"].remove(MARKER)
    destroy(mesh)
    assert mesh.clusters["eks"].everything() == FakeCluster("eks").everything()


def test_without_the_state_directory(mesh: FakeFederation) -> None:
    """The federation was found by its markers, and has its name from them."""
    mesh.state.remove()
    marked(mesh, name="shop")
    with pytest.raises(MeshkitError, match="eks: the cluster belongs to another federation, shop"):
        destroy(mesh)
    marked(mesh, name="mesh")
    destroy(mesh)
    assert mesh.clusters["eks"].everything() == FakeCluster("eks").everything()


def test_not_looked_at_is_not_removed(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that did not say whose it is stays as it is, also when it answers a moment later."""
    eks = mesh.clusters["eks"]
    plain, before, silent = eks.get, eks.everything(), iter([True])

    def get(ref: Ref) -> Manifest | None:
        if next(silent, False):
            raise UnreachableError("eks: the API server cannot be reached")
        return plain(ref)

    monkeypatch.setattr(eks, "get", get)
    with pytest.raises(UnreachableError) as raised:
        destroy(mesh)
    assert raised.value.hint == "if the cluster is gone for good: --lost eks"
    assert eks.everything() == before
    assert mesh.clusters["aks"].everything() == FakeCluster("aks").everything()


@pytest.mark.slow
@pytest.mark.parametrize("describe", [lambda light: light, officially], ids=["light", "official"])
def test_federate_killed_at_every_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, describe: Callable[[Federation], Federation]
) -> None:
    """Before the marker there is nothing that needs one, and after it everything has it: all of it is removed."""

    def run(place: int) -> tuple[FakeFederation, Killer]:
        monkeypatch.setenv("MESHKIT_STATE_DIR", str(tmp_path / str(place)))
        world, killer = FakeFederation(), Killer(place, "after")
        world.federation = describe(world.federation)
        with pytest.raises(Killed) if place else nullcontext():
            runner.run(world.context(killer=killer))
        return world, killer

    writes = run(0)[1].writes
    assert writes > 20
    for place in range(1, writes + 1):
        world, _ = run(place)
        teardown.destroy(world.context(), world.federation.datacenters)
        for name, cluster in world.clusters.items():
            assert cluster.everything() == FakeCluster(name).everything(), f"write {place}"
        assert not world.state.path.exists(), f"write {place}"
