"""What is wrong with the official chart's values is said before anything is touched."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from fakes.federation import FakeFederation, officially
from meshkit.errors import CombinedError, MeshkitError
from meshkit.federation import chart_check, runner
from meshkit.federation.steps import preflight


@pytest.fixture
def world() -> FakeFederation:
    """Two clusters that nothing has touched yet, to get the official chart."""
    made = FakeFederation()
    made.federation = officially(made.federation)
    return made


def change(world: FakeFederation, **changes: Any) -> None:
    """Describe the secondary otherwise."""
    aks, eks = world.federation.datacenters
    world.federation = replace(world.federation, datacenters=(aks, replace(eks, **changes)))


def found(world: FakeFederation) -> list[tuple[str, str]]:
    return [(problem.message, problem.hint) for problem in chart_check.problems(world.context())]


def test_nothing_is_wrong(world: FakeFederation) -> None:
    """What meshkit renders by itself is known to the chart."""
    assert found(world) == []


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a typo": (
        {"values": {"server": {"storge": "1Gi"}}},
        "datacenters.eks.values.server.storge: the official chart 1.9.11 has no such value",
        "did you mean server.storage?",
    ),
    "a key of the light chart": (
        {"values": {"networkPolicies": {"enabled": True}}},
        "datacenters.eks.values.networkPolicies: the official chart 1.9.11 has no such value",
        "values.yaml",
    ),
    "a switch for a part of the chart": (
        {"values": {"server": True}},
        "datacenters.eks.values.server: expected a mapping of Helm values",
        "the official chart 1.9.11 has keys below it",
    ),
    "a switch below a part": (
        {"values": {"connectInject": {"apiGateway": True}}},
        "datacenters.eks.values.connectInject.apiGateway: expected a mapping of Helm values",
        "the official chart 1.9.11 has keys below it",
    ),
    "a number for resources": (
        {"values": {"server": {"resources": {"requests": 5}}}},
        "datacenters.eks.values.server.resources.requests: expected a mapping of Helm values",
        "the official chart 1.9.11 has keys below it",
    ),
    "settings that are no JSON": (
        {"values": {"server": {"extraConfig": "log_json = true"}}},
        "datacenters.eks.values.server.extraConfig is no JSON object",
        "log_json",
    ),
    "settings that are a list": (
        {"values": {"server": {"extraConfig": "[]"}}},
        "datacenters.eks.values.server.extraConfig is no JSON object",
        "log_json",
    ),
    "another domain": (
        {"values": {"global": {"domain": "mesh"}}},
        "datacenters.eks.values.global.domain: meshkit's certificates are for the domain consul alone",
        "leave it out",
    ),
    "names of the certificate that are no list": (
        {"values": {"global": {"tls": {"serverAdditionalDNSSANs": "consul.example.com"}}}},
        "datacenters.eks.values.global.tls.serverAdditionalDNSSANs: expected a list of DNS names",
        "names of the server certificate",
    ),
    "a name of the certificate that is none": (
        {"values": {"global": {"tls": {"serverAdditionalDNSSANs": ["https://consul.example.com"]}}}},
        "datacenters.eks.values.global.tls.serverAdditionalDNSSANs: expected a list of DNS names",
        "names of the server certificate",
    ),
    "an address of the certificate that is none": (
        {"values": {"global": {"tls": {"serverAdditionalIPSANs": ["consul.example.com"]}}}},
        "datacenters.eks.values.global.tls.serverAdditionalIPSANs: expected a list of IP addresses",
        "names of the server certificate",
    ),
    "an API server that nobody else reaches": (
        {"api_server": ""},
        "eks: the kubeconfig's address of its API server is this machine's own; the primary's servers need another",
        "datacenters.eks.k8sAuthMethodHost",
    ),
}


@pytest.mark.parametrize(("changes", "message", "hint"), WRONG.values(), ids=WRONG.keys())
def test_a_description_that_does_not_fit(
    world: FakeFederation, changes: dict[str, Any], message: str, hint: str
) -> None:
    """Each with the key that it is about, and none is more than the preflight's other rules can read."""
    change(world, **changes)
    ((said, advice),) = found(world)
    assert said == message
    assert hint in advice
    with pytest.raises(MeshkitError, match=re.escape(message)):
        preflight.plan(world.context())


