"""Datacenter names that contexts get."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.config import datacenter_name
from meshkit.config.names import is_legal

CASES = {
    "a short name stays": ("aks", "aks"),
    "a kind cluster stays": ("kind-aks", "kind-aks"),
    "an EKS ARN gives the cluster": ("arn:aws:eks:eu-west-1:1234:cluster/prod", "prod"),
    "an EKS ARN of another partition gives the cluster": ("arn:aws-cn:eks:cn-north-1:1234:cluster/Prod_2", "prod-2"),
    "a GKE context gives the cluster": ("gke_my-project_europe-west1-b_shop", "shop"),
    "an eksctl context gives the cluster": ("user@prod.eu-west-1.eksctl.io", "prod"),
    "an OpenShift context gives the host": ("default/api-foo-example-com:6443/kube:admin", "api-foo-example-com"),
    "a kubeadm context gives what is behind the at sign": ("kubernetes-admin@kubernetes", "kubernetes"),
    "dots become dashes": ("prod.k8s.example.com", "prod-k8s-example-com"),
    "upper case becomes lower case": ("AKS_Prod", "aks-prod"),
    "an accent is dropped, not its letter": ("düsseldorf", "dusseldorf"),
}


@pytest.mark.parametrize(("context", "expected"), CASES.values(), ids=CASES.keys())
def test_datacenter_name_takes_what_a_person_calls_the_cluster(context: str, expected: str) -> None:
    """The part of a context that the clouds' tools generate around the cluster's name is dropped."""
    assert datacenter_name(context) == expected


def test_long_contexts_with_a_common_beginning_stay_different() -> None:
    """Cutting alone would make one datacenter of two."""
    assert datacenter_name("a" * 60 + "-blue") != datacenter_name("a" * 60 + "-green")


def test_contexts_without_a_latin_letter_stay_different() -> None:
    """Nothing legal is left of them, so a hash tells them apart."""
    assert datacenter_name("кластер") != datacenter_name("кластеры")


@given(st.text())
def test_every_context_gets_a_legal_name(context: str) -> None:
    """Whatever stands in a kubeconfig, and the same context always gets the same name."""
    assert is_legal(datacenter_name(context))
    assert datacenter_name(context) == datacenter_name(context)


@given(st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?\Z"))
def test_legal_names_keep_their_length_and_letters(name: str) -> None:
    """What is legal is not changed, apart from dashes in a row."""
    assert datacenter_name(name).replace("-", "") == name.replace("-", "")


@pytest.mark.parametrize("name", ["", "a.b", "A", "a_b", "-a", "a-", "a" * 41, "a\n", "é"])
def test_names_that_would_break_dns_or_consul_are_not_legal(name: str) -> None:
    """Dots split WAN names, the others are no DNS labels."""
    assert not is_legal(name)
