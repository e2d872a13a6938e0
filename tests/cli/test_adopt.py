"""``meshkit federate --adopt`` as it is typed, over clusters in which somebody else has installed Consul."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fakes.federation import FakeFederation, described
from fakes.installations import CHART, Made, install, values
from meshkit.backends.base import Ref
from meshkit.federation import runner
from meshkit.federation.state import FederationSecrets, State
from meshkit.federation.steps import trust
from meshkit.pki.material import GossipKey

Meshkit = Callable[..., Any]


@pytest.fixture
def theirs() -> Made:
    return Made()


@pytest.fixture
def installed(world: FakeFederation, theirs: Made) -> FakeFederation:
    """One installation in each cluster; they share CA and gossip key, which is in aks alone."""
    for name in ("aks", "eks"):
        given = values(name, meshGateway={"replicas": 2})
        install(world.clusters[name], world.wan.helms[name], theirs, given, with_key=name == "aks")
        world.wan.helms[name].repository["1.9.11"] = CHART
        world.wan.helms[name].installs.clear()
    return world


def killed(meshkit: Meshkit, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """A run that comes to where this is called, and no further."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, interrupted)
        assert meshkit("federate", "--adopt", "aks", "eks", "--yes").code == 130


def everything(world: FakeFederation) -> dict[str, list[str]]:
    """What stands in the clusters, but for pods, which come up by themselves."""
    return {
        name: [found for found in cluster.everything() if not found.startswith("Pod ")] + world.wan.helms[name].installs
        for name, cluster in world.clusters.items()
    }


def secrets(theirs: Made) -> list[str]:
    """What must never be shown."""
    return [theirs.gossip.reveal(), theirs.bootstrap.reveal(), *theirs.key_pem.splitlines()[1:-1]]


def test_the_whole_job(meshkit: Meshkit, installed: FakeFederation, theirs: Made) -> None:
    """Both become one federation: same CA, same keys, the user's values, and requests in both directions."""
    result = meshkit("federate", "--adopt", "aks", "eks", "--yes")
    assert result.code == 0, result.err
    assert result.out.startswith("federation mesh works: ")
    state = State("mesh")
    held, authority = state.secrets(), state.authority()
    assert held
    assert authority
    assert (held.gossip, held.tokens["bootstrap"]) == (theirs.gossip, theirs.bootstrap)
    assert authority.fingerprint == theirs.authority.fingerprint
    found = installed.wan.values("eks")
    assert found["connectInject"]["default"] is True
    assert found["meshGateway"]["replicas"] == 2
    assert found["global"]["federation"]["primaryDatacenter"] == "aks"
    assert not [secret for secret in secrets(theirs) if secret in result.out + result.err]


def test_dry_run(meshkit: Meshkit, installed: FakeFederation, theirs: Made) -> None:
    """The table and what follows, on stdout; nothing is written, here or there, and no secret is shown."""
    before = everything(installed)
    result = meshkit("federate", "--adopt", "aks", "eks", "--dry-run")
    assert result.code == 0, result.err
    assert "they can become federation mesh: aks (primary), eks" in result.out
    assert "the CA's key is copied from secret consul-ca-key of aks" in result.out
    assert "eks: its ACL tokens, policies, config entries and intentions give way" in result.out
    assert everything(installed) == before
    assert not installed.state.path.exists()
    assert not [secret for secret in secrets(theirs) if secret in result.out]


def test_needs_a_yes(meshkit: Meshkit, installed: FakeFederation) -> None:
    """The plan comes before the question, and without an answer nothing is written."""
    before = everything(installed)
    result = meshkit("federate", "--adopt", "aks", "eks")
    assert result.code == 2
    assert "they can become federation mesh" in result.err
    assert everything(installed) == before


def test_refused(meshkit: Meshkit, installed: FakeFederation) -> None:
    """Every reason with its hint, the differences marked, and nothing written."""
    other = Made()
    install(installed.clusters["eks"], installed.wan.helms["eks"], other, values("aks"))
    before = everything(installed)
    result = meshkit("federate", "--adopt", "aks", "eks", "--yes")
    assert result.code == 1
    assert "meshkit: error: these can't become one federation; nothing was changed" in result.err
    for text in ("both are datacenter aks", "their CAs are different ones", "their gossip keys are different ones"):
        assert text in result.err
    assert "✘  ca " in result.err
    assert everything(installed) == before
    found = json.loads(meshkit("federate", "--adopt", "aks", "eks", "--dry-run", "--output", "json").out)
    assert found["possible"] is False
    assert {fact["fact"] for fact in found["facts"] if fact["differs"]} == {"datacenter", "ca", "gossip key"}


