"""Which platform a cluster runs on, by what it shows; and who answers its Services."""

from __future__ import annotations

import pytest

from meshkit.kubernetes import Manifest
from meshkit.platforms import recognise
from meshkit.platforms.recognise import Signs
from platforms import nodes

OPENSHIFT = ("apps", "security.openshift.io", "config.openshift.io")
ARN = "arn:aws:eks:eu-west-1:123456789012:cluster/prod"


@pytest.mark.parametrize(
    ("signs", "key"),
    [
        pytest.param(Signs(nodes=[nodes.AKS], version="v1.34.4"), "aks", id="AKS by its node labels"),
        pytest.param(Signs(nodes=[nodes.EKS]), "eks", id="EKS by its node groups"),
        pytest.param(Signs(nodes=[nodes.EKS_SELF_MANAGED], version="v1.34.1-eks-113cf36"), "eks", id="EKS by version"),
        pytest.param(Signs(nodes=[nodes.GKE], version="v1.34.1-gke.1829001"), "gke", id="GKE"),
        pytest.param(Signs(OPENSHIFT, nodes=[nodes.OPENSHIFT_ON_AWS]), "openshift", id="OpenShift on AWS"),
        pytest.param(Signs(nodes=[nodes.OPENSHIFT_ON_AWS]), "openshift", id="OpenShift by its nodes alone"),
        pytest.param(Signs(nodes=[nodes.K3S], version="v1.34.1+k3s1"), "k3s", id="k3s"),
        pytest.param(Signs(nodes=[nodes.K3S_ON_AWS], version="v1.34.1+k3s1"), "k3s", id="k3s on AWS's machines"),
        pytest.param(Signs(nodes=[nodes.KIND]), "kind", id="kind"),
        pytest.param(Signs(nodes=[nodes.LAB]), "lab", id="the lab"),
        pytest.param(Signs(nodes=[nodes.K3S_ON_AWS]), "aws", id="a cluster of one's own on AWS"),
        pytest.param(Signs(server="https://shop-1a2b.hcp.westeurope.azmk8s.io:443"), "aks", id="AKS by its server"),
        pytest.param(Signs(server="https://AB12.gr7.eu-west-1.eks.amazonaws.com"), "eks", id="EKS by its server"),
        pytest.param(Signs(server="https://AB12.sk1.cn-north-1.eks.amazonaws.com.cn"), "eks", id="EKS in China"),
        pytest.param(Signs(context=ARN), "eks", id="EKS by ARN"),
        pytest.param(Signs(context="arn:aws-us-gov:eks:us-gov-west-1:1:cluster/x"), "eks", id="EKS of a government"),
        pytest.param(Signs(context="me@prod.eu-west-1.eksctl.io"), "eks", id="EKS as eksctl writes it"),
        pytest.param(Signs(context="gke_shop-123_europe-west1-b_prod"), "gke", id="GKE by its context"),
        pytest.param(Signs(context="kind-dev"), "kind", id="kind by its context"),
        pytest.param(
            Signs(context="default/api-shop-example-com:6443/me"), "openshift", id="OpenShift as oc writes it"
        ),
        pytest.param(Signs(context="prod", login="/usr/bin/gke-gcloud-auth-plugin"), "gke", id="GKE by who logs in"),
        pytest.param(Signs(context="prod", server="https://[broken"), None, id="a server that is no address"),
        pytest.param(Signs(nodes=[nodes.KUBEADM], version="v1.34.4", context="prod"), None, id="nothing that tells"),
    ],
)
def test_platform(signs: Signs, key: str | None) -> None:
    """The weightiest evidence decides; none is no platform."""
    found = recognise.platform(signs)
    assert (found.key if found else None) == key


@pytest.mark.parametrize(
    ("node", "groups", "key", "answers"),
    [
        pytest.param(nodes.EKS, {"elbv2.k8s.aws", "apps"}, "aws-controller", "hostname", id="EKS with the controller"),
        pytest.param(nodes.EKS, {"eks.amazonaws.com"}, "aws-auto-mode", "hostname", id="EKS in auto mode"),
        pytest.param(nodes.EKS, {"apps"}, "aws-cloud-provider", "hostname", id="EKS without either"),
        pytest.param(nodes.AKS, {"apps"}, "azure", "address", id="AKS"),
        pytest.param(nodes.GKE, {"apps"}, "gcp", "address", id="GKE"),
        pytest.param(nodes.KUBEADM, {"apps"}, "any", "address", id="an unknown platform"),
    ],
)
def test_load_balancer(node: Manifest, groups: set[str], key: str, answers: str) -> None:
    """What is installed decides between the load balancers that a platform may have."""
    found = recognise.load_balancer(recognise.platform(Signs(groups, nodes=[node])), groups)
    assert found
    assert (found.key, found.answers) == (key, answers)


def test_kind_has_no_load_balancer() -> None:
    """Nobody answers there by default."""
    assert recognise.load_balancer(recognise.platform(Signs(nodes=[nodes.KIND])), ()) is None


def test_region_of_most_nodes() -> None:
    """A stray node elsewhere does not decide; without labels there is no region."""
    away = nodes._placed("aws:///us-east-1a/i-1", "us-east-1", "us-east-1a")
    found = recognise.platform(Signs(nodes=[nodes.EKS]))
    assert recognise.region([nodes.EKS, away, nodes.EKS], found) == "eu-west-1"
    assert recognise.region([nodes.KUBEADM], None) == ""


@pytest.mark.parametrize(
    ("context", "name"),
    [
        pytest.param(ARN, "prod", id="an ARN"),
        pytest.param("gke_shop-123_europe-west1-b_prod-eu", "prod-eu", id="GKE's form"),
        pytest.param("me@prod.eu-west-1.eksctl.io", "prod", id="eksctl's form"),
        pytest.param("prod", "", id="a name of one's own"),
    ],
)
def test_cluster_name(context: str, name: str) -> None:
    """What a platform's tool wrapped around the name is taken off again."""
    assert recognise.cluster_name(context) == name
