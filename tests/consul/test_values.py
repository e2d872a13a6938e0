"""Helm values: one rendering, compared with files that a person can read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from meshkit.config import from_arguments
from meshkit.consul.names import TOKENS
from meshkit.consul.values import at, consul_values, merge, probe_values, upstream_ports
from meshkit.model import Datacenter, Federation

FEDERATION = from_arguments(["aks", "eks", "gke"], servers=3, gateways=2)
ADDRESSES = {"aks": "203.0.113.1", "eks": "gateway.eks.example", "gke": "2001:db8::1"}
CERTIFICATE = "0123456789abcdef" * 4
ARCHIVE = "mesh-probe-agent-0123456789ab"
CHARTS = Path(__file__).parents[2] / "charts"
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def rendered(datacenter: Datacenter, federation: Federation = FEDERATION) -> dict[str, Any]:
    return consul_values(federation, datacenter, ADDRESSES, CERTIFICATE)


def overlaid(values: dict[str, Any]) -> dict[str, Any]:
    """The values of datacenter eks with a user's laid over them."""
    changed = replace(FEDERATION.datacenters[1], values=values)
    return rendered(changed, replace(FEDERATION, datacenters=(FEDERATION.primary, changed)))


@pytest.mark.parametrize("name", ["aks", "eks"], ids=["primary", "secondary"])
def test_consul_values_are_those_in_the_golden_file(golden: Callable[[str, str], None], name: str) -> None:
    """The whole document, as Helm gets it."""
    datacenter = next(dc for dc in FEDERATION.datacenters if dc.name == name)
    kind = "primary" if datacenter.primary else "secondary"
    golden(f"consul-values-{kind}.yaml", yaml.safe_dump(rendered(datacenter), sort_keys=False))


def test_probe_values_are_those_in_the_golden_file(golden: Callable[[str, str], None]) -> None:
    """With a port for each other datacenter."""
    values = probe_values(FEDERATION, FEDERATION.primary, ARCHIVE)
    golden("probe-values.yaml", yaml.safe_dump(values, sort_keys=False))


def test_the_probe_comes_from_where_the_users_images_come_from(golden: Callable[[str, str], None]) -> None:
    """A site without internet, or with a registry of its own, names it once, for the Consul release."""
    theirs = {
        "image": "registry.example/consul:1.22.7",
        "imageEnvoy": "registry.example/envoy:v1.36.4",
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{"name": "registry"}],
        "logLevel": "debug",
    }
    values = probe_values(FEDERATION, replace(FEDERATION.primary, values={"global": theirs}), ARCHIVE)
    assert unknown(values, schema("mesh-probe"), schema("mesh-probe")) == []
    golden("probe-values-registry.yaml", yaml.safe_dump(values, sort_keys=False))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="no values"),
        pytest.param({"global": None}, id="nothing in global"),
        pytest.param({"global": {"image": None, "imagePullPolicy": ""}}, id="the official chart's empty defaults"),
        pytest.param({"server": {"image": "registry.example/consul:1"}}, id="an image of the servers alone"),
    ],
)
def test_the_probes_own_images_stay(values: dict[str, Any]) -> None:
    """What the user does not set for everything is left to the probe's chart."""
    assert not {"image", "imageConsul", "imagePullPolicy", "imagePullSecrets"} & set(
        probe_values(FEDERATION, replace(FEDERATION.primary, values=values), ARCHIVE)
    )


def test_the_users_values_for_the_probe_lie_over_meshkits_own() -> None:
    """Key by key; the agent's program stays the one of this meshkit."""
    theirs = {"agent": {"netRaw": True}, "networkPolicies": {"apiServerCIDRs": ["10.0.0.0/16"]}}
    values = probe_values(FEDERATION, replace(FEDERATION.primary, probe=theirs), ARCHIVE)
    assert values["agent"] == {"archive": ARCHIVE, "federation": "mesh", "netRaw": True}
    assert values["networkPolicies"] == {"apiServerCIDRs": ["10.0.0.0/16"]}
    assert unknown(values, schema("mesh-probe"), schema("mesh-probe")) == []


def test_every_key_is_one_that_the_charts_know() -> None:
    """The charts' own schemas refuse unknown keys, but only once Helm runs."""
    for dc in FEDERATION.datacenters:
        assert unknown(rendered(dc), schema("consul"), schema("consul")) == []
        assert unknown(probe_values(FEDERATION, dc, ARCHIVE), schema("mesh-probe"), schema("mesh-probe")) == []


