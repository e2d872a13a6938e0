"""Rendered files: the same every time, readable, without a secret, and what each tool takes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from fakes.federation import FakeFederation
from meshkit.consul import names
from meshkit.consul.values import merge
from meshkit.errors import UsageError
from meshkit.federation.gitops import argocd, files, rendering
from meshkit.federation.gitops.files import Form
from meshkit.federation.gitops.rendering import PENDING, Rendering
from meshkit.federation.gitops.repository import Repository
from meshkit.model import Federation

GIVEN = {"aks": "203.0.113.1", "eks": "203.0.113.2"}
REPOSITORY = Repository("https://git.example/mesh.git", "clouds/mesh/")
FORMS: tuple[Form | None, ...] = (None, "values", "manifests", "argocd", "flux", "terraform")


def official(federation: Federation, **options: Any) -> Federation:
    datacenters = tuple(replace(dc, api_server=f"https://{dc.name}.example:6443") for dc in federation.datacenters)
    return replace(federation, chart="hashicorp", chart_version="1.9.11", datacenters=datacenters, **options)


@pytest.fixture
def rendered(mesh: FakeFederation) -> tuple[Rendering, ...]:
    return rendering.gather(mesh.context(), {})


@pytest.fixture
def of_official(world: FakeFederation) -> tuple[Rendering, ...]:
    world.federation = official(world.federation)
    return rendering.gather(world.context(), GIVEN)


def with_values(one: Rendering, values: dict[str, Any]) -> Rendering:
    consul, probe = one.deliveries
    return replace(one, deliveries=(replace(consul, values=merge(consul.values, values)), probe))


def loaded(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("form", FORMS)
def test_yaml_and_the_same_every_time(mesh: FakeFederation, form: Form) -> None:
    """Every file parses, and a second look renders the same bytes."""
    first, second = (files.tree(rendering.gather(mesh.context(), {}), form, REPOSITORY) for _ in range(2))
    assert first == second
    for path, text in first.items():
        if path.endswith(".yaml"):
            assert all(isinstance(document, dict) for document in loaded(text)), path
            assert "&id" not in text


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_anywhere(mesh: FakeFederation, rendered: tuple[Rendering, ...], form: Form) -> None:
    """Neither what is printed nor what is to be committed holds a token, a key, or their base64."""
    held = mesh.state.secrets()
    assert held
    canaries = [held.gossip.reveal(), *(token.reveal() for token in held.tokens.values()), "PRIVATE KEY"]
    canaries += [str(value) for one in rendered for s in one.secrets or () for value in s["data"].values()]
    texts = [*files.printed(rendered, form, REPOSITORY).values(), *files.tree(rendered, form, REPOSITORY).values()]
    assert not [canary for canary in canaries for text in texts if canary in text]


def test_values_are_those_that_federate_installs(mesh: FakeFederation, rendered: tuple[Rendering, ...]) -> None:
    """Letter by letter: GitOps brings what federate would."""
    found = files.printed(rendered, "values", REPOSITORY)
    assert sorted(found) == [f"{dc}/{r}.values.yaml" for dc in ("aks", "eks") for r in ("consul", "mesh-probe")]
    for dc, helm in mesh.wan.helms.items():
        for release in ("consul", "mesh-probe"):
            assert yaml.safe_load(found[f"{dc}/{release}.values.yaml"]) == helm.values(release, "consul")


def test_names_and_keys_of_secrets(mesh: FakeFederation, rendered: tuple[Rendering, ...]) -> None:
    """They are printed redacted, in a form that no API server takes, and are those in the cluster."""
    found = loaded(files.printed(rendered, None, REPOSITORY)["aks/secrets.yaml"])
    assert {s["metadata"]["name"] for s in found} == {
        s["metadata"]["name"] for s in mesh.clusters["aks"].list("Secret", "consul")
    }
    assert {value for s in found for value in s["data"].values()} == {"<redacted>"}


def test_before_anything_is_made(world: FakeFederation) -> None:
    """A first look writes nothing, and says in their place what is not made yet."""
    found = rendering.gather(world.context(), GIVEN)
    texts = files.printed(found, None, REPOSITORY)
    assert PENDING in texts["aks/consul.values.yaml"]
    assert json.loads(loaded(texts["aks/meshkit.yaml"])[1]["data"]["federation.json"])["id"] == PENDING
    assert [s["metadata"]["name"] for s in loaded(texts["eks/secrets.yaml"])] == list(found[1].keys)
    assert names.TOKENS["bootstrap"] in found[0].keys
    assert names.TOKENS["bootstrap"] not in found[1].keys
    assert not world.state.path.exists()


def test_secrets_md(rendered: tuple[Rendering, ...]) -> None:
    """A tree says which Secrets its releases expect, per datacenter."""
    text = files.tree(rendered, "argocd", REPOSITORY)["SECRETS.md"]
    assert "| aks | consul | meshkit-bootstrap-token | token |" in text
    assert "| eks | consul | meshkit-bootstrap-token | token |" not in text
    assert "| eks | consul | meshkit-server-cert | tls.crt, tls.key |" in text
    assert "meshkit render --secrets DIR" in text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param({}, "the mesh gateway's address is not known yet: aks, eks", id="none"),
        pytest.param({"aks": "203.0.113.1"}, "not known yet: eks", id="one of two"),
        pytest.param(GIVEN | {"gke": "203.0.113.3"}, "no datacenter gke in this federation", id="one too many"),
    ],
)
def test_addresses(world: FakeFederation, given: dict[str, str], says: str) -> None:
    """An address that nobody knows is asked for by its datacenter's name."""
    with pytest.raises(UsageError, match=says) as raised:
        rendering.gather(world.context(), given)
    assert raised.value.hint


