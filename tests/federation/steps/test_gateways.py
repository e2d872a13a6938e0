"""Gateways: one Service of meshkit's own per cluster, and an address or a clear answer why there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fakes.federation import FakeFederation, officially
from fakes.kube import FakeCluster, LoadBalancers
from meshkit.backends.base import Manifest, Ref
from meshkit.errors import CombinedError, DeadlineError
from meshkit.events import Note, Progress
from meshkit.federation import objects, releases, runner
from meshkit.federation.steps import gateways, trust

NLB = "a1b2.elb.eu-west-1.amazonaws.com"
SERVICE = Ref("Service", "meshkit-mesh-gateway", "consul")


@pytest.fixture
def world() -> FakeFederation:
    """Two clusters with their namespaces, which the step before made."""
    made = FakeFederation()
    trust.act(made.context())
    return made


def test_each_cluster_gets_an_address(world: FakeFederation) -> None:
    """The step ends when every Service has an address, and then has nothing left to do."""
    assert [(c.action, c.datacenter) for c in gateways.plan(world.context())] == [("create", "aks"), ("create", "eks")]
    gateways.act(world.context())
    assert releases.addresses(world.context()) == {"aks": "203.0.113.1", "eks": "203.0.113.2"}
    assert gateways.plan(world.context()) == ()


def test_host_name_instead_of_an_address(world: FakeFederation) -> None:
    """EKS gives a load balancer a host name; it is as good as an address once it resolves, and is used as it is."""
    change(world, "eks", load_balancer="aws-controller")
    world.clusters["eks"].load_balancers = LoadBalancers("", hostname=NLB, polls=3)
    world.clock.at(5, lambda: world.names.update({NLB: ["198.51.100.7", "198.51.100.8"]}))
    gateways.act(world.context())
    assert world.clock.slept_s >= 5
    assert Progress("gateways", "the load balancer has no hostname yet", "eks") in world.events
    assert Progress("gateways", f"the load balancer's name {NLB} does not resolve yet", "eks") in world.events
    addresses = releases.addresses(world.context())
    assert addresses
    assert addresses["eks"] == NLB


def test_a_host_name_that_never_resolves(world: FakeFederation) -> None:
    """The error names it, since it is what a person has to look for."""
    world.clusters["eks"].load_balancers = LoadBalancers("", hostname=NLB)
    with pytest.raises(DeadlineError, match=f"eks: not after 60 s: the load balancer's name {NLB} does not resolve"):
        gateways.act(world.context(timeout_s=60))


def test_what_is_awaited_is_told(world: FakeFederation) -> None:
    """While an address is awaited, the screen says so for that cluster."""
    world.clusters["eks"].load_balancers = LoadBalancers("203.0.113.9", polls=5)
    gateways.act(world.context())
    assert Progress("gateways", "the load balancer has no address yet", "eks") in world.events


def test_no_address_within_the_timeout(world: FakeFederation) -> None:
    """The error names the cluster, the limit and what is lacking; the hint names the Service and what may help."""
    world.clusters["eks"].load_balancers = LoadBalancers("")
    with pytest.raises(DeadlineError, match=r"^eks: not after 60 s: the load balancer has no address yet$") as raised:
        gateways.act(world.context(timeout_s=60))
    assert "kubectl --context eks -n consul describe service meshkit-mesh-gateway" in raised.value.hint
    assert "MetalLB" in raised.value.hint
    assert "datacenters.eks.gatewayAddress" in raised.value.hint
    assert 60 <= world.clock.slept_s < 70


def test_no_wait_is_longer_than_a_load_balancer_takes(world: FakeFederation) -> None:
    """An hour's --timeout is not spent on an address that is not coming."""
    world.clusters["eks"].load_balancers = LoadBalancers("")
    with pytest.raises(DeadlineError, match="not after 300 s"):
        gateways.act(world.context(timeout_s=3600))


