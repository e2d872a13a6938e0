"""Servers: as many as described, ready, with one leader."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.checks.check import Check, Finding
from meshkit.model import FederationState

LOGS = "{kubectl} logs -l component=server --prefix --tail 50"


def _answering(state: FederationState) -> Iterator[Finding]:
    return (Finding(dc.name, dc.consul_error) for dc in state.datacenters if dc.consul_error)


def _ready(state: FederationState) -> Iterator[Finding]:
    for dc in state.datacenters:
        if not dc.error and not dc.servers:
            yield Finding(dc.name, f"{dc.name}: there is no Consul server")
        for server in dc.servers:
            if not server.healthy:
                yield Finding(dc.name, f"{dc.name}: {server.name} is not ready")


def _leader(state: FederationState) -> Iterator[Finding]:
    return (Finding(dc.name, f"{dc.name}: no leader") for dc in state.datacenters if dc.consul and not dc.consul.leader)


CHECKS = (
    Check("servers", "Consul servers are ready", "{kubectl} describe pods -l component=server", _ready, "cluster"),
    Check("servers", "Consul servers answer", LOGS, _answering, "cluster", codes=frozenset({"servers_unreachable"})),
    Check("servers", "every datacenter has a leader", LOGS, _leader, codes=frozenset({"no_leader"})),
)
