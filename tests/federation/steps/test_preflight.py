"""Preflight: each rule by itself, and all problems of all clusters together before anything is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.base import Permission, Ref
from meshkit.errors import CombinedError, MeshkitError, UnreachableError, UsageError
from meshkit.events import Note
from meshkit.federation.facts import ClusterFacts, Marker
from meshkit.federation.state import State
from meshkit.federation.steps import preflight
from meshkit.pki import profiles

GOOD = ClusterFacts(
    "aks", "v1.34.4", uid="one", skew_s=0.0, context="aks", storage_class="standard", load_balancer_seen=True
)
OTHER = replace(GOOD, datacenter="eks", uid="two")
SECRETS = Permission("create", "secrets", "", "consul")
REVIEWS = Permission("list", "statefulsets", "apps")


def judged(*clusters: ClusterFacts, state: State | None = None) -> list[str]:
    """The problems' lines; every one must come with a hint."""
    problems = list(preflight.judge({c.datacenter: c for c in clusters}, state or State("mesh")))
    assert all(problem.hint for problem in problems)
    return [problem.message for problem in problems]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        pytest.param({}, [], id="a good cluster has no problem"),
        pytest.param({"version": "v1.25.0"}, [], id="the oldest supported version passes"),
        pytest.param(
            {"version": "v1.24.17"}, ["aks: Kubernetes v1.24.17 is too old"], id="an older version is refused"
        ),
        pytest.param({"version": "v2.0.1"}, [], id="a new major version is not taken for an old minor one"),
        pytest.param({"version": "v1.30.9-gke.100"}, [], id="a cloud's suffix does not matter"),
        pytest.param({"version": "unheard-of"}, [], id="a version that says nothing is not judged"),
        pytest.param(
            {"refused": (SECRETS,)},
            ["aks: no permission to create secrets in namespace consul"],
            id="a missing permission names verb, resource, namespace and cluster",
        ),
        pytest.param(
            {"refused": (SECRETS, REVIEWS)},
            [
                "aks: no permission to create secrets in namespace consul",
                "aks: no permission to list statefulsets.apps",
            ],
            id="every missing permission is named, with its group",
        ),
        pytest.param(
            {"refused": (SECRETS,), "storage_class": ""},
            ["aks: no permission to create secrets in namespace consul"],
            id="what could not be read is not judged",
        ),
        pytest.param(
            {"storage_class": ""},
            ["aks: there is no default StorageClass for the servers' volumes"],
            id="a default StorageClass is needed",
        ),
        pytest.param({"namespace_phase": "Active"}, [], id="a namespace that is there already is fine"),
        pytest.param(
            {"namespace_phase": "Terminating"},
            ["aks: the namespace is being deleted"],
            id="a namespace in deletion is refused",
        ),
        pytest.param(
            {"foreign_consul": ("default/consul-server",)},
            ["aks: a Consul that meshkit did not install is there: statefulset default/consul-server"],
            id="a foreign Consul is named with its namespace",
        ),
        pytest.param({"load_balancer_seen": False}, [], id="no load balancer seen is no problem, only a note"),
    ],
)
def test_rules_for_one_cluster(changes: dict[str, object], lines: list[str]) -> None:
    """Each rule has its own line, and says nothing about a cluster that keeps it."""
    assert judged(replace(GOOD, **changes), OTHER) == lines


def test_permission_hint_can_be_pasted() -> None:
    """The hint is the kubectl command that asks the same question."""
    (problem,) = preflight.judge({"aks": replace(GOOD, refused=(SECRETS,))}, State("mesh"))
    assert "kubectl --context aks auth can-i create secrets -n consul" in problem.hint


@pytest.mark.parametrize(
    ("skews", "lines"),
    [
        pytest.param((0, 30), [], id="30 seconds apart is the most that passes"),
        pytest.param((-15, 15), [], id="skews on both sides of this machine's clock add up"),
        pytest.param((-15.5, 15.5), ["the clock of aks is 31 s behind that of eks"], id="31 seconds do not pass"),
        pytest.param((90, 0), ["the clock of eks is 90 s behind that of aks"], id="the later one may come first"),
        pytest.param((500, 500), [], id="this machine's own clock is not held against the clusters"),
    ],
)
def test_clocks(skews: tuple[float, float], lines: list[str]) -> None:
    """Clocks are compared with each other."""
    assert judged(replace(GOOD, skew_s=skews[0]), replace(OTHER, skew_s=skews[1])) == lines


def test_one_wrong_clock_is_named_once() -> None:
    """With three clusters the one that is wrong makes one line, not one per pair."""
    gke = replace(GOOD, datacenter="gke", uid="three", skew_s=-120)
    assert judged(GOOD, replace(OTHER, skew_s=1), gke) == ["the clock of gke is 121 s behind that of eks"]