def test_one_cluster_without_an_address_lets_the_others_finish(world: FakeFederation) -> None:
    """All clusters that fail are named, and the one that works has its address."""
    world.add_cluster("gke")
    world.grow(("aks", "eks", "gke"))
    trust.act(world.context())
    for name in ("aks", "gke"):
        world.clusters[name].load_balancers = LoadBalancers("")
    with pytest.raises(CombinedError, match="2 of 3 datacenters failed") as raised:
        gateways.act(world.context())
    assert [error.message.partition(":")[0] for error in raised.value.errors] == ["aks", "gke"]
    found = world.clusters["eks"].find(SERVICE)
    assert found
    assert found["status"]["loadBalancer"]["ingress"]


def test_an_address_that_was_lost_is_awaited(world: FakeFederation) -> None:
    """A Service as described but without an address is not applied again, only waited for."""
    gateways.act(world.context())
    found = world.clusters["eks"].find(SERVICE)
    assert found
    world.clusters["eks"].put(found | {"status": {"loadBalancer": {}}})
    world.clusters["eks"].load_balancers = LoadBalancers("203.0.113.77", polls=3)
    (change,) = gateways.plan(world.context())
    assert (change.action, change.what, change.datacenter) == ("await", "address of the mesh gateway", "eks")


def test_another_port(world: FakeFederation) -> None:
    """A port that was changed is put into the Service that is there, which keeps its address."""
    gateways.act(world.context())
    before = world.clusters["eks"].find(SERVICE)
    datacenters = tuple(replace(dc, gateway_port=8443) for dc in world.federation.datacenters)
    world.federation = replace(world.federation, datacenters=datacenters)
    changes = gateways.plan(world.context())
    assert [(c.action, c.what) for c in changes] == [("update", "service meshkit-mesh-gateway, port 8443")] * 2
    gateways.act(world.context())
    after = world.clusters["eks"].find(SERVICE)
    assert before
    assert after
    assert after["spec"]["ports"][0]["port"] == 8443
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"] == before["status"]


def test_fields_that_the_cloud_adds_are_no_difference(world: FakeFederation) -> None:
    """Node ports, annotations and finalizers of the cloud's controller stay."""
    gateways.act(world.context())
    found = world.clusters["eks"].find(SERVICE)
    assert found
    found["spec"]["ports"][0]["nodePort"] = 31234
    found["metadata"]["annotations"] = {"cloud/id": "7"}
    world.clusters["eks"].put(found)
    assert gateways.plan(world.context()) == ()


def event(cluster: FakeCluster, name: str, at: str, message: str, kind: str = "Service") -> None:
    involved = {"kind": kind, "name": SERVICE.name, "namespace": "consul"}
    meta = {"name": name, "namespace": "consul"}
    said = {"reason": "SyncLoadBalancerFailed", "message": message, "lastTimestamp": at}
    cluster.put({"kind": "Event", "metadata": meta, "involvedObject": involved, **said})


def test_why_there_is_no_address(world: FakeFederation) -> None:
    """Clouds tell the reason in the Service's events: the last of them are part of the error, in order."""
    eks = world.clusters["eks"]
    eks.load_balancers = LoadBalancers("")
    event(eks, "b", "2026-01-01T12:00:02Z", "Error syncing load balancer:\n  quota of\tNLBs exceeded")
    event(eks, "a", "2026-01-01T12:00:01Z", "Ensuring load balancer")
    event(eks, "c", "2026-01-01T12:00:03Z", "of something else", kind="Pod")
    with pytest.raises(DeadlineError) as raised:
        gateways.act(world.context(timeout_s=1))
    assert raised.value.detail.splitlines() == [
        "event SyncLoadBalancerFailed: Ensuring load balancer",
        "event SyncLoadBalancerFailed: Error syncing load balancer: quota of NLBs exceeded",
    ]


def test_events_out_of_reach(world: FakeFederation) -> None:
    """Who may not read events still learns that there is no address."""
    world.clusters["eks"].load_balancers = LoadBalancers("")
    world.clusters["eks"].faults.forbid("list", "events")
    with pytest.raises(DeadlineError, match="no address yet"):
        gateways.act(world.context(timeout_s=1))


def change(world: FakeFederation, name: str, **options: Any) -> None:
    """Describe one datacenter anew."""
    datacenters = (replace(dc, **options) if dc.name == name else dc for dc in world.federation.datacenters)
    world.federation = replace(world.federation, datacenters=tuple(datacenters))


