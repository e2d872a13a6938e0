"""Servers: as many as described, ready, with one leader."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.checks.check import Check
from meshkit.model import FederationState


def _answering(state: FederationState) -> Iterator[str]:
    return (dc.consul_error for dc in state.datacenters if dc.consul_error)


def _ready(state: FederationState) -> Iterator[str]:
    for dc in state.datacenters:
        if not dc.error and not dc.servers:
            yield f"{dc.name}: there is no Consul server"
        for server in dc.servers:
            if not server.healthy:
                yield f"{dc.name}: {server.name} is not ready"


def _leader(state: FederationState) -> Iterator[str]:
    return (f"{dc.name}: no leader" for dc in state.datacenters if dc.consul and not dc.consul.leader)


CHECKS = (
    Check(
        "servers", "Consul servers are ready", "kubectl -n consul describe pods -l component=server", _ready, "cluster"
    ),
    Check("servers", "Consul servers answer", "kubectl -n consul logs consul-server-0", _answering, "cluster"),
    Check("servers", "every datacenter has a leader", "kubectl -n consul logs consul-server-0", _leader),
)