def test_without_a_way_to_the_repository(meshkit: Meshkit, installed: FakeFederation) -> None:
    """That the chart can't be had is told before anything is written, and one that was brought along will do."""
    for helm in installed.wan.helms.values():
        helm.repository.clear()
    before = everything(installed)
    result = meshkit("federate", "--adopt", "aks", "eks", "--yes")
    assert result.code == 1
    assert "2 problems stand in the way; nothing was changed" in result.err
    assert everything(installed) == before
    assert meshkit("federate", "--adopt", "aks", "eks", "--yes", "--chart", str(CHART)).code == 0
    assert installed.federation.chart_path == str(CHART)


def test_values_that_the_chart_does_not_know(meshkit: Meshkit, installed: FakeFederation, theirs: Made) -> None:
    """What preflight would refuse is refused before anything is written."""
    given = values("eks", connectInject={"enabeld": True})
    install(installed.clusters["eks"], installed.wan.helms["eks"], theirs, given, with_key=False)
    before = everything(installed)
    result = meshkit("federate", "--adopt", "aks", "eks", "--yes")
    assert result.code == 1
    assert "connectInject.enabeld" in result.err
    assert everything(installed) == before
    assert not installed.state.path.exists()


def test_what_preflight_finds(meshkit: Meshkit, installed: FakeFederation) -> None:
    """Clusters that could not be federated are not half adopted either."""
    installed.clusters["eks"].gitversion = "v1.20.0"
    before = everything(installed)
    result = meshkit("federate", "--adopt", "aks", "eks", "--yes")
    assert result.code == 1
    assert "eks: Kubernetes v1.20.0 is too old" in result.err
    assert everything(installed) == before
    assert not installed.state.path.exists()


@pytest.mark.parametrize(
    "place",
    [
        pytest.param((State, "take_over"), id="before the CA"),
        pytest.param((State, "_save_secrets"), id="before the secrets"),
        pytest.param((trust, "mark"), id="before the markers"),
        pytest.param((runner, "run"), id="after the markers"),
    ],
)
def test_killed_and_run_again(
    meshkit: Meshkit, installed: FakeFederation, theirs: Made, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str]
) -> None:
    """Whatever the first run left, the same command ends it, with the same CA and keys."""
    killed(meshkit, monkeypatch, *place)
    marked = installed.clusters["eks"].find(Ref("ConfigMap", "meshkit-federation", "consul"))
    assert bool(marked) is (place[0] is runner)
    result = meshkit("federate", "--adopt", "aks", "eks", "--yes")
    assert result.code == 0, result.err
    authority, held = State("mesh").authority(), State("mesh").secrets()
    assert authority
    assert authority.fingerprint == theirs.authority.fingerprint
    assert held
    assert (held.gossip, held.tokens["bootstrap"]) == (theirs.gossip, theirs.bootstrap)