def schema(chart: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((CHARTS / chart / "values.schema.json").read_text())
    return loaded


def unknown(values: Any, part: dict[str, Any], root: dict[str, Any]) -> list[str]:
    """Keys of mappings that a schema does not list, by following its properties and references."""
    if "$ref" in part:
        part = root["definitions"][part["$ref"].rpartition("/")[2]]
    if not isinstance(values, dict) or "properties" not in part:
        return []
    found = [key for key in values if key not in part["properties"]]
    below = [unknown(value, part["properties"].get(key, {}), root) for key, value in values.items()]
    return found + [key for keys in below for key in keys]


def test_the_management_token_is_in_the_primary_alone() -> None:
    """It rules the whole federation."""
    assert TOKENS["bootstrap"] in json.dumps(rendered(FEDERATION.primary))
    for secondary in FEDERATION.secondaries:
        assert TOKENS["bootstrap"] not in json.dumps(rendered(secondary))
        assert TOKENS["replication"] in json.dumps(rendered(secondary))


def test_only_secondaries_dial_the_primary() -> None:
    """Components of the official chart log in at the wrong place when the primary names itself."""
    assert rendered(FEDERATION.primary)["global"]["federation"] == {"enabled": True}
    assert rendered(FEDERATION.secondaries[0])["global"]["federation"] == {
        "enabled": True,
        "primaryDatacenter": "aks",
        "primaryGateways": ["203.0.113.1:443"],
    }


def test_an_ipv6_gateway_is_put_in_brackets() -> None:
    """Otherwise its port would be part of the address."""
    federation = from_arguments(["gke", "aks"])
    values = rendered(federation.secondaries[0], federation)
    assert values["global"]["federation"]["primaryGateways"] == ["[2001:db8::1]:443"]


def test_a_users_values_win_and_the_others_stay() -> None:
    """Key by key."""
    values = overlaid(
        {"server": {"storage": "20Gi", "resources": {"limits": {"memory": "1Gi"}}}, "dns": {"enabled": False}}
    )
    assert (values["server"]["storage"], values["server"]["replicas"], values["dns"]) == ("20Gi", 3, {"enabled": False})


def test_a_new_certificate_rolls_the_servers_under_any_annotations() -> None:
    """Annotations are a text, so the user's would take the place of the one that changes."""
    for theirs, expected in (
        ('"team": "storage"', {"team": "storage"}),
        ("a: b\nc: d\n\n", {"a": "b", "c": "d"}),
        ("", {}),
        (None, {}),
    ):
        text = overlaid({"server": {"annotations": theirs}})["server"]["annotations"]
        assert yaml.safe_load(text) == {**expected, "meshkit.dev/server-certificate": CERTIFICATE[:32]}


@pytest.mark.parametrize("server", [None, "x", []], ids=["nothing", "a text", "a list"])
def test_a_server_that_is_no_mapping_is_left_to_the_charts_schema(server: Any) -> None:
    """It says so by name; there is nothing to add here."""
    assert overlaid({"server": server})["server"] == server


def test_each_other_datacenter_has_its_port() -> None:
    """The same place in the federation gives the same port in every datacenter."""
    ports = {dc.name: {o.name: p for o, p in upstream_ports(FEDERATION, dc).items()} for dc in FEDERATION.datacenters}
    assert ports == {
        "aks": {"eks": 9102, "gke": 9103},
        "eks": {"aks": 9101, "gke": 9103},
        "gke": {"aks": 9101, "eks": 9102},
    }


@given(MAPPINGS, MAPPINGS)
def test_merge_is_helms(base: dict[str, Any], over: dict[str, Any]) -> None:
    """Mappings meet key by key, everything else is replaced whole; neither side is changed."""
    before = json.dumps([base, over])
    merged = merge(base, over)
    assert set(merged) == set(base) | set(over)
    for key, value in merged.items():
        if isinstance(base.get(key), dict) and isinstance(over.get(key), dict):
            assert value == merge(base[key], over[key])
        else:
            assert value == (over[key] if key in over else base[key])
    assert json.dumps([base, over]) == before


@given(MAPPINGS)
def test_merging_again_changes_nothing(base: dict[str, Any]) -> None:
    """And nothing laid over something is that something."""
    assert merge(base, base) == base == merge(base, {}) == merge({}, base)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("server.affinity", None),
        ("server.replicas", 0),
        ("server.replicas.more", None),
        ("client.enabled", None),
    ],
)
def test_a_value_by_its_path(path: str, expected: object) -> None:
    """What is there, be it nothing; no path leads through what holds no others."""
    assert at({"server": {"affinity": None, "replicas": 0}}, path) == expected
