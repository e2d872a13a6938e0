"""Describe: what is not named stays, and what can't change is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meshkit.errors import UsageError
from meshkit.federation import describe
from meshkit.model import Datacenter, Federation

AKS = Datacenter("aks", "aks", primary=True, servers=3, values={"server": {"logLevel": "debug"}})
EKS = Datacenter("eks", "eks", gateways=2, gateway_port=8443)
KNOWN = Federation("mesh", (AKS, EKS), "hashicorp", "/srv/consul.tgz", "1.9.11", image_registry="r.example")


def named(*clusters: str, primary: str = "", **options: Any) -> Federation:
    """What the command line makes of clusters and options: nothing is known of earlier runs there."""
    first = primary or clusters[0].partition("=")[0]
    pairs = [(cluster.partition("=")[0], cluster.rpartition("=")[2]) for cluster in clusters]
    datacenters = (Datacenter(name, context, primary=name == first, **options) for name, context in pairs)
    return Federation("mesh", tuple(datacenters), chart="")


@pytest.mark.parametrize(
    ("federation", "given", "expected"),
    [
        pytest.param(named("aks", "eks"), {}, KNOWN, id="naming the same again changes nothing"),
        pytest.param(named("eks", "aks"), {}, KNOWN, id="another order of names changes nothing"),
        pytest.param(
            named("eks", "aks"), {"primary": "aks"}, KNOWN, id="naming the primary that it is changes nothing"
        ),
        pytest.param(
            named("aks", "eks", servers=5),
            {"servers": 5},
            replace(KNOWN, datacenters=(replace(AKS, servers=5), replace(EKS, servers=5))),
            id="an option that is named is set in every datacenter that is named",
        ),
        pytest.param(
            named("aks", "gcp"),
            {},
            replace(KNOWN, datacenters=(AKS, EKS, Datacenter("gcp", "gcp"))),
            id="a newcomer joins, and a datacenter that is not named is carried over",
        ),
        pytest.param(
            named("gcp", "aks"),
            {},
            replace(KNOWN, datacenters=(AKS, EKS, Datacenter("gcp", "gcp"))),
            id="a newcomer that is named first does not become primary",
        ),
        pytest.param(
            named("gcp", "azure", servers=3),
            {"servers": 3},
            replace(
                KNOWN,
                datacenters=(AKS, EKS, Datacenter("gcp", "gcp", servers=3), Datacenter("azure", "azure", servers=3)),
            ),
            id="newcomers alone may be named, with options of their own",
        ),
        pytest.param(
            named("aks=azure-admin", "eks"),
            {},
            replace(KNOWN, datacenters=(replace(AKS, context="azure-admin"), EKS)),
            id="a datacenter may be reached by another context",
        ),
        pytest.param(
            replace(named("aks", "eks"), chart="hashicorp", chart_path="/srv/new.tgz", chart_version="2.0.3"),
            {"chart": "/srv/new.tgz"},
            replace(KNOWN, chart_path="/srv/new.tgz", chart_version="2.0.3"),
            id="a chart that is named replaces the one before, and the registry stays",
        ),
        pytest.param(
            replace(named("aks", "eks"), chart="hashicorp", chart_repo="oci://r.example/charts"),
            {"chart_repo": "oci://r.example/charts"},
            replace(KNOWN, chart_path="", chart_repo="oci://r.example/charts"),
            id="a repository takes the place of a path, in the same version",
        ),
        pytest.param(
            replace(named("aks", "eks"), image_registry="other.example"),
            {"image_registry": "other.example"},
            replace(KNOWN, image_registry="other.example"),
            id="a registry alone may be named",
        ),
    ],
)
def test_from_arguments(federation: Federation, given: dict[str, Any], expected: Federation) -> None:
    """What the user names now is laid over what is known."""
    options = {"primary": "", "chart": "", "servers": None, "gateways": None, "namespace": ""} | given
    assert describe.resolve(federation, KNOWN, options) == expected


def test_first_time() -> None:
    """Nothing is known, so what is named is all."""
    assert describe.resolve(named("aks", "eks"), None, {"servers": 3}) == named("aks", "eks")


def test_from_a_file() -> None:
    """A file describes its datacenters in full: what it does not say is the default, not what was before."""
    plain = named("aks", "eks", servers=3)
    assert describe.resolve(plain, KNOWN, None).datacenters == plain.datacenters


def test_what_was_settled_of_a_cluster_stays() -> None:
    """A file does not say it, and another laptop may see the cluster at another address."""
    settled = {"api_server": "https://k8s.eks.example", "platform": "eks", "load_balancer": "nlb"}
    known = replace(KNOWN, datacenters=(AKS, replace(EKS, **settled)))
    named_now = named("aks", "eks", servers=3)
    found = describe.resolve(named_now, known, None)
    assert found.datacenters == (named_now.datacenters[0], replace(named_now.datacenters[1], **settled))


def test_a_version_that_is_named_once_stays() -> None:
    """Another repository is no reason to go to another version."""
    known = replace(KNOWN, chart_path="", chart_version="1.9.9")
    named_now = replace(named("aks"), chart="hashicorp", chart_repo="https://charts.example")
    found = describe.resolve(named_now, known, {"chart_repo": "https://charts.example"})
    assert (found.chart_version, found.chart_repo) == ("1.9.9", "https://charts.example")


def test_a_datacenter_that_the_file_does_not_name_stays() -> None:
    """Leaving has a command of its own, and deleting some lines of a file must not do it."""
    found = describe.resolve(named("aks", "gcp", servers=3), KNOWN, None)
    assert [dc.name for dc in found.datacenters] == ["aks", "eks", "gcp"]
    assert found.datacenters[1] == EKS
    assert describe.carried_over(named("aks", "gcp"), KNOWN) == (EKS,)


def test_a_newcomer_lives_in_the_federation_s_namespace() -> None:
    """A federation made with --namespace need not be told again where a third cluster's Consul goes."""
    known = replace(KNOWN, datacenters=tuple(replace(dc, namespace="mesh") for dc in KNOWN.datacenters))
    assert describe.resolve(named("aks", "gcp"), known, {}).datacenters[-1].namespace == "mesh"


