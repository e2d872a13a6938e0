"""What whoever runs these tests has at hand of the official chart, by environment variables.

MESHKIT_OFFICIAL_CHART is the one that is needed; scripts/test-official tells of all of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHART, VERSION, UPGRADE = "MESHKIT_OFFICIAL_CHART", "MESHKIT_OFFICIAL_CHART_VERSION", "MESHKIT_OFFICIAL_UPGRADE"
IMAGES, REGISTRY, CONTEXTS = "MESHKIT_OFFICIAL_IMAGES", "MESHKIT_OFFICIAL_REGISTRY", "MESHKIT_OFFICIAL_CONTEXTS"
CLUSTERS = "MESHKIT_OFFICIAL_CLUSTERS"
ARCHIVES = (".tar", ".tar.gz")
"""What a folder of archives is searched for: charts, which may lie beside them, are .tgz."""

PAIR = 2

WITHOUT_CHART = f"{CHART} is not set: the official chart as a .tgz or a folder, or its repository's URL"
WITHOUT_IMAGES = (
    f"set {IMAGES} to archives for the lab's nodes, {REGISTRY} to a registry that nodes can pull from, "
    f"or {CONTEXTS}=A,B to clusters that can pull"
)


class WrongError(Exception):
    """A variable has a value that can't be meant."""


@dataclass(frozen=True)
class Given:
    """``chart`` is a path or a URL; ``upgrade`` the chart that an upgrade goes to, a path or a version, or empty.

    Without ``contexts`` the clusters are the lab's, of the names in ``clusters``, started and removed here.
    """

    chart: str
    version: str = ""
    upgrade: str = ""
    images: tuple[Path, ...] = ()
    registry: str = ""
    contexts: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ("official-aks", "official-eks")

    @property
    def packed(self) -> bool:
        """Whether the chart is on this machine."""
        return "://" not in self.chart

    @property
    def for_helm(self) -> tuple[str, ...]:
        """The chart in the words of helm's commands."""
        version = ("--version", self.version) if self.version else ()
        if self.packed:
            return (self.chart,)
        if self.chart.startswith("oci://"):
            return (f"{self.chart.rstrip('/')}/consul", *version)
        return ("consul", "--repo", self.chart, *version)

    @property
    def for_meshkit(self) -> tuple[str, ...]:
        """The chart and the registry in the words of meshkit's commands."""
        version = ("--chart-version", self.version) if self.version else ()
        chart = (
            ("--chart", self.chart) if self.packed else ("--chart", "hashicorp", "--chart-repo", self.chart, *version)
        )
        return (*chart, *(("--image-registry", self.registry) if self.registry else ()))

    @property
    def for_upgrade(self) -> tuple[str, ...]:
        """The chart that an upgrade goes to in the words of meshkit's command; the same one when there is no other."""
        wanted = self.upgrade or self.chart
        if "://" in wanted:
            return ("--chart-version", self.version) if self.version else ()
        return ("--chart" if Path(wanted).exists() else "--chart-version", wanted)


def given(environment: Mapping[str, str] = os.environ) -> Given | None:
    """What is at hand, None without a chart; WrongError for what can't be meant."""
    chart = environment.get(CHART, "")
    if not chart:
        return None
    if "://" not in chart:
        path = Path(chart).expanduser().resolve()
        if not path.exists():
            raise WrongError(f"{CHART}: there is no {path}")
        chart = str(path)
    found = Given(
        chart,
        environment.get(VERSION, ""),
        environment.get(UPGRADE, ""),
        _archives(environment.get(IMAGES, "")),
        environment.get(REGISTRY, ""),
        _pair(environment, CONTEXTS),
        _pair(environment, CLUSTERS) or Given.clusters,
    )
    if found.contexts and found.images:
        raise WrongError(f"{IMAGES} is for the lab's nodes: load them into the clusters of {CONTEXTS} yourself")
    return found


def _archives(text: str) -> tuple[Path, ...]:
    """Files, or those in folders, separated by colons as in PATH."""
    found: list[Path] = []
    for part in filter(None, text.split(os.pathsep)):
        path = Path(part).expanduser().resolve()
        inside = sorted(p for p in path.iterdir() if p.name.endswith(ARCHIVES)) if path.is_dir() else [path]
        if not inside or not inside[0].is_file():
            raise WrongError(f"{IMAGES}: there is no archive at {path}")
        found += inside
    return tuple(found)


def _pair(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    names = tuple(filter(None, environment.get(name, "").split(",")))
    if names and len(names) < PAIR:
        raise WrongError(f"{name}: two names are needed, with a comma between them")
    return names[:PAIR]