def test_given_addresses_need_no_cluster(world: FakeFederation) -> None:
    """Whoever gives all addresses renders without any API server."""
    for cluster in world.clusters.values():
        cluster.faults.unreachable = True
    assert rendering.gather(world.context(), GIVEN)[1].deliveries[0].values["meshGateway"]["wanAddress"]["static"] == (
        "203.0.113.2"
    )


def test_argocd_with_the_light_chart(rendered: tuple[Rendering, ...]) -> None:
    """The chart comes from the tree's own place in the repository, the values stand in the Application."""
    consul, probe = loaded(files.printed(rendered, "argocd", REPOSITORY)["eks/argocd.yaml"])
    assert consul["metadata"] == {"name": "eks-consul", "namespace": "argocd"}
    source = consul["spec"]["source"]
    assert (source["repoURL"], source["path"]) == (REPOSITORY.url, "clouds/mesh/charts/consul")
    assert source["helm"]["valuesObject"]["global"]["datacenter"] == "eks"
    assert probe["spec"]["source"]["helm"]["releaseName"] == "mesh-probe"
    assert consul["spec"]["destination"] == {"name": "eks", "namespace": "consul"}


def test_argocd_with_the_official_chart(of_official: tuple[Rendering, ...]) -> None:
    """It comes from its repository in its version, and Argo CD leaves the injector's caBundle alone."""
    consul, _ = loaded(files.printed(of_official, "argocd", REPOSITORY)["aks/argocd.yaml"])
    source = consul["spec"]["source"]
    assert (source["chart"], source["targetRevision"]) == ("consul", "1.9.11")
    assert source["repoURL"] == "https://helm.releases.hashicorp.com"
    assert consul["spec"]["ignoreDifferences"][0]["kind"] == "MutatingWebhookConfiguration"
    assert "RespectIgnoreDifferences=true" in consul["spec"]["syncPolicy"]["syncOptions"]


def test_argocd_is_told_to_the_official_chart(of_official: tuple[Rendering, ...], mesh: FakeFederation) -> None:
    """Its Job that ends by being deleted is a hook then; the user's word is the last, and no other chart takes it."""
    for application, delivery in zip(
        loaded(files.printed(of_official, "argocd", REPOSITORY)["aks/argocd.yaml"]),
        of_official[0].deliveries,
        strict=True,
    ):
        given = application["spec"]["source"]["helm"]["valuesObject"]
        told = given.get("global", {}).pop("argocd", None)
        assert (given, told) == (delivery.values, {"enabled": True} if delivery.release == "consul" else None)
    theirs = {"global": {"argocd": {"enabled": False}}}
    (application, _) = argocd.applications(with_values(of_official[0], theirs), REPOSITORY)
    assert application["spec"]["source"]["helm"]["valuesObject"]["global"]["argocd"] == {"enabled": False}
    for application in argocd.applications(rendering.gather(mesh.context(), {})[0], REPOSITORY):
        assert "argocd" not in application["spec"]["source"]["helm"]["valuesObject"].get("global", {})