@pytest.mark.parametrize(
    ("federation", "given", "line"),
    [
        pytest.param(
            named("aks", "eks", primary="eks"),
            {"primary": "eks"},
            "the primary is aks and can't be changed to eks",
            id="the primary can't change by option",
        ),
        pytest.param(
            named("aks", "eks", servers=1),
            None,
            "aks has 3 servers; with 1 it would lose its quorum",
            id="a file that forgets the servers does not take two of three away",
        ),
        pytest.param(
            named("aks", "eks"),
            {"namespace": "other"},
            "aks is in namespace consul and can't be moved to other",
            id="servers with data do not move",
        ),
        pytest.param(
            replace(named("aks", "eks"), chart="light"),
            {"chart": "light"},
            "the federation's chart is hashicorp and can't be changed to light",
            id="the kind of the chart can't change",
        ),
        pytest.param(named("eks", "aks"), None, "the primary is aks and can't be changed to eks", id="nor by a file"),
        pytest.param(
            named("aks", "prod=eks"),
            {},
            "context eks is in the federation already as eks",
            id="a cluster can't be known by two names",
        ),
    ],
)
def test_refused(federation: Federation, given: dict[str, Any] | None, line: str) -> None:
    """What can't change is refused before anything is touched, with the way that there is."""
    with pytest.raises(UsageError) as raised:
        describe.resolve(federation, KNOWN, given)
    assert raised.value.message == line
    assert raised.value.hint


BEFORE = Federation("mesh", (AKS, EKS))
UPGRADED = replace(
    BEFORE,
    datacenters=tuple(
        replace(dc, consul_version="1.22.8", values={"global": {"image": "docker.io/hashicorp/consul:1.22.8"}})
        for dc in BEFORE.datacenters
    ),
)


def test_a_file_that_does_not_name_the_image_keeps_the_version() -> None:
    """What meshkit upgrade brought is not taken back by a file that knows nothing of it."""
    found = describe.resolve(BEFORE, UPGRADED, None)
    assert {dc.values["global"]["image"] for dc in found.datacenters} == {"docker.io/hashicorp/consul:1.22.8"}
    assert {dc.consul_version for dc in found.datacenters} == {"1.22.8"}


def test_a_file_that_names_another_version() -> None:
    """Two places that disagree are told, and neither wins in silence."""
    first, *others = BEFORE.datacenters
    other = replace(first, values={"global": {"image": "registry.example/consul:1.22.7"}})
    with pytest.raises(UsageError, match=r"registry\.example/consul:1\.22\.7, and meshkit upgrade has brought"):
        describe.resolve(replace(BEFORE, datacenters=(other, *others)), UPGRADED, None)


@pytest.mark.parametrize("gitops", [False, True], ids=["which preflight judges", "by GitOps"])
def test_another_chart(*, gitops: bool) -> None:
    """It brings its own Consul, whatever meshkit upgrade had brought; the same one again changes nothing."""
    known = replace(UPGRADED, chart="hashicorp", chart_version="1.9.11", gitops=gitops)
    described = replace(BEFORE, chart="hashicorp", chart_version="2.0.3")
    found = describe.resolve(described, known, None)
    assert (found.chart_version, {dc.consul_version for dc in found.datacenters}) == ("2.0.3", {""})
    again = describe.resolve(replace(described, chart_version="1.9.11"), known, None)
    assert (again.chart_version, {dc.consul_version for dc in again.datacenters}) == ("1.9.11", {"1.22.8"})


def test_another_image_by_gitops() -> None:
    """There meshkit upgrade is refused, so the description says the version."""
    values = {"global": {"image": "registry.example/consul:1.22.9"}}
    described = replace(BEFORE, datacenters=tuple(replace(dc, values=values) for dc in BEFORE.datacenters))
    found = describe.resolve(described, replace(UPGRADED, gitops=True), None)
    assert [(dc.values, dc.consul_version) for dc in found.datacenters] == [(values, "")] * 2


def test_another_light_chart() -> None:
    """The image is what meshkit upgrade has brought, so a newer chart is a change of the description."""
    found = describe.resolve(replace(BEFORE, chart_path="/srv/light", chart_version="0.2.0"), UPGRADED, None)
    assert found.chart_path == "/srv/light"
    assert {dc.values["global"]["image"] for dc in found.datacenters} == {"docker.io/hashicorp/consul:1.22.8"}