def test_same_cluster_under_two_contexts() -> None:
    """A cluster is known by the UID of kube-system, whatever its contexts are called."""
    assert judged(GOOD, replace(OTHER, uid="one")) == ["aks and eks are the same cluster under two contexts"]


def test_kube_system_out_of_sight_is_not_the_same_cluster() -> None:
    """Two clusters whose kube-system can't be seen are not thereby one."""
    assert judged(replace(GOOD, uid=""), replace(OTHER, uid="")) == []


def of_federation(mesh: FakeFederation, **changes: str) -> Marker:
    """The marker that the federation put into aks, with changes."""
    identity, authority = mesh.state.identity(), mesh.state.authority()
    assert identity
    assert authority
    return replace(Marker(identity.id, "mesh", "aks", authority.fingerprint), **changes)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param({}, "", id="its own federation is no problem"),
        pytest.param(
            {"federation_id": "another", "federation": "shop"},
            "aks: the cluster belongs to another federation, shop",
            id="another federation's cluster is refused",
        ),
        pytest.param(
            {"ca_fingerprint": "another"},
            "aks: the cluster was federated with another CA than the one in ",
            id="the same federation with another CA is refused",
        ),
        pytest.param(
            {"datacenter": "azure"},
            "aks: the cluster is already in the federation as datacenter azure",
            id="a datacenter keeps its name",
        ),
    ],
)
def test_membership(mesh: FakeFederation, changes: dict[str, str], line: str) -> None:
    """A cluster that was federated before is taken only by its own federation, with its CA and its name."""
    found = judged(replace(GOOD, marker=of_federation(mesh, **changes)), OTHER, state=mesh.state)
    assert len(found) == bool(line)
    assert not line or found[0].startswith(line)


@pytest.mark.parametrize("lost", ["federation.json", "authority.pem", "secrets.json"])
def test_lost_state_directory_is_told_apart_from_a_new_federation(mesh: FakeFederation, lost: str) -> None:
    """Without the identity or the CA that the marker tells of, nothing is made anew; a backup is asked for."""
    (mesh.state.path / lost).unlink()
    before = {name: cluster.everything() for name, cluster in mesh.clusters.items()}
    with pytest.raises(CombinedError) as raised:
        preflight.plan(mesh.context())
    assert len(raised.value.errors) == 2
    for problem in raised.value.errors:
        assert "whose state directory is not on this machine" in problem.message
        assert str(mesh.state.path) in problem.hint
        assert "backup" in problem.hint
    assert {name: cluster.everything() for name, cluster in mesh.clusters.items()} == before
    assert not (mesh.state.path / lost).exists()


def test_an_older_state_directory_does_not_drop_a_datacenter(mesh: FakeFederation) -> None:
    """A backup from before a datacenter joined is told so, and nothing forgets the newcomer."""
    mesh.federation = replace(mesh.federation, datacenters=mesh.federation.datacenters[:1])
    mesh.state.save_identity(mesh.federation)
    with pytest.raises(MeshkitError, match=r"the cluster knows datacenters that .* does not: eks") as raised:
        preflight.plan(mesh.context())
    assert "restore the newest" in raised.value.hint


def test_the_federation_s_own_consul_in_another_namespace(mesh: FakeFederation) -> None:
    """Nobody is told to uninstall what meshkit itself installed."""
    mesh.federation = replace(
        mesh.federation, datacenters=tuple(replace(dc, namespace="other") for dc in mesh.federation.datacenters)
    )
    with pytest.raises(CombinedError) as raised:
        preflight.plan(mesh.context())
    for problem in raised.value.errors:
        assert "the cluster's Consul is meshkit's already, in namespace consul" in problem.message
        assert problem.hint.startswith("--namespace consul")


def test_another_federation_of_this_machine_is_named_by_its_option(mesh: FakeFederation) -> None:
    """Whoever forgot --federation is told so, and not to restore a backup."""
    with pytest.raises(CombinedError) as raised:
        preflight.plan(replace(mesh.context(), state=State("prod")))
    assert [problem.hint for problem in raised.value.errors] == ["--federation mesh"] * 2


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        pytest.param("", "aks: there is no default StorageClass for the servers' volumes", id="no default"),
        pytest.param("fast", "aks: there is no StorageClass fast for the servers' volumes", id="not the named one"),
    ],
)
def test_no_storage_class(wanted: str, line: str) -> None:
    """What is lacking is named: the default, or the class that the values ask for."""
    assert judged(replace(GOOD, storage_class="", wanted_storage_class=wanted)) == [line]