def test_flux(of_official: tuple[Rendering, ...]) -> None:
    """Sources before the releases that refer to them, each by kind and name."""
    found = loaded(files.printed(of_official, "flux", REPOSITORY)["aks/flux.yaml"])
    sources = {(o["kind"], o["metadata"]["name"]) for o in found if o["kind"] != "HelmRelease"}
    used = {
        (o["spec"]["chart"]["spec"]["sourceRef"]["kind"], o["spec"]["chart"]["spec"]["sourceRef"]["name"])
        for o in found
        if o["kind"] == "HelmRelease"
    }
    assert used == sources == {("GitRepository", "meshkit"), ("HelmRepository", "hashicorp")}
    consul, probe = (o["spec"] for o in found if o["kind"] == "HelmRelease")
    assert (consul["releaseName"], consul["targetNamespace"]) == ("consul", "consul")
    assert probe["chart"]["spec"]["chart"] == "./clouds/mesh/charts/mesh-probe"


def test_oci_repository(world: FakeFederation) -> None:
    """Each tool spells a registry in its own way."""
    world.federation = official(world.federation, chart_repo="oci://registry.example/charts")
    found = rendering.gather(world.context(), GIVEN)
    (application, _) = loaded(files.printed(found, "argocd", REPOSITORY)["aks/argocd.yaml"])
    assert application["spec"]["source"]["repoURL"] == "registry.example/charts"
    repository = next(
        o for o in loaded(files.printed(found, "flux", REPOSITORY)["aks/flux.yaml"]) if o["kind"] == "HelmRepository"
    )
    assert repository["spec"] == {"interval": "1h", "url": "oci://registry.example/charts", "type": "oci"}
    release = json.loads(files.printed(found, "terraform", REPOSITORY)["main.tf.json"])["resource"]["helm_release"]
    assert release["aks-consul"]["chart"] == "oci://registry.example/charts/consul"
    assert "repository" not in release["aks-consul"]


def test_terraform(rendered: tuple[Rendering, ...]) -> None:
    """One provider per cluster, one release per chart, values from files that the tree has."""
    tree = files.tree(rendered, "terraform", REPOSITORY)
    found = json.loads(tree["main.tf.json"])
    providers = {p["alias"]: p["kubernetes"]["config_context"] for p in found["provider"]["helm"]}
    assert providers == {"aks": "aks", "eks": "eks"}
    for release in found["resource"]["helm_release"].values():
        (values,) = release["values"]
        path = values.removeprefix('${file("${path.module}/').removesuffix('")}')
        assert path in tree
        assert release["provider"].removeprefix("helm.") == path.partition("/")[0]
        assert release["chart"].removeprefix("${path.module}/") in files.charts(rendered)


def test_terraform_names(world: FakeFederation) -> None:
    """Names begin with a letter, and nothing in a context's name is taken for an expression."""
    aks, eks = world.federation.datacenters
    odd = replace(world.federation, datacenters=(replace(aks, context="${a}"), replace(eks, name="1eks")))
    given = {"aks": "203.0.113.1", "1eks": "203.0.113.2"}
    rendered = rendering.gather(replace(world.context(), federation=odd), given)
    found = json.loads(files.printed(rendered, "terraform", REPOSITORY)["main.tf.json"])
    assert [p["alias"] for p in found["provider"]["helm"]] == ["aks", "dc-1eks"]
    assert found["provider"]["helm"][0]["kubernetes"]["config_context"] == "$${a}"


def test_settings_of_the_official_chart(of_official: tuple[Rendering, ...]) -> None:
    """Proxy defaults and default deny, in the primary alone."""
    found = files.printed(of_official, None, REPOSITORY)
    defaults, deny = loaded(found["aks/mesh.yaml"])
    assert (defaults["kind"], defaults["spec"]) == ("ProxyDefaults", {"meshGateway": {"mode": "local"}})
    assert (deny["kind"], deny["spec"]["sources"]) == ("ServiceIntentions", [{"action": "deny", "name": "*"}])
    assert "eks/mesh.yaml" not in found
    assert "k8sAuthMethodHost: https://eks.example:6443" in found["eks/consul.values.yaml"]


def test_a_gateway_that_is_there_keeps_its_load_balancer(mesh: FakeFederation) -> None:
    """A repository must not make another load balancer of one that is in use; a new Service gets the cloud's own."""
    eks = replace(mesh.federation.datacenters[1], load_balancer="aws-controller")
    mesh.federation = replace(mesh.federation, datacenters=(mesh.federation.datacenters[0], eks))
    for given, annotated in (({}, False), ({"eks": "203.0.113.2"}, True)):
        (service,) = (o for o in rendering.gather(mesh.context(), given)[1].objects if o["kind"] == "Service")
        assert ("annotations" in service["metadata"]) is annotated
