"""Where an upgrade leads: versions that exist and belong together, and how a datacenter is described there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.federation import FakeFederation, described, official_chart
from meshkit.errors import UsageError
from meshkit.federation.state import State
from meshkit.federation.upgrade import target
from meshkit.federation.upgrade.target import Target
from meshkit.model import Federation

LIGHT = described()
OFFICIAL = replace(LIGHT, chart="hashicorp", chart_version="1.9.7")
FROM_A_PATH = replace(OFFICIAL, chart_path="/srv/consul-1.9.7.tgz")


@pytest.fixture
def resolve(tmp_path: Path) -> Callable[..., Target]:
    """The target of a federation's options; the repository has a chart that is newer than those known."""
    mesh, newer = FakeFederation(), official_chart(tmp_path, "1.9.14", "1.22.9")
    for helm in mesh.wan.helms.values():
        helm.repository["1.9.14"] = newer

    def resolved(federation: Federation, *options: str) -> Target:
        mesh.federation = federation
        return target.resolve(mesh.context(), *options)

    return resolved


@pytest.mark.parametrize(
    ("federation", "options", "leads_to"),
    [
        pytest.param(LIGHT, ("1.22.8", "", ""), Target("1.22.8"), id="the light chart takes any image"),
        pytest.param(OFFICIAL, ("1.22.7", "", ""), Target("1.22.7", "1.9.11"), id="the newest chart of a Consul"),
        pytest.param(OFFICIAL, ("", "2.0.3", ""), Target("2.0.3", "2.0.3"), id="the Consul of a chart"),
        pytest.param(OFFICIAL, ("1.22.7", "1.9.9", ""), Target("1.22.7", "1.9.9"), id="both, and they agree"),
        pytest.param(OFFICIAL, ("", "1.9.14", ""), Target("1.22.9", "1.9.14"), id="the Consul that a newer chart says"),
        pytest.param(OFFICIAL, ("1.22.9", "1.9.14", ""), Target("1.22.9", "1.9.14"), id="a newer patch of both"),
        pytest.param(
            FROM_A_PATH, ("", "1.9.11", "/srv/b.tgz"), Target("1.22.7", "1.9.11", "/srv/b.tgz"), id="an archive"
        ),
    ],
)
def test_resolve(
    resolve: Callable[..., Target], federation: Federation, options: tuple[str, str, str], leads_to: Target
) -> None:
    """Version, chart and path as the options, the data file and a newer chart have them."""
    assert resolve(federation, *options) == leads_to


@pytest.mark.parametrize("said", ["", "latest"], ids=["nothing", "no version"])
def test_a_newer_chart_that_does_not_say_its_consul(resolve: Callable[..., Target], tmp_path: Path, said: str) -> None:
    """Nothing is guessed: it has to be said."""
    path = str(official_chart(tmp_path, "1.9.15", said))
    with pytest.raises(UsageError, match=r"1\.9\.15 does not say which Consul") as raised:
        resolve(OFFICIAL, "", "1.9.15", path)
    assert "--consul-version" in raised.value.hint
    assert resolve(OFFICIAL, "1.22.9", "1.9.15", path) == Target("1.22.9", "1.9.15", path)


@pytest.mark.parametrize(
    ("federation", "options", "says"),
    [
        pytest.param(LIGHT, ("", "", ""), "to which version", id="nothing named"),
        pytest.param(OFFICIAL, ("", "", ""), "to which version", id="nothing named, official"),
        pytest.param(LIGHT, ("latest", "", ""), "latest is no version", id="a word"),
        pytest.param(LIGHT, ("1.22", "", ""), "1.22 is no version", id="a series"),
        pytest.param(
            LIGHT, ("1.22.8", "1.9.11", ""), "the light chart comes with meshkit", id="a chart version, light"
        ),
        pytest.param(OFFICIAL, ("1.22.99", "", ""), "no official chart", id="a Consul that no chart installs"),
        pytest.param(OFFICIAL, ("", "1.0.0", ""), "not known to work", id="an unknown chart"),
        pytest.param(OFFICIAL, ("1.22.0", "1.9.11", ""), "installs Consul 1.22.7, not 1.22.0", id="two that disagree"),
        pytest.param(
            OFFICIAL, ("1.22.8", "1.9.14", ""), "installs Consul 1.22.9, not", id="a newer chart's is another"
        ),
        pytest.param(FROM_A_PATH, ("1.22.7", "", ""), "the chart came from /srv", id="no archive for the new chart"),
    ],
)
def test_refused(
    resolve: Callable[..., Target], federation: Federation, options: tuple[str, str, str], says: str
) -> None:
    """A wrong call, with a hint, before any cluster is looked at."""
    with pytest.raises(UsageError, match=says) as raised:
        resolve(federation, *options)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("federation", "aim", "words"),
    [
        pytest.param(LIGHT, Target("1.22.8"), "--consul-version 1.22.8", id="the light chart has no version"),
        pytest.param(OFFICIAL, Target("1.22.7", "1.9.9"), "--chart-version 1.9.9", id="one of several charts"),
        pytest.param(
            OFFICIAL, Target("1.22.7", "1.9.9", "/my charts/c.tgz"), "--chart '/my charts/c.tgz'", id="a path"
        ),
        pytest.param(
            replace(LIGHT, name="shop"), Target("1.22.8"), "--consul-version 1.22.8 --federation shop", id="by name"
        ),
    ],
)
def test_command(federation: Federation, aim: Target, words: str) -> None:
    """What a hint says leads to the same target."""
    assert target.command(federation, aim) == f"meshkit upgrade {words}"


