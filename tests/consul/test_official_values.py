"""Helm values of the official chart, and of every chart's images, compared with files that a person can read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshkit.config import from_arguments
from meshkit.consul import images, keys, linger
from meshkit.consul.values import consul_values, merge, probe_values, schedule_values
from meshkit.model import Datacenter, Federation

FEDERATION = from_arguments(["aks", "eks", "gke"], servers=3, gateways=2)
ADDRESSES = {"aks": "203.0.113.1", "eks": "gateway.eks.example", "gke": "2001:db8::1"}
CERTIFICATE = "0123456789abcdef" * 4
ARCHIVE = "mesh-probe-agent-0123456789ab"
CHARTS = Path(__file__).parents[2] / "charts"


def rendered(datacenter: Datacenter, federation: Federation = FEDERATION) -> dict[str, Any]:
    return consul_values(federation, datacenter, ADDRESSES, CERTIFICATE)


def official(version: str = "1.9.11", **options: str) -> Federation:
    """The same federation with the official chart, as it is once settled."""
    federation = from_arguments(["aks", "eks", "gke"], servers=3, gateways=2, chart_version=version, **options)
    datacenters = (replace(dc, api_server=f"https://{dc.name}.example:6443") for dc in federation.datacenters)
    return replace(federation, datacenters=tuple(datacenters))


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


def test_settings_that_the_chart_overrides_lie_in_a_folder_that_is_read_later() -> None:
    """A user's volumes stay, and are read later still."""
    federation = official()
    ours = {"type": "configMap", "name": "meshkit-server-settings", "load": True}
    theirs = {"type": "secret", "name": "licence", "load": True}
    with_theirs = replace(federation.primary, values={"server": {"extraVolumes": [theirs]}})
    assert rendered(federation.primary, federation)["server"]["extraVolumes"] == [ours]
    assert rendered(with_theirs, federation)["server"]["extraVolumes"] == [ours, theirs]
    assert "extraVolumes" not in rendered(FEDERATION.primary)["server"]


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, "hashicorp/consul:1.22.7"),
        ({"global": {"image": "mirror.example/consul:1.22.7"}}, "mirror.example/consul:1.22.7"),
        ({"server": {"image": "mirror.example/server:1"}}, "mirror.example/server:1"),
    ],
    ids=["the chart's", "the user's", "the servers' own"],
)
def test_a_server_that_has_ended_leaves_its_network_for_a_while(values: dict[str, Any], image: str) -> None:
    """By a container of the servers' image, after the user's own and never twice; OpenShift chooses its user."""
    federation, theirs = official(), {"name": "theirs", "image": "theirs"}
    primary = replace(federation.primary, values=values)
    (ours,) = rendered(primary, federation)["server"]["extraContainers"]
    assert (ours["name"], ours["image"], ours["securityContext"]["runAsUser"]) == ("linger", image, 100)

    beside = replace(primary, values=merge(values, {"server": {"extraContainers": [theirs, ours]}}))
    assert rendered(beside, federation)["server"]["extraContainers"] == [theirs, ours]
    openshift = replace(primary, values=merge(values, {"global": {"openshift": {"enabled": True}}}))
    assert "runAsUser" not in rendered(openshift, federation)["server"]["extraContainers"][0]["securityContext"]


def test_both_charts_keep_a_network_in_the_same_way() -> None:
    """The light chart has the container in its template."""
    text = (CHARTS / "consul/templates/server-statefulset.yaml").read_text(encoding="utf-8")
    assert f'[/bin/sh, -c, "{linger.container("", user=None)["command"][2]}"]' in text


def test_a_consul_that_an_upgrade_has_brought() -> None:
    """Servers and probe have it, also where the chart is newer than those known."""
    federation = official("1.9.14", image_registry="mirror.example")
    primary = replace(federation.primary, consul_version="1.22.9")
    assert rendered(primary, federation)["global"]["image"] == "mirror.example/hashicorp/consul:1.22.9"
    assert probe_values(federation, primary, ARCHIVE)["imageConsul"] == "mirror.example/hashicorp/consul:1.22.9"
