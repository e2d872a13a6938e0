"""Helm beside our own waiting: hooks go on in the background, and what fails is seen at once, with its log."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from fakes.federation import FakeFederation, officially
from fakes.kube import FakeCluster
from meshkit.backends.base import Ref
from meshkit.errors import DeadlineError, MeshkitError, UnreachableError
from meshkit.federation import hooks, releases, runner
from meshkit.federation.context import Context
from meshkit.federation.steps import datacenters, gateways, trust

LEASE = Ref("Lease", "consul-controller-lock", "consul")
LABELS = {"app": "consul", "release": "consul"}


@pytest.fixture
def world() -> FakeFederation:
    """Two clusters with the official chart after the steps before: secrets and addresses are there, Consul is not."""
    made = FakeFederation()
    made.federation = officially(made.federation)
    trust.act(made.context())
    gateways.act(made.context())
    return made


def job(cluster: FakeCluster, name: str, **status: object) -> None:
    """A Job of the release, with its pod and what that said."""
    meta = {"name": name, "namespace": "consul", "labels": LABELS}
    cluster.put({"kind": "Job", "metadata": meta, "status": status})
    state = {"terminated": {"exitCode": 1}}
    pod = {"phase": "Failed", "containerStatuses": [{"name": "job", "ready": False, "state": state}]}
    cluster.put(
        {
            "kind": "Pod",
            "metadata": {**meta, "name": f"{name}-x", "labels": {**LABELS, "job-name": name}},
            "status": pod,
        }
    )
    cluster.pod_logs[f"{name}-x", "job"] = "ACL login: 403"


def until_stopped(stop: threading.Event | None) -> None:
    """Hooks that never end by themselves."""
    assert stop is not None
    assert stop.wait(10)


def on_sleep(world: FakeFederation, context: Context, release: threading.Event) -> None:
    """Let helm's hooks go on once somebody has waited for them, and time stand still until they are done."""
    sleep = world.clock.sleep

    def let_go(seconds: float) -> None:
        release.set()
        for thread in context.installs._threads.values():
            thread.join(10)
        sleep(seconds)

    world.clock.sleep = let_go  # type: ignore[method-assign]


def finish(context: Context, name: str = "eks") -> None:
    hooks.finish(context, "proxies", next(dc for dc in context.federation.datacenters if dc.name == name))


def test_hooks_go_on_while_the_steps_do(world: FakeFederation) -> None:
    """The step ends when the objects are there; whoever needs the hooks waits for them."""
    release = threading.Event()

    def hook(_: object) -> None:
        assert release.wait(10)

    for helm in world.wan.helms.values():
        helm.hooks = hook
    context = world.context()
    datacenters.act(context)
    assert [context.installs.running(name) for name in ("aks", "eks")] == [True, True]
    found = world.wan.helms["eks"].release("consul", "consul")
    assert found is not None
    assert found.status == "pending-install"
    on_sleep(world, context, release)
    context.each(lambda dc: hooks.finish(context, "proxies", dc))
    assert datacenters.plan(world.context()) == ()


def test_a_failed_hook_is_shown_with_its_log(world: FakeFederation) -> None:
    """Helm says only that it failed; the pod says why, also when helm has deleted it by then."""
    cluster, name = world.clusters["eks"], "consul-gateway-resources"
    begun, release = threading.Event(), threading.Event()

    def hook(_: object) -> None:
        job(cluster, name, failed=1)
        begun.set()
        assert release.wait(10)
        for ref in (Ref("Job", name, "consul"), Ref("Pod", f"{name}-x", "consul")):
            cluster.remove(ref)
        raise MeshkitError("eks: helm: failed post-install: job failed: BackoffLimitExceeded")

    world.wan.helms["eks"].hooks = hook
    context = world.context()
    datacenters.act(context)
    assert begun.wait(10)
    on_sleep(world, context, release)
    with pytest.raises(MeshkitError, match="BackoffLimitExceeded") as raised:
        finish(context)
    assert "job | ACL login: 403" in raised.value.detail
    assert "--context eks" in raised.value.hint


