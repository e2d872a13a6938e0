"""What the federation shall be, from what the user named now and what is known from before.

A run that names fewer options or fewer clusters than an earlier one must not undo it: what is not named stays.
Datacenters leave by ``meshkit leave`` alone, and the primary can't change, since tokens and config entries live there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from meshkit.consul import image
from meshkit.errors import UsageError
from meshkit.model import Datacenter, Federation

_ABOUT_ALL = ("chart", "chart_version", "chart_repo", "image_registry")
"""Options that are the federation's, not a datacenter's."""


_NOT_GIVEN = (None, "", ())


def resolve(named: Federation, known: Federation | None, given: Mapping[str, Any] | None) -> Federation:
    """The federation to bring about.

    ``given`` are the fields that the user set by options (of Datacenter, those of the chart, and ``primary``); None
    when ``named`` comes from a file, which describes its datacenters in full.
    """
    if known is None:
        return named
    _refuse_changes(named, known, named.primary.name if given is None else (given.get("primary") or ""))
    if known.official and named.chart_version not in ("", known.chart_version):
        known = _without_upgrade(known)
    before = {dc.name: dc for dc in known.datacenters}
    merged = [
        dc if given is None else _merged(dc, before.get(dc.name, _like(known.primary, dc)), given)
        for dc in named.datacenters
    ]
    merged = [_placed(dc, before.get(dc.name, dc)) for dc in merged]
    merged = [_in_version(dc, before.get(dc.name, known.primary), known) for dc in merged]
    merged += carried_over(named, known)
    _refuse_moves(merged, before)
    primary = known.primary.name
    # A datacenter keeps its place whatever order it is named in: ports of the probes' upstreams go by place.
    places = {dc.name: place for place, dc in enumerate(known.datacenters)}
    ordered = sorted(
        (replace(dc, primary=dc.name == primary) for dc in merged), key=lambda dc: places.get(dc.name, len(places))
    )
    return replace(
        _charted(named, known), name=known.name, datacenters=tuple(ordered), gitops=known.gitops or named.gitops
    )


def carried_over(named: Federation, known: Federation | None) -> tuple[Datacenter, ...]:
    """Datacenters of the federation that the user did not name now."""
    names = {dc.name for dc in named.datacenters}
    return tuple(dc for dc in known.datacenters if dc.name not in names) if known else ()


def _like(primary: Datacenter, dc: Datacenter) -> Datacenter:
    """A new datacenter as the options describe it, in the namespace that the federation lives in."""
    return replace(dc, namespace=primary.namespace)


def _merged(dc: Datacenter, before: Datacenter, given: Mapping[str, Any]) -> Datacenter:
    options = {
        key: value for key, value in given.items() if key not in (*_ABOUT_ALL, "primary") and value not in _NOT_GIVEN
    }
    return replace(before, context=dc.context, **options)


def _placed(dc: Datacenter, before: Datacenter) -> Datacenter:
    """A datacenter with what was once settled of its cluster: where one looks from is no reason to change it."""
    return replace(
        dc,
        api_server=dc.api_server or before.api_server,
        platform=dc.platform or before.platform,
        load_balancer=dc.load_balancer or before.load_balancer,
    )


def _in_version(dc: Datacenter, like: Datacenter, known: Federation) -> Datacenter:
    """A datacenter in the version of Consul that ``meshkit upgrade`` has brought, whatever was described before."""
    if not like.consul_version:
        return dc
    theirs = image.of_user(dc.values)
    if theirs and image.version(theirs) != like.consul_version:
        if known.gitops:
            return replace(dc, consul_version="")
        raise UsageError(
            f"{dc.name}: values.global.image is {theirs}, and meshkit upgrade has brought Consul {like.consul_version}",
            hint="name that version there; meshkit upgrade --consul-version changes it",
        )
    own = theirs or known.official
    return replace(
        dc,
        values=dc.values if own else image.pinned(dc.values, like.consul_version, known.image_registry),
        consul_version=like.consul_version,
        chart_version=like.chart_version,
        chart_path=like.chart_path,
    )


def _without_upgrade(known: Federation) -> Federation:
    """A federation without what ``meshkit upgrade`` has brought: another chart brings another Consul."""
    datacenters = (replace(dc, consul_version="", chart_version="", chart_path="") for dc in known.datacenters)
    return replace(known, datacenters=tuple(datacenters))


def _charted(named: Federation, known: Federation) -> Federation:
    """Chart and registry of the federation: what is not named stays. What may change of servers preflight judges.

    A chart of the other kind is refused: its StatefulSet has other immutable fields, and its tokens other ways.
    """
    if named.chart and named.chart != known.chart:
        raise UsageError(
            f"the federation's chart is {known.chart} and can't be changed to {named.chart}",
            hint="another kind of chart needs meshkit destroy and a new federation",
        )
    registry = named.image_registry or known.image_registry
    if not named.chart:
        return replace(known, image_registry=registry)
    repository = "" if named.chart_path else named.chart_repo or known.chart_repo
    version = named.chart_version or known.chart_version
    return replace(named, chart_version=version, chart_repo=repository, image_registry=registry)


def _refuse_moves(datacenters: Sequence[Datacenter], before: Mapping[str, Datacenter]) -> None:
    """What Consul or Kubernetes can't do to servers that hold data."""
    for dc in datacenters:
        was = before.get(dc.name, dc)
        if dc.namespace != was.namespace:
            raise UsageError(
                f"{dc.name} is in namespace {was.namespace} and can't be moved to {dc.namespace}",
                hint=f"keep {was.namespace}, or meshkit leave {dc.name} and join it anew",
            )
        if dc.servers < was.servers:
            raise UsageError(
                f"{dc.name} has {was.servers} servers; with {dc.servers} it would lose its quorum",
                hint=f"keep servers: {was.servers}",
            )


def _refuse_changes(named: Federation, known: Federation, primary: str) -> None:
    contexts = {dc.context: dc.name for dc in known.datacenters}
    for dc in named.datacenters:
        if contexts.get(dc.context, dc.name) != dc.name:
            raise UsageError(
                f"context {dc.context} is in the federation already as {contexts[dc.context]}",
                hint=f"keep that name: {contexts[dc.context]}={dc.context}",
            )
    if primary and primary != known.primary.name:
        raise UsageError(
            f"the primary is {known.primary.name} and can't be changed to {primary}",
            hint="a new primary needs meshkit destroy and a new federation",
        )
