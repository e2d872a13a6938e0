"""What an upgrade leads to: a version of Consul, and with the official chart the chart that installs it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from meshkit.consul import image, official, upgrades
from meshkit.errors import UsageError
from meshkit.federation import charts, state
from meshkit.federation.context import Context
from meshkit.model import DEFAULT_FEDERATION, Datacenter, Federation


@dataclass(frozen=True)
class Target:
    """``chart`` is the official chart's version, and ``path`` where it is if not in a repository; else both empty."""

    consul: str
    chart: str = ""
    path: str = ""


def resolve(context: Context, consul: str, chart: str, path: str) -> Target:
    """The target of the options; UsageError for versions that do not exist or do not belong together.

    ``path`` is an archive or folder of the official chart, whose version is ``chart`` then. MeshkitError for a chart
    that has to be looked into and can't be had.
    """
    federation = context.federation
    if consul and not upgrades.is_version(consul):
        raise UsageError(f"{consul} is no version of Consul", hint="three numbers, such as 1.22.7")
    if not federation.official:
        return _light(consul, chart, path)
    if not chart:
        return _by_consul(context, consul)
    if not official.known(chart):
        raise UsageError(
            f"meshkit is not known to work with the official chart {chart}", hint=f"known are {official.ranges()}"
        )
    if federation.chart_path and not path:
        raise UsageError(
            f"the chart came from {federation.chart_path}", hint="name the new one's archive or folder: --chart PATH"
        )
    installs = _installed(context, chart, path) or consul
    if not installs:
        raise UsageError(f"the chart {chart} does not say which Consul it installs", hint="say it: --consul-version")
    if consul and consul != installs:
        raise UsageError(
            f"the official chart {chart} installs Consul {installs}, not {consul}", hint="leave out one of the two"
        )
    return Target(installs, chart, path)


def command(federation: Federation, target: Target) -> str:
    """The command that leads to a target, for a hint."""
    return f"meshkit upgrade {_options(federation, target)}"


def by_gitops(federation: Federation, target: Target) -> str:
    """The same where others bring the releases, which then are rendered anew."""
    if not target.chart:
        return (
            "values.global.image in mesh.yaml; meshkit render and commit, then meshkit federate, each with -f mesh.yaml"
        )
    clusters = (dc.name if dc.name == dc.context else f"{dc.name}={dc.context}" for dc in federation.datacenters)
    called = f"meshkit federate --gitops {shlex.join(clusters)} {_options(federation, target)}"
    return f"{called}, or the same in mesh.yaml; while it waits meshkit render, and commit"


def _options(federation: Federation, target: Target) -> str:
    """The chart decides, since several install the same Consul."""
    if target.path:
        words = f"--chart {shlex.quote(target.path)}"
    elif target.chart:
        words = f"--chart-version {target.chart}"
    else:
        words = f"--consul-version {target.consul}"
    alone = federation.name == DEFAULT_FEDERATION and len(state.known()) <= 1
    return words if alone else f"{words} --federation {federation.name}"


def brought(federation: Federation, datacenter: Datacenter, target: Target) -> Datacenter:
    """A datacenter as it is described after its upgrade.

    The light chart takes an image. The official one brings its own, unless the user has chosen some: these are
    retagged, else they would stay what they are.
    """
    theirs = image.of_user(datacenter.values)
    if "@" in theirs:
        raise UsageError(
            f"{datacenter.name}: values.global.image names an image by its digest",
            hint="set the new image there, and run meshkit federate; or name it by its tag",
        )
    values: Mapping[str, Any] = datacenter.values
    if theirs or not federation.official:
        values = image.pinned(datacenter.values, target.consul, federation.image_registry)
    if federation.official:
        values = image.follow_chart(values, federation.seen_from(datacenter).chart_version, target.chart)
    return replace(
        datacenter, values=values, consul_version=target.consul, chart_version=target.chart, chart_path=target.path
    )


def finished(federation: Federation, target: Target) -> Federation:
    """The federation once every datacenter is there: the chart is the federation's again."""
    if not federation.official:
        return federation
    datacenters = tuple(replace(dc, chart_version="", chart_path="") for dc in federation.datacenters)
    return replace(federation, datacenters=datacenters, chart_version=target.chart, chart_path=target.path)


def _light(consul: str, chart: str, path: str) -> Target:
    if chart or path:
        raise UsageError("the light chart comes with meshkit and has no version to choose", hint="--consul-version")
    if not consul:
        raise UsageError("to which version?", hint="--consul-version, such as 1.22.7")
    return Target(consul)


def _installed(context: Context, chart: str, path: str) -> str:
    """The Consul of a chart; one that is newer than those known is looked into, pulled first if it is not at hand."""
    if chart in official.versions():
        return official.consul_version(chart)
    federation = replace(context.federation, chart_version=chart, chart_path=path)
    found = charts.installs(federation, context.helm(federation.primary.name))
    return found if upgrades.is_version(found) else ""


def _by_consul(context: Context, consul: str) -> Target:
    """The newest known chart that installs a version of Consul."""
    if not consul:
        raise UsageError("to which version?", hint="--consul-version, such as 1.22.7, or --chart-version")
    chart = official.chart_for(consul)
    if not chart:
        raise UsageError(
            f"no official chart that meshkit knows installs Consul {consul}",
            hint=f"--chart-version, if there is one; known are {official.ranges()}",
        )
    return resolve(context, consul, chart, "")
