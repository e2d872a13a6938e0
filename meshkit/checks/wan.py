"""WAN: every datacenter sees every other's servers, and their catalogs."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.checks.check import Check, Finding
from meshkit.consul.names import probe_service
from meshkit.model import FederationState

APART = frozenset({"wan_member_failed", "servers_apart"})
REACH_HINT = "let the gateway addresses be reached from the other clouds: meshkit status shows them"


def _members(state: FederationState) -> Iterator[Finding]:
    expected = {f"{server.name}.{dc.name}" for dc in state.datacenters for server in dc.servers}
    for dc in state.datacenters:
        if dc.consul:
            missing = sorted(expected - dc.consul.wan.keys())
            if missing:
                yield Finding(dc.name, f"{dc.name} does not know {', '.join(missing)}")
            for name, status in dc.consul.wan.items():
                if name in expected and status != "alive":
                    yield Finding(dc.name, f"{dc.name} sees {name} as {status}")


def _health(state: FederationState) -> Iterator[Finding]:
    broken = (link for link in state.links if not link.healthy)
    return (Finding(link.source, f"{link.source} to {link.target}: {link.reason}") for link in broken)


def _catalogs(state: FederationState) -> Iterator[Finding]:
    for dc in state.datacenters:
        for other in state.datacenters:
            services = dc.consul.catalogs.get(other.name, frozenset()) if dc.consul else frozenset()
            if dc.consul and probe_service(other.name) not in services:
                missing = f"{dc.name} does not find {probe_service(other.name)} in the catalog of {other.name}"
                yield Finding(other.name, missing)


CHECKS = (
    Check("wan", "all servers are alive WAN members everywhere", REACH_HINT, _members, codes=APART),
    Check("wan", "every datacenter sees the others' servers healthy", REACH_HINT, _health, codes=APART),
    Check(
        "wan",
        "services are found across datacenters",
        "{kubectl} logs -l app=mesh-probe -c register",
        _catalogs,
    ),
)