def test_a_job_that_failed_for_good_is_not_waited_for(world: FakeFederation) -> None:
    """Helm's own hook would wait for it until its time is over."""
    world.wan.helms["eks"].hooks = until_stopped
    context = world.context()
    datacenters.act(context)
    failed = {"type": "Failed", "status": "True"}
    job(world.clusters["eks"], "consul-server-acl-init", failed=7, conditions=[failed])
    with pytest.raises(MeshkitError, match="eks: job consul-server-acl-init has failed") as raised:
        finish(context)
    assert "ACL login: 403" in raised.value.detail
    context.installs.stop()
    assert not context.installs.running("eks")


def test_a_pod_that_can_not_start_is_not_waited_for(world: FakeFederation) -> None:
    """Any pod of the release: hooks and injector too."""
    world.wan.helms["eks"].hooks = until_stopped
    context = world.context()
    datacenters.act(context)
    waiting = {"name": "job", "ready": False, "state": {"waiting": {"reason": "ErrImageNeverPull"}}}
    meta = {"name": "consul-gateway-resources-y", "namespace": "consul", "labels": LABELS}
    world.clusters["eks"].put({"kind": "Pod", "metadata": meta, "status": {"containerStatuses": [waiting]}})
    with pytest.raises(MeshkitError, match="can't start: job: ErrImageNeverPull"):
        finish(context)
    context.installs.stop()


def test_hooks_that_never_end_are_named(world: FakeFederation) -> None:
    """With the deadline of any wait, and what is still open."""
    world.wan.helms["eks"].hooks = until_stopped
    context = world.context()
    datacenters.act(context)
    job(world.clusters["eks"], "consul-server-acl-init")
    with pytest.raises(DeadlineError, match="eks: not after 60 s: helm waits for consul-server-acl-init"):
        finish(context)
    context.installs.stop()


def test_a_helm_that_lost_the_api_server_is_an_end(world: FakeFederation) -> None:
    """Who waits would take an unreachable server for "not yet"."""
    error = UnreachableError("eks: helm cannot reach the API server")

    def hook(_: object) -> None:
        raise error

    world.wan.helms["eks"].hooks = hook
    with pytest.raises(MeshkitError, match="cannot reach the API server") as raised:
        runner.run(world.context())
    assert type(raised.value) is MeshkitError


def test_what_an_earlier_install_left_is_taken_away(world: FakeFederation) -> None:
    """Jobs can't be changed nor made twice, and a lock without a holder would be waited for."""
    cluster = world.clusters["eks"]
    for name in ("consul-server-acl-init", "consul-gateway-resources"):
        job(cluster, name)
    cluster.put({"kind": "Lease", "metadata": {"name": LEASE.name, "namespace": "consul"}})
    datacenters.act(world.context())
    assert cluster.find(LEASE) is None
    assert not cluster.list("Job", "consul")


def test_a_release_that_was_cut_short_is_repaired_first(world: FakeFederation) -> None:
    """Helm brings its Jobs back with the objects of before, so they are taken away afterwards."""
    cluster, helm, done = world.clusters["eks"], world.wan.helms["eks"], []
    helm.leave("consul", "consul", "pending-upgrade")

    def repair(name: str, namespace: str) -> None:
        done.append((name, namespace))
        job(cluster, "consul-server-acl-init")

    helm.repair = repair  # type: ignore[method-assign]
    datacenters.act(world.context())
    assert done == [("consul", "consul")]
    assert not cluster.list("Job", "consul")


def test_the_lock_of_a_controller_that_runs_stays(world: FakeFederation) -> None:
    """An upgrade rolls it; taking the lock away would make two leaders."""
    datacenters.act(world.context())
    cluster = world.clusters["eks"]
    cluster.put({"kind": "Lease", "metadata": {"name": LEASE.name, "namespace": "consul"}})
    world.wan.helms["eks"].leave("consul", "consul", "failed")
    context = world.context()
    datacenters.act(context)
    finish(context)
    assert cluster.find(LEASE) is not None
    assert world.wan.helms["eks"].installs == ["consul", "consul"]