def service(world: FakeFederation, name: str) -> Manifest:
    found = world.clusters[name].find(SERVICE)
    assert found
    return found


def test_an_address_of_the_users_own(world: FakeFederation) -> None:
    """On premises the address may be a router's: the load balancer's is not waited for."""
    world.clusters["eks"].load_balancers = LoadBalancers("")
    change(world, "eks", gateway_address="192.0.2.10")
    gateways.act(world.context())
    assert releases.addresses(world.context()) == {"aks": "203.0.113.1", "eks": "192.0.2.10"}
    assert gateways.plan(world.context()) == ()


def test_a_name_that_only_the_clusters_know(world: FakeFederation) -> None:
    """The user's own name may be a private one: a note, no error."""
    change(world, "eks", gateway_address="mesh.corp.example")
    gateways.act(world.context())
    said = Note("mesh.corp.example does not resolve on this machine; it must in the clusters", "eks")
    assert said in world.events


def test_annotations_of_the_platform(world: FakeFederation) -> None:
    """A new Service on EKS asks AWS's controller for a public NLB over all zones."""
    change(world, "eks", platform="eks", load_balancer="aws-controller")
    gateways.act(world.context())
    made = service(world, "eks")["metadata"]["annotations"]
    prefix = "service.beta.kubernetes.io/aws-load-balancer"
    assert made == {
        f"{prefix}-type": "external",
        f"{prefix}-nlb-target-type": "ip",
        f"{prefix}-attributes": "load_balancing.cross_zone.enabled=true",
        f"{prefix}-scheme": "internet-facing",
    }
    assert gateways.plan(world.context()) == ()


