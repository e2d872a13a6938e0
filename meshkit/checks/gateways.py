"""Mesh gateways: an address, all replicas ready, and known to every datacenter."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.checks.check import Check, Finding
from meshkit.model import FederationState


def _addresses(state: FederationState) -> Iterator[Finding]:
    return (
        Finding(dc.name, f"{dc.name}: no address")
        for dc in state.datacenters
        if not dc.error and not dc.gateway.address
    )


def _ready(state: FederationState) -> Iterator[Finding]:
    for dc in state.datacenters:
        if not dc.error and (dc.gateway.ready < dc.gateway.desired or not dc.gateway.desired):
            yield Finding(dc.name, f"{dc.name}: {dc.gateway.ready} of {dc.gateway.desired} ready")


def _known(state: FederationState) -> Iterator[Finding]:
    everyone = {dc.name for dc in state.datacenters}
    for dc in state.datacenters:
        unknown = everyone - dc.consul.gateways if dc.consul else set()
        if unknown:
            yield Finding(dc.name, f"{dc.name} does not know the gateways of {', '.join(sorted(unknown))}")


CHECKS = (
    Check(
        "gateways",
        "mesh gateways have a public address",
        "{kubectl} describe service meshkit-mesh-gateway",
        _addresses,
        "cluster",
    ),
    Check(
        "gateways",
        "mesh gateways are ready",
        "{kubectl} describe pods -l component=mesh-gateway",
        _ready,
        "cluster",
        codes=frozenset({"gateway_down", "gateway_degraded"}),
    ),
    Check(
        "gateways",
        "every datacenter knows every mesh gateway",
        "let the primary's gateway address be reachable from the others",
        _known,
        codes=frozenset({"gateway_not_known"}),
    ),
)