def test_names_that_the_certificate_gets(world: FakeFederation) -> None:
    """The chart's own domain, and names of one's own."""
    tls = {"serverAdditionalDNSSANs": ["consul.example.com", "*.example.com"], "serverAdditionalIPSANs": ["::1"]}
    change(world, values={"global": {"domain": "consul", "tls": tls}})
    assert found(world) == []


def test_the_primary_needs_no_address_of_its_api_server(world: FakeFederation) -> None:
    """Its servers ask their own."""
    aks, eks = world.federation.datacenters
    world.federation = replace(world.federation, datacenters=(replace(aks, api_server=""), eks))
    assert found(world) == []


def test_a_registry_needs_to_know_the_image(world: FakeFederation) -> None:
    """Which Consul a later chart installs is not known, so that image has to be named, unless an upgrade brought it."""
    later = {"chart_version": "1.9.99", "chart_path": "", "image_registry": "mirror.example"}
    world.federation = replace(world.federation, **later)  # type: ignore[arg-type]
    described = [list(chart_check.described(world.federation, dc)) for dc in world.federation.datacenters]
    assert ["image of Consul" in problem.message for (problem,) in described] == [True, True]
    change(world, values={"global": {"image": "mirror.example/consul:1.22.9"}})
    assert list(chart_check.described(world.federation, world.federation.secondaries[0])) == []
    upgraded = replace(world.federation.primary, consul_version="1.22.9")
    assert list(chart_check.described(world.federation, upgraded)) == []


@pytest.mark.parametrize(
    ("text", "values", "hint"),
    [
        pytest.param(
            "If global.federation.enabled is true, global.tls.enabled must be true",
            {"global": {"tls": {"enabled": False}}},
            "set by datacenters.eks.values.global.tls.enabled",
            id="the user's key is named",
        ),
        pytest.param(
            "x must be true",
            {},
            "see datacenters.eks.values; the chart checks in consul/templates",
            id="else the place",
        ),
    ],
)
def test_values_that_the_chart_refuses(world: FakeFederation, text: str, values: dict[str, Any], hint: str) -> None:
    """The chart's own words; nothing is touched in any cluster."""
    change(world, values=values)
    world.wan.helms["eks"].refuses = text
    with pytest.raises(MeshkitError) as raised:
        runner.run(world.context())
    assert raised.value.message == f"eks: the chart refuses its values: {text}"
    assert raised.value.hint.startswith(hint)
    assert [cluster.list("Secret") for cluster in world.clusters.values()] == [[], []]


def test_all_problems_come_at_once(world: FakeFederation) -> None:
    """Those of values beside those of clusters."""
    change(world, values={"zzz": 1, "server": {"replicsa": 1}})
    world.clusters["aks"].faults.unreachable = True
    with pytest.raises(CombinedError) as raised:
        preflight.plan(world.context())
    assert len(raised.value.errors) == 3


def test_an_error_of_helm_names_its_datacenter(world: FakeFederation) -> None:
    """A chart that can't be had is a problem of each datacenter that needs it."""
    world.federation = replace(world.federation, chart_path="")
    messages = [message for message, _ in found(world)]
    assert messages == [
        f"{name}: https://helm.releases.hashicorp.com has no chart consul 1.9.11" for name in ("aks", "eks")
    ]


def test_what_is_installed_is_not_rendered_again(world: FakeFederation) -> None:
    """Rendering takes seconds; a run that changes nothing is quick."""
    runner.run(world.context())
    for helm in world.wan.helms.values():
        helm.refuses = "would be seen"
    assert found(world) == []
    change(world, values={"server": {"logLevel": "debug"}})
    assert [message for message, _ in found(world)] == ["eks: the chart refuses its values: would be seen"]


def test_the_light_chart_has_a_schema() -> None:
    """Helm says of it what is wrong; nothing is asked here."""
    light = FakeFederation()
    for helm in light.wan.helms.values():
        helm.refuses = "would be seen"
    assert list(chart_check.problems(light.context())) == []
