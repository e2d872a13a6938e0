"""Helm itself with a chart like the official one: what it refuses, and how the chart is got."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from charts.rendering import ADDRESSES, FINGERPRINT
from fakes.federation import OFFICIAL, described, officially
from meshkit.backends.helm import HelmClient
from meshkit.consul import keys
from meshkit.consul.values import consul_values, merge
from meshkit.errors import MeshkitError, UnreachableError
from meshkit.federation import chart_check, charts
from meshkit.lab import toolchain

FEDERATION = officially(described())
EKS = FEDERATION.secondaries[0]


@pytest.fixture(scope="module")
def helm() -> HelmClient:
    """The real one; no cluster is asked for anything here."""
    return HelmClient("eks", executable=str(toolchain.tool("helm")))


def values(**theirs: Any) -> dict[str, Any]:
    """What meshkit gives the secondary, with a user's laid over."""
    return merge(consul_values(FEDERATION, EKS, ADDRESSES, FINGERPRINT), theirs)


def test_the_stand_in_knows_what_the_chart_knows() -> None:
    """It would prove nothing if it had keys of its own."""
    given = yaml.safe_load((OFFICIAL / "values.yaml").read_text())
    assert not list(keys.unknown(given, "1.9.11"))


def test_what_meshkit_renders_is_taken(helm: HelmClient) -> None:
    """By a chart with the official one's keys and rules."""
    helm.check("consul", "consul", OFFICIAL, values())


def test_a_rule_that_fails_names_the_key(helm: HelmClient) -> None:
    """Helm's own form of a chart's fail is understood."""
    theirs = {"global": {"tls": {"enabled": False}}}
    with pytest.raises(MeshkitError) as raised:
        helm.check("consul", "consul", OFFICIAL, values(**theirs))
    told = chart_check.refused(replace(EKS, values=theirs), raised.value)
    assert told.message == (
        "eks: the chart refuses its values: If global.federation.enabled is true, global.tls.enabled must be true "
        "because federation is only supported with TLS enabled"
    )
    assert told.hint == "set by datacenters.eks.values.global.tls.enabled"


@pytest.fixture
def repository(helm: HelmClient, tmp_path: Path) -> Iterator[str]:
    """A chart repository on loopback that has the stand-in."""
    place = tmp_path / "repository"
    place.mkdir()
    for command in (["package", str(OFFICIAL), "--destination", str(place)], ["repo", "index", str(place)]):
        helm._run(helm._command.run(command))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(place)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """A test's output is no place for it."""


def test_pulled_from_a_repository(helm: HelmClient, repository: str, tmp_path: Path) -> None:
    """An archive that is then taken as any other chart is."""
    path = helm.pull(repository, "consul", "1.9.11", tmp_path)
    assert path.is_file()
    helm.check("consul", "consul", path, values())
    assert charts.digest(path) == charts.digest(path)


def test_a_version_that_is_not_there(helm: HelmClient, repository: str, tmp_path: Path) -> None:
    """Helm's own words for it are understood."""
    with pytest.raises(MeshkitError, match="has no chart consul"):
        helm.pull(repository, "consul", "9.9.9", tmp_path)
    assert [path for path in tmp_path.iterdir() if path.name != "repository"] == []


@pytest.mark.parametrize("repository", ["http://127.0.0.1:1", "oci://127.0.0.1:1/charts"], ids=["index", "registry"])
def test_nobody_answers(helm: HelmClient, repository: str, tmp_path: Path) -> None:
    """Both kinds of repository, and the way without a network."""
    with pytest.raises(UnreachableError, match=f"the chart repository {repository} cannot be reached") as raised:
        helm.pull(repository, "consul", "1.9.11", tmp_path)
    assert "--chart PATH" in raised.value.hint
