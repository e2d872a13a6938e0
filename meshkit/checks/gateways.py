"""Mesh gateways: an address, all replicas ready, and known to every datacenter."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.checks.check import Check, Finding
from meshkit.model import FederationState, host_port


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


def _resolved(state: FederationState) -> Iterator[Finding]:
    for dc in state.datacenters:
        if dc.gateway.address and not dc.gateway.resolved:
            yield Finding(dc.name, f"{dc.name}: {dc.gateway.address} does not resolve here")


def _announced(state: FederationState) -> Iterator[Finding]:
    """Gateways that go are announced for a while beside those that come, so one right address is enough."""
    for dc in state.datacenters:
        now = host_port(dc.gateway.address, dc.gateway.port)
        said = dc.consul.announced.get(dc.name, frozenset()) if dc.consul else frozenset()
        if dc.gateway.address and said and now not in said:
            yield Finding(dc.name, f"{dc.name}: {', '.join(sorted(said))} is announced, the load balancer has {now}")


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
        "names of mesh gateways resolve",
        "{kubectl} describe service meshkit-mesh-gateway; is its load balancer active?",
        _resolved,
        "cluster",
        on_failure="warn",
    ),
    Check(
        "gateways",
        "mesh gateways are announced at their present address",
        "the load balancer's address has changed; meshkit federate makes it known everywhere",
        _announced,
        codes=frozenset({"gateway_wrong_address"}),
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
