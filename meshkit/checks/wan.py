"""WAN: every datacenter sees every other's servers, and their catalogs."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.checks.check import Check, Finding
from meshkit.consul.names import probe_service
from meshkit.model import FederationState

APART = frozenset({"wan_member_failed", "servers_apart"})
GOSSIP_HINT = "a server that was replaced is taken for failed once before its new address is believed: wait 3 minutes"
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


def _former_addresses(state: FederationState) -> Iterator[Finding]:
    """Whoever has a former address of a server refuses its present one until it has taken the server for failed.

    So a server that was replaced is alive at first, fails half a minute later and then comes back. What it advertises
    is compared only where that is its pod's address: one that is advertised in its place outlives the pod.
    """
    for dc in state.datacenters:
        present = {f"{server.name}.{dc.name}": server.address for server in dc.servers if server.address}
        own = dc.consul.wan_addresses if dc.consul else {}
        if not any(own.get(name) == address for name, address in present.items()):
            continue
        for other in state.datacenters:
            known = other.consul.wan_addresses if other.consul else {}
            for name, address in sorted(present.items()):
                if known.get(name, address) != address:
                    yield Finding(other.name, f"{other.name} knows {name} at {known[name]}, it is at {address}")


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
    Check("wan", "servers are known by their present addresses", GOSSIP_HINT, _former_addresses),
    Check("wan", "every datacenter sees the others' servers healthy", REACH_HINT, _health, codes=APART),
    Check(
        "wan",
        "services are found across datacenters",
        "{kubectl} logs -l app=mesh-probe -c register",
        _catalogs,
    ),
)