def test_by_gitops() -> None:
    """Clusters are named, with their names where the contexts have others; the light chart has an image alone."""
    aks, eks = OFFICIAL.datacenters
    federation = replace(OFFICIAL, datacenters=(aks, replace(eks, context="my eks")))
    hint = target.by_gitops(federation, Target("2.0.3", "2.0.3"))
    assert hint.startswith("meshkit federate --gitops aks 'eks=my eks' --chart-version 2.0.3, or ")
    assert target.by_gitops(LIGHT, Target("1.22.8")).startswith("values.global.image in mesh.yaml; ")


def test_command_on_a_machine_that_knows_several() -> None:
    """Each has to be named there, also the one with the usual name."""
    for name in ("mesh", "shop"):
        State(name).save_identity(replace(LIGHT, name=name))
    assert target.command(LIGHT, Target("1.22.8")) == "meshkit upgrade --consul-version 1.22.8 --federation mesh"


@pytest.mark.parametrize(
    ("federation", "values", "image"),
    [
        pytest.param(LIGHT, {}, "docker.io/hashicorp/consul:1.22.8", id="the light chart's own image"),
        pytest.param(
            replace(LIGHT, image_registry="registry.example:5000/mirror"),
            {},
            "registry.example:5000/mirror/hashicorp/consul:1.22.8",
            id="the registry of the federation",
        ),
        pytest.param(
            LIGHT, {"global": {"image": "registry.example:5000/consul"}}, "registry.example:5000/consul:1.22.8",
            id="an image of the user's without a tag",
        ),
        pytest.param(
            OFFICIAL, {"global": {"image": "registry.example/consul:1.22.7"}}, "registry.example/consul:1.22.8",
            id="an image of the user's, official chart",
        ),
        pytest.param(OFFICIAL, {}, None, id="the official chart brings its own"),
    ],
)  # fmt: skip
def test_brought(federation: Federation, values: dict[str, Any], image: str | None) -> None:
    """The image is retagged where one has to be named; all other values stay."""
    values = {"server": {"storage": "20Gi"}} | values
    datacenter = replace(federation.primary, values=values)
    found = target.brought(federation, datacenter, Target("1.22.8", "1.9.12"))
    assert found.values.get("global", {}).get("image") == image
    assert found.values["server"] == {"storage": "20Gi"}
    assert (found.consul_version, found.chart_version) == ("1.22.8", "1.9.12")


def test_every_image_of_the_user_goes_along() -> None:
    """A mirror that is named image by image is named so afterwards, in the new versions."""
    images = {"image": "r/consul:1.22.7", "imageK8S": "r/k8s:1.9.7", "imageConsulDataplane": "r/dataplane:1.9.7"}
    datacenter = replace(OFFICIAL.primary, values={"global": images})
    found = target.brought(OFFICIAL, datacenter, Target("2.0.3", "2.0.3")).values["global"]
    assert found == {"image": "r/consul:2.0.3", "imageK8S": "r/k8s:2.0.3", "imageConsulDataplane": "r/dataplane:2.0.3"}


def test_digest() -> None:
    """An image by digest has no tag to change."""
    datacenter = replace(LIGHT.primary, values={"global": {"image": "consul@sha256:abc"}})
    with pytest.raises(UsageError, match="by its digest"):
        target.brought(LIGHT, datacenter, Target("1.22.8"))


def test_finished() -> None:
    """When all are there the chart is the federation's again, so that a cluster that joins gets it."""
    aim = Target("2.0.3", "2.0.3")
    moved = replace(OFFICIAL, datacenters=tuple(target.brought(OFFICIAL, dc, aim) for dc in OFFICIAL.datacenters))
    assert moved.seen_from(moved.primary).chart_version == "2.0.3"
    found = target.finished(moved, aim)
    assert found.chart_version == "2.0.3"
    assert {dc.chart_version for dc in found.datacenters} == {""}
    assert {dc.consul_version for dc in found.datacenters} == {"2.0.3"}