def test_all_problems_of_all_clusters_at_once(world: FakeFederation, tmp_path: Path) -> None:
    """A cluster that does not answer hides no other cluster's problem, and nothing is written anywhere."""
    gke = world.add_cluster("gke")
    world.grow(("aks", "eks", "gke"))
    world.clusters["aks"].faults.unreachable = True
    world.clusters["eks"].faults.forbid("create", "secrets")
    gke.remove(Ref("StorageClass", "standard"))
    gke.gitversion = "v1.20.1"
    before = [world.clusters[name].everything() for name in ("aks", "eks", "gke")]
    with pytest.raises(CombinedError) as raised:
        preflight.plan(world.context())
    assert [error.message for error in raised.value.errors] == [
        "aks: the API server cannot be reached",
        "eks: no permission to create secrets in namespace consul",
        "gke: Kubernetes v1.20.1 is too old",
        "gke: there is no default StorageClass for the servers' volumes",
    ]
    assert raised.value.message == "4 problems stand in the way; nothing was changed"
    assert raised.value.hint
    assert [world.clusters[name].everything() for name in ("aks", "eks", "gke")] == before
    assert not world.state.path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_single_problem_is_not_wrapped(world: FakeFederation) -> None:
    """One problem keeps its own line and hint."""
    world.clusters["eks"].faults.hang_s = 10
    with pytest.raises(UnreachableError, match=r"^eks: the API server did not answer within 10 s$"):
        preflight.plan(world.context())


def test_namespace_in_deletion(world: FakeFederation) -> None:
    """A namespace that hangs in its deletion is found in the cluster."""
    world.clusters["eks"].put({"kind": "Namespace", "metadata": {"name": "consul"}})
    world.clusters["eks"].terminate("consul")
    with pytest.raises(MeshkitError, match="eks: the namespace is being deleted"):
        preflight.plan(world.context())


def test_foreign_consul_in_a_cluster(world: FakeFederation) -> None:
    """Consul servers without meshkit's marker beside them are foreign, even in the namespace to be used."""
    labels = {"app": "consul", "component": "server"}
    spec = {"replicas": 1, "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "consul"}]}}}
    for namespace in ("consul", "shop"):
        metadata = {"name": "consul-server", "namespace": namespace, "labels": labels}
        world.clusters["aks"].put({"kind": "StatefulSet", "metadata": metadata, "spec": spec})
    with pytest.raises(CombinedError) as raised:
        preflight.plan(world.context())
    places = [error.message.rpartition(" ")[2] for error in raised.value.errors]
    assert places == ["consul/consul-server", "shop/consul-server"]


def test_a_federation_already_made_passes(mesh: FakeFederation) -> None:
    """Its own servers, namespace and marker are not in the way."""
    assert preflight.plan(mesh.context()) == ()


def test_load_balancer_note(world: FakeFederation) -> None:
    """A cluster in which no load balancer was seen yet is mentioned, and goes on."""
    status = {"allocatable": {"cpu": "2", "memory": "4Gi"}}
    world.clusters["eks"].put({"kind": "Node", "metadata": {"name": "eks-node"}, "spec": {}, "status": status})
    assert preflight.plan(world.context()) == ()
    notes = [event for event in world.events if isinstance(event, Note)]
    assert [note.scope for note in notes] == ["eks"]
    assert "no load balancer seen yet" in notes[0].text


def test_damaged_marker(mesh: FakeFederation) -> None:
    """A marker that can't be read is a problem of its own, not a missing one."""
    mesh.clusters["aks"].patch(Ref("ConfigMap", "meshkit-federation", "consul"), {"data": {"federation.json": "{"}})
    with pytest.raises(MeshkitError, match="aks: configmap meshkit-federation is damaged") as raised:
        preflight.plan(mesh.context())
    assert "kubectl --context aks" in raised.value.hint


def test_new_ca_is_never_made_beside_a_marker(mesh: FakeFederation) -> None:
    """A second state directory with a CA of its own is told that it is the wrong one."""
    (mesh.state.path / "authority.pem").unlink()
    mesh.state.ensure_authority(profiles.load("ca"), mesh.clock.now())
    with pytest.raises(CombinedError) as raised:
        preflight.plan(mesh.context())
    assert all("another CA" in error.message for error in raised.value.errors)


def test_a_helm_that_cannot_be_used_is_found_before_anything_is_touched(world: FakeFederation) -> None:
    """Helm is used only after secrets are written, which would be late to learn that it is missing."""

    def missing(name: str) -> NoReturn:
        raise UsageError(f"helm is not installed, asked for {name}")

    with pytest.raises(UsageError, match="helm is not installed"):
        preflight.plan(replace(world.context(), helm=missing))
    assert not world.state.path.exists()
