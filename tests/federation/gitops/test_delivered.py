"""What GitOps brings is waited for and compared: objects as rendered, whoever applied them, and no Helm release."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes.federation import FakeFederation, officially
from meshkit.backends.base import Manifest, Ref
from meshkit.errors import CombinedError, DeadlineError, MeshkitError
from meshkit.events import Progress
from meshkit.federation import describe, discover, drift, releases, runner, teardown
from meshkit.federation.gitops import delivered
from meshkit.federation.plan import STEPS
from meshkit.federation.upgrade import plan
from meshkit.federation.upgrade.target import Target


@pytest.fixture(params=["light", "official"])
def world(request: pytest.FixtureRequest) -> FakeFederation:
    """Two clusters to which GitOps is to bring the releases, with either chart."""
    made = FakeFederation()
    described = officially(made.federation) if request.param == "official" else made.federation
    made.federation = replace(described, gitops=True)
    return made


def bring(world: FakeFederation, *names: str) -> None:
    """Commit what is rendered, and let Argo CD apply it, in these datacenters."""
    context = world.context()
    addresses = releases.addresses(context) or {}
    for dc in world.federation.datacenters:
        if dc.name in names:
            for wanted in (releases.consul(context, dc, addresses), releases.probe(context, dc)):
                world.wan.helms[dc.name].deliver(wanted.name, dc.namespace, wanted.chart, wanted.values)


def until_releases(world: FakeFederation) -> None:
    """The steps before those that wait for GitOps."""
    runner.run(world.context(), [step for step in STEPS if step.name in ("preflight", "trust", "gateways")])


def test_waits_verifies_and_installs_nothing(world: FakeFederation) -> None:
    """Started before anything is committed, the run goes on when it is applied; Helm never installs."""
    until_releases(world)
    world.clock.at(20, lambda: bring(world, "aks", "eks"))
    runner.run(world.context())
    assert world.clock.slept_s >= 20
    for helm in world.wan.helms.values():
        assert helm.release("consul", "consul") is None
        assert helm.release("mesh-probe", "consul") is None
    awaited = {e.text for e in world.events if isinstance(e, Progress) and e.task == "datacenters"}
    assert "statefulset/consul-server is not there yet" in awaited


def test_what_is_still_awaited(world: FakeFederation) -> None:
    """Time is up: the datacenter and the object are named, and the way to it."""
    until_releases(world)
    bring(world, "aks")
    with pytest.raises(
        DeadlineError, match="eks: not after 60 s: statefulset/consul-server is not there yet"
    ) as raised:
        runner.run(world.context())
    assert "meshkit render shows what is expected" in raised.value.hint


def test_both_are_awaited_at_the_same_time(world: FakeFederation) -> None:
    """A primary that does not come hides nothing of the secondary."""
    until_releases(world)
    with pytest.raises(CombinedError) as raised:
        runner.run(world.context())
    assert [error.message.partition(":")[0] for error in raised.value.errors] == ["aks", "eks"]


def test_plan(world: FakeFederation) -> None:
    """A plan shows what is awaited, before anything is there and afterwards."""
    (before,) = (changes for step, changes in runner.plan(world.context()) if step.name == "datacenters")
    assert [(c.action, c.what, c.datacenter) for c in before] == [
        ("await", "consul, by GitOps", "aks"),
        ("await", "consul, by GitOps", "eks"),
    ]
    until_releases(world)
    bring(world, "aks")
    (after,) = (changes for step, changes in runner.plan(world.context()) if step.name == "datacenters")
    assert [(c.datacenter, c.why) for c in after] == [("eks", "statefulset/consul-server is not there yet")]


def test_applied_before_the_first_run(world: FakeFederation) -> None:
    """Servers that GitOps has brought already are nobody's foreign Consul."""
    until_releases(world)
    bring(world, "aks", "eks")
    for cluster in world.clusters.values():
        cluster.remove(Ref("ConfigMap", "meshkit-federation", "consul"))
    runner.run(world.context())


def test_later_runs_know(world: FakeFederation) -> None:
    """Once said it holds: neither a run without the option nor a look at drift brings Helm in."""
    until_releases(world)
    bring(world, "aks", "eks")
    runner.run(world.context())
    identity = world.state.identity()
    assert identity
    assert describe.resolve(replace(identity.federation, gitops=False), identity.federation, {}).gitops
    assert drift.drift(world.context(), world.federation.primary) == ()


