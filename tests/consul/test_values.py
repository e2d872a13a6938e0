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
from meshkit.consul import images, keys
from meshkit.consul.names import TOKENS
from meshkit.consul.values import consul_values, merge, probe_values, schedule_values, upstream_ports
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


def official(version: str = "1.9.11", **options: str) -> Federation:
    """The same federation with the official chart, as it is once settled."""
    federation = from_arguments(["aks", "eks", "gke"], servers=3, gateways=2, chart_version=version, **options)
    datacenters = (replace(dc, api_server=f"https://{dc.name}.example:6443") for dc in federation.datacenters)
    return replace(federation, datacenters=tuple(datacenters))


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


@pytest.mark.parametrize("version", ["1.9.11", "2.0.3"])
@pytest.mark.parametrize("name", ["aks", "eks"], ids=["primary", "secondary"])
def test_values_of_the_official_chart(golden: Callable[[str, str], None], name: str, version: str) -> None:
    """The whole document for each version, and not one key that this version does not know."""
    federation = official(version)
    datacenter = next(dc for dc in federation.datacenters if dc.name == name)
    values = rendered(datacenter, federation)
    assert not list(keys.unknown(values, version))
    kind = "primary" if datacenter.primary else "secondary"
    golden(f"consul-values-official-{version}-{kind}.yaml", yaml.safe_dump(values, sort_keys=False))


def test_a_registry_stands_in_the_place_of_every_other(golden: Callable[[str, str], None]) -> None:
    """For both kinds of chart and for the probe; the names below it stay."""
    versions = {version: official(version, image_registry="mirror.example/hub") for version in ("1.9.11", "2.0.3")}
    light = replace(FEDERATION, image_registry="mirror.example/hub")
    found = {kind: _images(rendered(federation.primary, federation)) for kind, federation in versions.items()}
    found["light"] = _images(rendered(light.primary, light))
    found["probe"] = _images(probe_values(light, light.primary, ARCHIVE))
    found["probe of 2.0.3"] = _images(probe_values(versions["2.0.3"], light.primary, ARCHIVE))
    found["schedule"] = _images(schedule_values(light, light.primary, ARCHIVE))
    assert not list(keys.unknown(rendered(versions["2.0.3"].primary, versions["2.0.3"]), "2.0.3"))
    golden("images-registry.yaml", yaml.safe_dump(found, sort_keys=False))


def _images(values: Any) -> dict[str, str]:
    """Every image that values name, by its key."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= {f"{key}.{below}": image for below, image in _images(value).items()}
        elif key.startswith("image") and key != "imagePullPolicy":
            found[key] = value
    return found


def test_own_images_are_those_of_the_charts() -> None:
    """What a registry takes the place of is what the charts would run."""
    light = yaml.safe_load((CHARTS / "consul" / "values.yaml").read_text())["global"]
    probe = yaml.safe_load((CHARTS / "mesh-probe" / "values.yaml").read_text())
    named = [f"docker.io/{name}" for name in (images.CONSUL, images.ENVOY, images.PYTHON)]
    assert [light["image"], light["imageEnvoy"]] == named[:2]
    assert [probe["imageConsul"], probe["image"], probe["imagePython"]] == named


def test_the_probe_beside_the_official_chart_has_its_consul() -> None:
    """The Consul that writes the sidecar's bootstrap is the servers' own."""
    federation = official("2.0.3")
    values = probe_values(federation, federation.primary, ARCHIVE)
    assert values["imageConsul"] == "docker.io/hashicorp/consul:2.0.3"


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        pytest.param(None, {"disable_update_check": True, "retry_interval_wan": "3s"}, id="nothing"),
        pytest.param(
            '{"retry_interval_wan": "9s", "log_json": true}',
            {"disable_update_check": True, "retry_interval_wan": "9s", "log_json": True},
            id="settings of their own",
        ),
    ],
)
def test_consuls_own_settings_are_joined(theirs: str | None, expected: dict[str, Any]) -> None:
    """They are a text, so the user's would take the place of those that federation needs."""
    federation = official()
    eks = replace(federation.secondaries[0], values={"server": {"extraConfig": theirs}})
    assert json.loads(rendered(eks, federation)["server"]["extraConfig"]) == expected


@pytest.mark.parametrize("theirs", ["log_json = true", "[]", "{"])
def test_settings_that_are_no_json_object_stay_as_they_are(theirs: str) -> None:
    """Preflight refuses them; nothing is made up here."""
    federation = official()
    eks = replace(federation.secondaries[0], values={"server": {"extraConfig": theirs}})
    assert rendered(eks, federation)["server"]["extraConfig"] == theirs


@pytest.mark.parametrize("version", ["1.9.11", "2.0.3"])
def test_what_a_platform_needs(version: str) -> None:
    """OpenShift's switch is set for the official chart, whose keys it is one of, and the user's own word wins."""
    federation = official(version)
    datacenter = replace(federation.primary, platform="openshift")
    found = rendered(datacenter, federation)
    assert found["global"]["openshift"] == {"enabled": True}
    assert not list(keys.unknown(found, version))
    own = replace(datacenter, values={"global": {"openshift": {"enabled": False}}})
    assert rendered(own, federation)["global"]["openshift"] == {"enabled": False}
    assert "openshift" not in rendered(federation.primary, federation)["global"]
    assert "openshift" not in rendered(replace(FEDERATION.primary, platform="openshift"))["global"]


def test_nothing_of_the_official_chart_is_throttled() -> None:
    """A null takes a default away in Helm; what a site sets itself stands."""
    federation = official()
    values = rendered(federation.primary, federation)
    for part in (values["server"], values["meshGateway"], values["connectInject"], values["global"]["acls"]):
        assert part["resources"] == {"limits": {"cpu": None}}
    theirs = {"server": {"resources": {"limits": {"cpu": "2"}}}}
    values = rendered(replace(federation.primary, values=theirs), federation)
    assert values["server"]["resources"] == {"limits": {"cpu": "2"}}


def test_the_ca_key_stays_out() -> None:
    """Neither chart gets it, so no job of the official one can hand it on."""
    for federation in (FEDERATION, official()):
        for dc in federation.datacenters:
            values = rendered(dc, federation)
            assert "caKey" not in values["global"]["tls"]
            assert "createFederationSecret" not in values["global"]["federation"]
            assert values["server"]["serverCert"]


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