def test_a_service_that_is_there_keeps_its_load_balancer(world: FakeFederation) -> None:
    """Annotations that would make another load balancer of it are not added later, and those it has are kept."""
    gateways.act(world.context())
    change(world, "eks", platform="eks", load_balancer="aws-controller")
    change(world, "aks", gateway_port=8443)
    kept = service(world, "aks")
    kept["metadata"]["annotations"] = {"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}
    world.clusters["aks"].put(kept)
    change(world, "aks", load_balancer="aws-controller")
    gateways.act(world.context())
    assert "annotations" not in service(world, "eks")["metadata"]
    assert service(world, "aks")["metadata"]["annotations"] == kept["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("balancer", "key", "value"),
    [
        ("aws-controller", "service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"),
        ("aws-auto-mode", "service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"),
        ("aws-cloud-provider", "service.beta.kubernetes.io/aws-load-balancer-internal", "true"),
        ("azure", "service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
        ("gcp", "networking.gke.io/load-balancer-type", "Internal"),
    ],
)
def test_an_internal_load_balancer(world: FakeFederation, balancer: str, key: str, value: str) -> None:
    """Each cloud has its own annotation for one."""
    change(world, "eks", load_balancer=balancer, gateway_internal=True)
    gateways.act(world.context())
    assert service(world, "eks")["metadata"]["annotations"][key] == value
    assert gateways.plan(world.context()) == ()


def test_from_public_to_internal_and_back(world: FakeFederation) -> None:
    """That is another load balancer: the Service is made anew, its old address is not taken for the new one."""
    change(world, "eks", load_balancer="azure")
    gateways.act(world.context())
    before = service(world, "eks")
    for internal, address in ((True, "10.1.0.4"), (False, "203.0.113.40")):
        change(world, "eks", gateway_internal=internal)
        world.clusters["eks"].load_balancers = LoadBalancers(address, polls=2)
        (found,) = gateways.plan(world.context())
        assert (found.action, found.datacenter) == ("replace", "eks")
        assert "another address" in found.why
        gateways.act(world.context())
        after = service(world, "eks")
        assert after["metadata"]["uid"] != before["metadata"]["uid"]
        assert releases.addresses(world.context()) == {"aks": "203.0.113.1", "eks": address}
        before = after


def test_a_load_balancer_that_is_not_taken_away(world: FakeFederation) -> None:
    """A Service whose finalizer stays is waited for until the deadline, and not made beside it."""
    change(world, "eks", load_balancer="azure")
    gateways.act(world.context())
    held = service(world, "eks")
    held["metadata"]["finalizers"] = ["service.kubernetes.io/load-balancer-cleanup"]
    world.clusters["eks"].put(held)
    change(world, "eks", gateway_internal=True)
    with pytest.raises(DeadlineError, match="the load balancer is still being taken away"):
        gateways.act(world.context(timeout_s=5))


def test_source_ranges_come_and_go(world: FakeFederation) -> None:
    """Who may reach the load balancer; ranges that are taken back are a difference too."""
    uid = None
    for ranges in (("203.0.113.0/24",), ("198.51.100.0/24", "2001:db8::/32"), ()):
        change(world, "eks", gateway_source_ranges=ranges)
        gateways.act(world.context())
        found = service(world, "eks")
        assert tuple(found["spec"].get("loadBalancerSourceRanges", ())) == ranges
        assert uid in (None, found["metadata"]["uid"])
        uid = found["metadata"]["uid"]
        assert gateways.plan(world.context()) == ()


def test_the_users_annotations_come_and_go(world: FakeFederation) -> None:
    """They lie over those of the platform; one that is taken back is taken off the Service."""
    subnet = "service.beta.kubernetes.io/azure-load-balancer-internal-subnet"
    change(world, "eks", load_balancer="azure", gateway_internal=True, gateway_annotations={subnet: "gateways"})
    gateways.act(world.context())
    assert service(world, "eks")["metadata"]["annotations"][subnet] == "gateways"
    change(world, "eks", gateway_annotations={})
    assert [c.action for c in gateways.plan(world.context())] == ["update"]
    gateways.act(world.context())
    assert subnet not in service(world, "eks")["metadata"]["annotations"]
    assert gateways.plan(world.context()) == ()


def test_a_damaged_note_of_the_options(world: FakeFederation) -> None:
    """Somebody edited it: the Service is brought back in place, not made anew."""
    gateways.act(world.context())
    found = service(world, "eks")
    found["metadata"]["annotations"] = {"meshkit.dev/gateway": "[1"}
    world.clusters["eks"].put(found)
    assert [c.action for c in gateways.plan(world.context())] == ["update"]


def test_a_gateway_that_is_not_ready_is_reached_as_long_as_none_is(world: FakeFederation) -> None:
    """The official chart's readiness comes at least 10 s late, and the secondary waits for the primary's gateway."""
    world.federation = officially(world.federation)
    gateways.act(world.context())
    assert [is_early(world, name) for name in ("aks", "eks")] == [True, True]
    assert gateways.plan(world.context()) == ()


def test_once_gateways_are_ready_only_those_are_reached(world: FakeFederation) -> None:
    """One that is being replaced loses no connection; the next run has nothing to do."""
    world.federation = officially(world.federation)
    runner.run(world.context())
    assert [is_early(world, name) for name in ("aks", "eks")] == [False, False]
    assert gateways.plan(world.context()) == ()


def test_a_run_that_was_killed_before_that_is_put_right(world: FakeFederation) -> None:
    """The Service it left is seen as different as soon as a gateway is ready."""
    world.federation = officially(world.federation)
    runner.run(world.context())
    found = world.clusters["eks"].find(SERVICE)
    assert found
    world.clusters["eks"].apply(objects.gateway_service(world.federation.datacenters[1], found, early=True))
    assert [(c.action, c.datacenter) for c in gateways.plan(world.context())] == [("update", "eks")]
    gateways.act(world.context())
    assert not is_early(world, "eks")


def test_the_light_chart_s_gateways_are_ready_when_they_say_so(world: FakeFederation) -> None:
    """Its Service never leads to others."""
    gateways.act(world.context())
    assert not is_early(world, "aks")


def is_early(world: FakeFederation, name: str) -> bool:
    """Whether a datacenter's Service leads to gateways that are not ready."""
    found = world.clusters[name].find(SERVICE)
    assert found
    return bool(found["spec"].get("publishNotReadyAddresses"))