def test_something_else_was_applied(world: FakeFederation) -> None:
    """An old commit is seen as what it is: the place is named, never what stands there."""
    until_releases(world)
    bring(world, "aks", "eks")
    runner.run(world.context())
    servers = world.clusters["eks"].find(Ref("StatefulSet", "consul-server", "consul"))
    assert servers
    servers["spec"]["replicas"] = 5
    world.clusters["eks"].put(servers)
    (found,) = drift.drift(world.context(), world.federation.secondaries[0])
    assert found == "consul, by GitOps: statefulset/consul-server is not as rendered: replicas"


def test_upgrade_is_refused(world: FakeFederation) -> None:
    """Versions are changed where the releases come from."""
    until_releases(world)
    bring(world, "aks", "eks")
    with pytest.raises(MeshkitError, match="GitOps's to upgrade") as raised:
        plan.plan(world.context(), Target("1.22.8"))
    assert "meshkit render" in raised.value.hint


def test_destroy_waits_until_git_has_let_go(world: FakeFederation) -> None:
    """What GitOps would only bring back is waited for; then nothing of meshkit's is left."""
    until_releases(world)
    bring(world, "aks", "eks")
    runner.run(world.context())
    with pytest.raises(CombinedError) as raised:
        teardown.destroy(world.context(), world.federation.datacenters)
    first = raised.value.errors[0]
    assert "GitOps has not taken away statefulset/consul-server, deployment/consul-mesh-gateway" in first.message
    assert "take both releases out of git" in first.hint
    for helm in world.wan.helms.values():
        for release in ("mesh-probe", "consul"):
            helm.withdraw(release, "consul")
    teardown.destroy(world.context(), world.federation.datacenters)
    assert not world.state.path.exists()


def test_destroy_wants_a_marker(world: FakeFederation) -> None:
    """What GitOps brings does not tell whose it is: without the marker it is refused, until federate puts that back."""
    until_releases(world)
    bring(world, "aks", "eks")
    world.clusters["eks"].remove(Ref("ConfigMap", "meshkit-federation", "consul"))
    with pytest.raises(MeshkitError, match="eks: Consul is there, and nothing says that it") as raised:
        teardown.destroy(world.context(), world.federation.datacenters)
    assert raised.value.hint.startswith("if it is, meshkit federate aks=aks eks=eks --federation mesh marks it; ")
    runner.run(world.context())
    with pytest.raises(CombinedError, match="datacenters failed") as waited:
        teardown.destroy(world.context(), world.federation.datacenters)
    assert "GitOps has not taken away" in waited.value.errors[1].message


def test_another_laptop_knows(world: FakeFederation) -> None:
    """The marker says who brings the releases."""
    until_releases(world)
    kube = {dc.context: world.clusters[dc.name] for dc in world.federation.datacenters}
    assert discover.discover(kube, "consul").federation.gitops


def deployment(**pod: object) -> Manifest:
    container = {"name": "a", "image": "i:1", "env": [{"name": "A", "value": "1"}], "resources": {"limits": {"cpu": 1}}}
    labels = {"app": "d"}
    meta = {"annotations": {"x": "1"}, "labels": labels}
    template = {"metadata": meta, "spec": {"containers": [container | pod]}}
    metadata = {"name": "d", "namespace": "consul"}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1, "template": template}}


@pytest.mark.parametrize(
    ("found", "says"),
    [
        pytest.param(deployment(), "", id="the same"),
        pytest.param(deployment(resources={"limits": {"cpu": "1"}}), "", id="a quantity in another form"),
        pytest.param(deployment(imagePullPolicy="Always"), "", id="a default of the API server"),
        pytest.param(deployment(image="i:2"), "containers.0.image", id="another image"),
        pytest.param(deployment(env=[{"name": "A", "value": "2"}]), "containers.0.env.0.value", id="another variable"),
        pytest.param(deployment(env=[]), "containers.0.env", id="no variable"),
    ],
)
def test_compared(world: FakeFederation, found: Manifest, says: str) -> None:
    """What decides what runs counts; forms and defaults of the API server do not."""
    world.clusters["aks"].put(found | {"metadata": dict(found["metadata"])})
    context, aks = world.context(), world.federation.primary
    told = delivered.pending(context, aks, [deployment()])()
    assert told == (f"deployment/d is not as rendered: {says}" if says else "")


def test_hooks_are_not_waited_for(world: FakeFederation) -> None:
    """What a chart makes only while it installs is gone afterwards."""
    hook = deployment()
    hook["metadata"] = {"name": "hook", "annotations": {"helm.sh/hook": "pre-install"}}
    job = {"kind": "Job", "metadata": {"name": "job"}}
    assert delivered.pending(world.context(), world.federation.primary, [hook, job])() == ""
