"""The Consul chart as the user names it, read here once: later nobody asks a file what kind of chart it is.

A path may hold either chart. They share the name ``consul``; meshkit's own says in an annotation that it is.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from meshkit.config.problem import Problem
from meshkit.consul import official
from meshkit.model import LIGHT_CHART, OFFICIAL_CHART

ANNOTATION = "meshkit.dev/chart"
"""What stands in the light chart's Chart.yaml, with the value ``light``."""

LARGEST_BYTES = 64 * 1024
_BY_NAME = ("", LIGHT_CHART, OFFICIAL_CHART)
_REPOSITORY = re.compile(r"(?:https?|oci)://[^\s@/]+(?:/[^\s@]*)?")
_VERSION_HINT = "known to work are {}; later ones of the same minor are taken as well"


@dataclass(frozen=True)
class Chart:
    """``kind`` is ``light``, ``hashicorp`` or empty for no choice; ``path`` and ``version`` where they are given.

    ``consul`` is the version of Consul that a chart at a path says it installs, empty when it says none.
    """

    kind: str = ""
    path: str = ""
    version: str = ""
    consul: str = ""


class UnusableError(Exception):
    """A path that holds no chart of Consul; the text says what it holds instead."""


def chosen(data: Mapping[str, Any], folder: Path) -> Chart:
    """The chart that a document without ``problems`` describes."""
    chart, version = str(data.get("chart") or ""), str(data.get("chartVersion") or "")
    if chart not in _BY_NAME:
        return at(chart, folder)
    if not chart and (version or data.get("chartRepo")):
        chart = OFFICIAL_CHART  # only that one has versions and comes from a repository
    return Chart(chart, version=version)


def problems(data: Mapping[str, Any], folder: Path) -> Iterator[Problem]:
    """What is wrong with the keys about the chart; ``data`` may be of any shape."""
    chart, version, repository = (_text(data, key) for key in ("chart", "chartVersion", "chartRepo"))
    found = Chart(chart)
    if chart not in _BY_NAME:
        try:
            found = at(chart, folder)
        except UnusableError as error:
            yield Problem(("chart",), str(error), "helm pull gets a chart as an archive")
            return
        if found.kind == OFFICIAL_CHART and not official.known(found.version):
            text = f"{chart} is the official chart {found.version}, with which meshkit is not known to work"
            yield Problem(("chart",), text, _VERSION_HINT.format(official.ranges()))
    yield from _settings(found, version, repository)


def _settings(found: Chart, version: str, repository: str) -> Iterator[Problem]:
    """Version and repository, beside the chart that they are about."""
    comes = "the light chart comes with meshkit" if found.kind == LIGHT_CHART and not found.path else ""
    if version and (comes or found.version not in ("", version)):
        yield Problem(("chartVersion",), f"{comes or f'{found.path} has the version {found.version}'}", "leave it out")
    elif version and not official.known(version):
        text = f"meshkit is not known to work with the official chart {version}"
        yield Problem(("chartVersion",), text, _VERSION_HINT.format(official.ranges()))
    if repository and (comes or found.path):
        yield Problem(("chartRepo",), comes or f"the chart comes from {found.path}", "leave it out")
    elif repository and not _REPOSITORY.fullmatch(repository):
        text = "expected a URL that begins with https:// or oci:// and holds no password"
        yield Problem(("chartRepo",), text, f"HashiCorp's own is {official.repository()}")


def at(text: str, folder: Path) -> Chart:
    """The chart at a path, which starts at ``folder`` when it is relative; UnusableError when it is not Consul's."""
    try:
        path = (folder / Path(text).expanduser()).resolve()
        content = _archived(path) if path.is_file() else (path / "Chart.yaml").read_bytes()
        described = yaml.safe_load(content[:LARGEST_BYTES])
    except (OSError, RuntimeError, ValueError, yaml.YAMLError, tarfile.TarError, EOFError):
        # A link that leads to itself, the home of a user that does not exist, something that is no archive.
        described = None
    if not isinstance(described, Mapping) or not isinstance(described.get("name"), str):
        raise UnusableError(f'expected light, hashicorp, or the folder or .tgz of a chart, not "{text}"')
    if described["name"] != "consul":
        raise UnusableError(f"{text} is the chart {described['name']}, not Consul's")
    annotations = described.get("annotations")
    light = isinstance(annotations, Mapping) and annotations.get(ANNOTATION) == LIGHT_CHART
    version, consul = (str(described.get(key) or "") for key in ("version", "appVersion"))
    return Chart(LIGHT_CHART if light else OFFICIAL_CHART, str(path), version, consul)


def _archived(path: Path) -> bytes:
    """The Chart.yaml of a packed chart: the one in its top folder, not those of charts inside it."""
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            if re.fullmatch(r"(?:\./)?[^/]+/Chart\.yaml", member.name) and (file := archive.extractfile(member)):
                return file.read(LARGEST_BYTES)
    return b""


def _text(data: Mapping[str, Any], key: str) -> str:
    """A value where it is a text; the form says what is wrong with anything else."""
    value = data.get(key)
    return value if isinstance(value, str) else ""