def test_destroyed_before_it_was_marked(
    meshkit: Meshkit, installed: FakeFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installations that nobody has marked yet are still who made them's: refused, and the way to forget is named."""
    killed(meshkit, monkeypatch, trust, "mark")
    before = everything(installed)
    result = meshkit("destroy", "--yes")
    assert result.code == 1
    assert "aks: Consul is there, and nothing says that it is federation mesh's: helm release consul" in result.err
    assert "to leave the cluster as it is: add --lost eks" in result.err
    assert everything(installed) == before
    assert meshkit("destroy", "--lost", "aks", "--lost", "eks", "--yes").code == 0
    assert everything(installed) == before
    assert not installed.state.path.exists()


@pytest.mark.parametrize("order", [("aks", "eks"), ("eks", "aks")], ids=["as before", "the other way round"])
def test_run_again_with_values_that_are_meshkits_by_now(
    meshkit: Meshkit, installed: FakeFederation, order: tuple[str, str]
) -> None:
    """A release that an earlier run has upgraded tells nothing of the user's values: what was noted then holds."""
    assert meshkit("federate", "--adopt", "aks", "eks", "--yes").code == 0
    before = {name: installed.wan.values(name) for name in order}
    upgraded = {name: list(helm.installs) for name, helm in installed.wan.helms.items()}
    noted = State("mesh").identity()
    assert meshkit("federate", "--adopt", *order, "--yes").code == 0
    assert {name: installed.wan.values(name) for name in order} == before
    assert {name: helm.installs for name, helm in installed.wan.helms.items()} == upgraded
    assert State("mesh").identity() == noted
    assert before["eks"]["server"]["annotations"].count("meshkit.dev/server-certificate") == 1


def test_killed_and_run_again_in_another_order(
    meshkit: Meshkit, installed: FakeFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary that was agreed to stays, whichever comes first now, and can't be another."""
    killed(meshkit, monkeypatch, trust, "mark")
    refused = meshkit("federate", "--adopt", "eks", "aks", "--primary", "eks", "--yes")
    assert refused.code == 2
    assert "the primary is aks and can't be changed to eks" in refused.err
    assert meshkit("federate", "--adopt", "eks", "aks", "--yes").code == 0
    assert installed.federation.primary.name == "aks"


def test_one_more_beside_those_that_are_adopted(meshkit: Meshkit, installed: FakeFederation, theirs: Made) -> None:
    """What is meshkit's by now is not described anew for the sake of another installation."""
    assert meshkit("federate", "--adopt", "aks", "eks", "--yes").code == 0
    gke = installed.add_cluster("gke")
    install(gke, installed.wan.helms["gke"], theirs, values("gke"))
    before = everything(installed)
    result = meshkit("federate", "--adopt", "aks", "eks", "gke", "--yes")
    assert result.code == 1
    assert "aks: its Consul is meshkit's already, in federation mesh" in result.err
    assert everything(installed) == before


def test_afterwards(meshkit: Meshkit, installed: FakeFederation) -> None:
    """It is a federation like any other: nothing is left to change."""
    assert meshkit("federate", "--adopt", "aks", "eks", "--yes").code == 0
    assert meshkit("federate", "aks", "eks", "--dry-run").out.splitlines()[-1] == "nothing to change"
    assert installed.federation.primary.name == "aks"


def test_another_federation_of_that_name(meshkit: Meshkit, installed: FakeFederation) -> None:
    """Its state must not be overwritten."""
    State("mesh").save_identity(installed.federation)
    State("mesh").take_over(Made().authority, FederationSecrets(GossipKey.create(), {}))
    result = meshkit("federate", "--adopt", "aks", "eks", "--yes")
    assert result.code == 1
    assert "this machine knows another federation mesh, with another CA" in result.err


def test_another_federation_that_has_no_ca_yet(meshkit: Meshkit, installed: FakeFederation) -> None:
    """What a run was killed over before it had a CA is taken up again for the same clusters alone."""
    State("mesh").save_identity(described(("aks", "gke")))
    before = everything(installed)
    result = meshkit("federate", "--adopt", "aks", "eks", "--yes")
    assert result.code == 1
    assert "this machine knows another federation mesh, of other clusters" in result.err
    assert everything(installed) == before


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(["aks"], 2, "--adopt takes two contexts or more", id="one context"),
        pytest.param(["aks", "aks"], 2, "each once", id="the same twice"),
        pytest.param(["aks", "eks", "--servers", "3"], 2, "as they are", id="an option that changes them"),
        pytest.param(["-f", "mesh.yaml"], 2, "as they are", id="a file"),
        pytest.param(["aks", "eks", "--gitops"], 2, "as they are", id="with gitops"),
        pytest.param(["aks", "eks", "--chart", "light"], 2, "only the official chart", id="the light chart"),
        pytest.param(["aks", "eks", "--chart", "nowhere"], 2, "nowhere", id="a chart that is not there"),
        pytest.param(["aks", "eks", "--chart-version", "1.9.7"], 2, "is older than what is", id="an old chart"),
        pytest.param(["aks", "eks", "--primary", "gke"], 2, 'no datacenter is named "gke"', id="an unknown primary"),
    ],
)
def test_wrong_call(meshkit: Meshkit, arguments: list[str], code: int, says: str) -> None:
    """One error with a hint, and nothing on stdout."""
    result = meshkit("federate", "--adopt", *arguments)
    assert (result.code, result.out) == (code, ""), result.err
    assert says in result.err
    assert "hint: " in result.err


@pytest.mark.usefixtures("installed")
def test_preflight_names_it(meshkit: Meshkit) -> None:
    """Who federates clusters that have a Consul is told of the way to take it over."""
    result = meshkit("federate", "aks", "eks", "--chart", "light")
    assert result.code == 1
    assert "meshkit federate --adopt takes it over" in result.err
