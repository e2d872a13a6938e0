"""With the official chart intentions are resources: changed where they are, made where nothing is, lost nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.controller import FakeController
from fakes.federation import FakeFederation
from fakes.kube import FakeCluster
from meshkit.backends.base import Ref
from meshkit.consul import config_entries, resources
from meshkit.consul.config_entries import Intention
from meshkit.errors import DeadlineError, MeshkitError
from meshkit.federation import compare_and_set, resource_entries, segmentation

KIND = "ServiceIntentions"
ALLOW = Intention("web", "api", "allow")
DENY = Intention("web", "api", "deny")
OTHER = Intention("batch", "api", "allow")
OURS = Ref(KIND, "meshkit-api", "consul")


@pytest.fixture
def controller(mesh: FakeFederation) -> FakeController:
    """The controller, slow enough for an old condition to be seen after a change."""
    return mesh.control(lag=3)


@pytest.fixture
def cluster(mesh: FakeFederation, controller: FakeController) -> FakeCluster:
    """The primary's cluster, with its controller at work."""
    del controller
    return mesh.clusters["aks"]


def theirs(*sources: dict[str, Any], name: str = "shop", namespace: str = "default", **metadata: Any) -> dict[str, Any]:
    """A user's own resource for ``api``."""
    spec = {"destination": {"name": "api"}, "sources": list(sources) or [{"name": "batch", "action": "allow"}]}
    meta = {"name": name, "namespace": namespace, **metadata}
    return {"apiVersion": resources.API_VERSION, "kind": KIND, "metadata": meta, "spec": spec}


def held(mesh: FakeFederation, name: str = "api") -> dict[str, Any]:
    """The entry as Consul has it."""
    return dict(mesh.wan.store("aks").entries["service-intentions", name])


def through_the_api(mesh: FakeFederation, *, meta: dict[str, str] | None = None, **source: Any) -> None:
    """An entry for ``api`` that a resource did not make."""
    said = {"Name": "batch", "Action": "allow"} | source
    mesh.wan.store("aks").put({"Kind": "service-intentions", "Name": "api", "Sources": [said], "Meta": meta or {}})