def test_an_upgrade_is_waited_for_though_all_is_ready(world: FakeFederation) -> None:
    """Until helm gets to it, everything is as it was before: that is no reason to take the run for done."""
    runner.run(world.context())
    aks, eks = world.federation.datacenters
    changed = replace(eks, values={"server": {"logLevel": "debug"}})
    world.federation = replace(world.federation, datacenters=(aks, changed))
    context, release = world.context(), threading.Event()

    def hook(stop: threading.Event | None) -> None:
        while not release.wait(0.01):
            if stop is None or stop.is_set():
                raise MeshkitError("eks: helm was stopped")

    world.wan.helms["eks"].begins = hook
    on_sleep(world, context, release)
    runner.run(context)
    assert datacenters.plan(world.context()) == ()
    found = world.wan.helms["eks"].release("consul", "consul")
    assert found is not None
    assert (found.status, found.revision) == ("deployed", 2)


def test_a_run_that_fails_stops_helm(world: FakeFederation) -> None:
    """Nothing goes on behind the user's back, and the next run can go on from there."""
    ended = threading.Event()

    def stopped(stop: threading.Event | None) -> None:
        until_stopped(stop)
        ended.set()

    world.wan.helms["eks"].hooks = stopped

    def boom(_: object) -> None:
        raise MeshkitError("aks: helm: boom")

    world.wan.helms["aks"].hooks = boom
    with pytest.raises(MeshkitError, match="boom"):
        runner.run(world.context())
    assert ended.is_set()
    for helm in world.wan.helms.values():
        helm.hooks = lambda _: None
    runner.run(world.context())
    for dc in world.federation.datacenters:
        context = world.context()
        addresses = releases.addresses(context) or {}
        assert releases.difference(context, dc, releases.consul(context, dc, addresses)) is None


def test_ensure_waits_for_hooks(world: FakeFederation) -> None:
    """Who changes one datacenter and goes on, as an upgrade does, needs it whole."""
    context, release = world.context(), threading.Event()

    def hook(_: object) -> None:
        assert release.wait(10)

    world.wan.helms["aks"].hooks = hook
    on_sleep(world, context, release)
    primary = world.federation.primary
    addresses = releases.addresses(context) or {}
    releases.ensure(context, "upgrade", primary, releases.consul(context, primary, addresses))
    assert release.is_set()
    assert not context.installs.running("aks")


def lease(cluster: FakeCluster, holder: str) -> None:
    """The controller's lock, with the holder's identity as client-go writes it."""
    meta = {"name": LEASE.name, "namespace": "consul"}
    cluster.put({"kind": "Lease", "metadata": meta, "spec": {"holderIdentity": f"{holder}_0f3c"}})


def injector(cluster: FakeCluster, name: str, **meta: str) -> None:
    """A pod of the injector."""
    cluster.put({"kind": "Pod", "metadata": {"name": name, "namespace": "consul", **meta}, "status": {}})


def free_lock(world: FakeFederation) -> None:
    hooks.free_lock(world.context(), "datacenters", world.federation.datacenters[1])


def test_the_lock_of_an_injector_that_was_replaced_is_taken_away(world: FakeFederation) -> None:
    """The new one would wait a minute and a half for it to run out, with gateways in the catalog that are gone."""
    runner.run(world.context())
    cluster = world.clusters["eks"]
    lease(cluster, "consul-connect-injector-old")
    injector(cluster, "consul-connect-injector-old", deletionTimestamp="2026-01-01T00:00:00Z")
    world.clock.at(3, lambda: cluster.remove(Ref("Pod", "consul-connect-injector-old", "consul")))
    free_lock(world)
    assert world.clock.slept_s >= 3
    assert cluster.find(LEASE) is None


def test_the_lock_of_an_injector_that_runs_stays(world: FakeFederation) -> None:
    """Two at work would undo each other's doing."""
    runner.run(world.context())
    cluster = world.clusters["eks"]
    lease(cluster, "consul-connect-injector-new")
    injector(cluster, "consul-connect-injector-new")
    free_lock(world)
    assert cluster.find(LEASE) is not None