def test_made(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """Where nothing is said a resource of ours says it, in Consul's namespace, and it is in force on return."""
    assert segmentation.write(mesh.context(), ALLOW) is True
    made = cluster.find(OURS)
    assert made
    assert made["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "meshkit"}
    assert made["spec"] == {"destination": {"name": "api"}, "sources": [{"name": "web", "action": "allow"}]}
    assert held(mesh)["Meta"][resources.DATACENTER] == "aks"
    assert segmentation.listed(mesh.context()) == (ALLOW,)
    assert segmentation.write(mesh.context(), ALLOW) is False


def test_a_change_is_waited_for(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """That the resource was synced before it was changed is not taken for an answer."""
    segmentation.write(mesh.context(), ALLOW)
    entries = resource_entries.of(mesh.context())
    compare_and_set.rewrite(entries, lambda _, entry: config_entries.with_intention(entry, DENY), ["api"])
    assert [source["Action"] for source in held(mesh)["Sources"]] == ["deny"]
    assert resources.synced(cluster.find(OURS) or {})["status"] == "True"


def test_removed(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """With the last source the resource goes, and the entry has gone from Consul on return."""
    for wanted in (ALLOW, OTHER):
        segmentation.write(mesh.context(), wanted)
    assert segmentation.remove(mesh.context(), "web", "api") is True
    assert segmentation.listed(mesh.context()) == (OTHER,)
    assert segmentation.remove(mesh.context(), "batch", "api") is True
    assert cluster.find(OURS) is None
    assert segmentation.listed(mesh.context()) == ()


def test_a_resource_of_the_users_is_changed(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """Wherever it is and whatever it is called, it stays the only one, and keeps what it says."""
    permitted = {"name": "batch", "permissions": [{"action": "allow", "http": {"pathPrefix": "/"}}]}
    cluster.put(theirs(permitted, labels={"team": "shop"}))
    assert segmentation.write(mesh.context(), ALLOW) is True
    found = cluster.find(Ref(KIND, "shop", "default"))
    assert found
    assert found["spec"]["sources"] == [permitted, {"name": "web", "action": "allow"}]
    assert found["metadata"]["labels"] == {"team": "shop"}
    assert cluster.find(OURS) is None
    segmentation.remove(mesh.context(), "web", "api")
    assert (cluster.find(Ref(KIND, "shop", "default")) or {})["spec"]["sources"] == [permitted]


def test_permissions_are_not_replaced(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """HTTP permissions say more than allow or deny; how to edit them is how this federation keeps them."""
    permitted = {"name": "web", "permissions": [{"action": "allow", "http": {"pathPrefix": "/"}}]}
    cluster.put(theirs(permitted))
    with pytest.raises(MeshkitError, match="the intention from web to api has HTTP permissions") as raised:
        segmentation.write(mesh.context(), ALLOW)
    assert raised.value.hint.startswith("edit it with kubectl edit serviceintentions")


def test_the_users_entry_stays_with_the_api(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """What was written through the API by whoever it was is changed there: a resource would lock them out."""
    through_the_api(mesh, meta={"team": "shop"})
    assert segmentation.write(mesh.context(), ALLOW) is True
    assert cluster.every(KIND) == []
    assert held(mesh)["Meta"] == {"team": "shop"}
    assert set(segmentation.listed(mesh.context())) == {ALLOW, OTHER}
    assert segmentation.remove(mesh.context(), "web", "api") is True
    assert segmentation.remove(mesh.context(), "batch", "api") is True
    assert segmentation.listed(mesh.context()) == ()


@pytest.mark.parametrize(
    "meta",
    [
        pytest.param({"owner": "meshkit"}, id="meshkit, before the official chart came"),
        pytest.param({resources.DATACENTER: "gone"}, id="the controller of a datacenter that has left"),
    ],
)
def test_taken_over(mesh: FakeFederation, cluster: FakeCluster, meta: dict[str, str]) -> None:
    """An entry that nobody else keeps becomes a resource with all it said, and the annotation for that has gone."""
    through_the_api(mesh, meta=meta, Description="d")
    assert segmentation.write(mesh.context(), ALLOW) is True
    found = cluster.find(OURS)
    assert found
    assert resources.MIGRATE not in found["metadata"].get("annotations", {})
    assert found["spec"]["sources"] == [
        {"name": "batch", "action": "allow", "description": "d"},
        {"name": "web", "action": "allow"},
    ]
    assert held(mesh)["Meta"][resources.DATACENTER] == "aks"
    assert set(segmentation.listed(mesh.context())) == {ALLOW, OTHER}


def test_what_no_resource_can_say_stays_with_the_api(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """An entry of meshkit's in another partition is not taken over at the price of what it says."""
    through_the_api(mesh, meta={"owner": "meshkit"})
    mesh.wan.store("aks").entries["service-intentions", "api"]["Partition"] = "other"
    assert segmentation.write(mesh.context(), ALLOW) is True
    assert cluster.every(KIND) == []
    assert held(mesh)["Partition"] == "other"


def test_an_orphan_gets_a_resource_again(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """An entry whose resource went without the controller is its controller's still."""
    through_the_api(mesh, meta={resources.DATACENTER: "aks"})
    assert segmentation.write(mesh.context(), ALLOW) is True
    assert cluster.find(OURS)
    assert set(segmentation.listed(mesh.context())) == {ALLOW, OTHER}


def test_a_resource_of_another_datacenter(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """What another cluster's resource says is refused here, with where to go."""
    through_the_api(mesh, meta={resources.DATACENTER: "eks"})
    for act in (
        lambda: segmentation.write(mesh.context(), ALLOW),
        lambda: segmentation.remove(mesh.context(), "batch", "api"),
    ):
        with pytest.raises(MeshkitError, match="the intentions to api are a resource in datacenter eks") as raised:
            act()
        assert raised.value.hint == "change it there, or delete it there and make it in aks"
    assert cluster.every(KIND) == []


def test_an_equal_entry_that_is_not_the_controllers(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """A resource beside an entry that says the same passes as synced; its change is what fails, and it is said why."""
    through_the_api(mesh)
    cluster.put(theirs())
    with pytest.raises(MeshkitError, match="serviceintentions shop is not synced: ExternallyManagedConfig") as raised:
        segmentation.write(mesh.context(), ALLOW)
    assert (
        raised.value.hint
        == "the entry was written through Consul's API: delete it there, or the serviceintentions shop here"
    )
    assert raised.value.detail == "config entry already exists in Consul"


def test_removing_it_removes_both(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """The controller leaves an entry that it did not write; who asked for the intention to go gets that."""
    through_the_api(mesh)
    cluster.put(theirs())
    assert segmentation.remove(mesh.context(), "batch", "api") is True
    assert cluster.every(KIND) == []
    assert segmentation.listed(mesh.context()) == ()


def test_a_failed_migration_of_the_users(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """An annotation that somebody left on is taken away with the first change, which the controller then takes."""
    through_the_api(mesh, meta={resources.DATACENTER: "aks"}, Action="deny")
    cluster.put(theirs(annotations={resources.MIGRATE: "true"}))
    assert segmentation.write(mesh.context(), ALLOW) is True
    assert set(segmentation.listed(mesh.context())) == {ALLOW, OTHER}


def test_overtaken(mesh: FakeFederation, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's change between reading and writing is kept: the write is refused, and made anew."""
    segmentation.write(mesh.context(), ALLOW)
    plain, waiting = cluster.patch, [Intention("third", "api", "deny")]

    def patch(*args: Any, **options: Any) -> Any:
        if waiting:
            segmentation.write(mesh.context(), waiting.pop())
        return plain(*args, **options)

    monkeypatch.setattr(cluster, "patch", patch)
    assert segmentation.write(mesh.context(), OTHER) is True
    assert set(segmentation.listed(mesh.context())) == {ALLOW, OTHER, Intention("third", "api", "deny")}


@pytest.mark.parametrize("name", ["meshkit-api", "theirs"])
def test_made_by_another_meanwhile(
    mesh: FakeFederation, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A resource for the destination that came between is changed, whether Kubernetes or the webhook finds it out."""
    plain, waiting = cluster.create, [theirs(name=name, namespace="consul")]

    def create(manifest: dict[str, Any]) -> Any:
        if waiting:
            cluster.put(waiting.pop())
        return plain(manifest)

    monkeypatch.setattr(cluster, "create", create)
    assert segmentation.write(mesh.context(), ALLOW) is True
    assert set(segmentation.listed(mesh.context())) == {ALLOW, OTHER}
    assert [found["metadata"]["name"] for found in cluster.every(KIND)] == [name]


def test_deleted_meanwhile(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """A resource that is just being deleted is waited for, and not written to."""
    segmentation.write(mesh.context(), OTHER)
    cluster.delete(OURS)
    assert segmentation.write(mesh.context(), ALLOW) is True
    assert segmentation.listed(mesh.context()) == (ALLOW,)


def test_namesake(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """A resource of the name that ours would have, for another destination, is left alone."""
    taken = theirs(name="meshkit-api", namespace="consul")
    taken["spec"]["destination"]["name"] = "cart"
    cluster.put(taken)
    with pytest.raises(MeshkitError, match="serviceintentions meshkit-api is there for another destination") as raised:
        segmentation.write(mesh.context(), ALLOW)
    assert raised.value.hint == "give that resource another name"
    assert (cluster.find(OURS) or {})["spec"] == taken["spec"]


def test_consul_refuses(mesh: FakeFederation, controller: FakeController) -> None:
    """What Consul said to the controller is shown, and where to look."""
    controller.fails_with = "writing config entry to consul: Unexpected response code: 500"
    with pytest.raises(DeadlineError, match=r"not synced yet: ConsulAgentError writing config entry.*500") as raised:
        segmentation.write(mesh.context(), ALLOW)
    assert raised.value.hint == "is Consul well in aks? meshkit check"


def test_the_webhook_is_down(mesh: FakeFederation, controller: FakeController) -> None:
    """That the API server can't ask the webhook is told as what it is."""
    segmentation.write(mesh.context(), ALLOW)
    controller.stop()
    for wanted in (DENY, Intention("web", "cart", "allow")):
        with pytest.raises(MeshkitError, match="aks: Consul's controller does not answer") as raised:
            segmentation.write(mesh.context(), wanted)
        assert "get pods -l app=consul,component=connect-injector" in raised.value.hint
        assert "no endpoints available" in raised.value.detail


def test_the_webhook_comes_back(mesh: FakeFederation, controller: FakeController) -> None:
    """An injector that is away for a moment is no reason to give up."""
    controller.stop()
    mesh.clock.at(mesh.clock.slept_s + 5, controller.start)
    assert segmentation.write(mesh.context(), ALLOW) is True
    assert segmentation.listed(mesh.context()) == (ALLOW,)


def test_nothing_takes_a_resource_over(mesh: FakeFederation, cluster: FakeCluster) -> None:
    """Without its definition there is no place for an intention."""
    cluster.remove(Ref("CustomResourceDefinition", resources.INTENTIONS_CRD))
    with pytest.raises(MeshkitError, match="aks: the definitions of Consul's resources are gone") as raised:
        segmentation.write(mesh.context(), ALLOW)
    assert raised.value.hint == "meshkit federate puts them back"
