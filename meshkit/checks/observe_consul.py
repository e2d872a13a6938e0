"""What a datacenter's Consul servers say, as values."""

from __future__ import annotations

from collections.abc import Sequence

from meshkit.backends.base import Consul, Manifest
from meshkit.consul import config_entries
from meshkit.consul.config_entries import DEFAULT_DENY
from meshkit.errors import MeshkitError
from meshkit.model import ConsulState, Datacenter, DatacenterState, host_port


def consul_state(consul: Consul, dc: Datacenter, names: Sequence[str]) -> ConsulState:
    """Everything about one datacenter's servers; raises what the backend raises when they do not answer."""
    intentions = config_entries.intentions(consul.config_entries(config_entries.INTENTIONS))
    gateways, members = consul.gateways(), consul.wan_members()
    return ConsulState(
        leader=consul.leader(),
        wan={member.name: member.status for member in members},
        gateways=frozenset(gateways),
        replication="" if dc.primary else _replication(consul.acl_replication()),
        gateway_mode=config_entries.gateway_mode(consul.config_entries("proxy-defaults")),
        default_deny=DEFAULT_DENY in intentions,
        catalogs={name: _services(consul, name) for name in names},
        announced={name: frozenset(map(_announced, found)) for name, found in gateways.items()},
        wan_addresses={member.name: member.address for member in members},
    )


def _announced(found: Manifest) -> str:
    """A mesh gateway's public address as a federation state has it."""
    service = found["Service"]
    wan = service.get("TaggedAddresses", {}).get("wan", {})
    return host_port(str(wan.get("Address") or service.get("Address", "")), int(wan.get("Port") or service["Port"]))


def unhealthy(consul: Consul, target: DatacenterState) -> str:
    """Why a target's servers are not all healthy as seen from here, empty when they are."""
    if not target.servers:
        return f"{target.name} has no server"
    for server in target.servers:
        checks = consul.node_checks(server.name, target.name)
        failing = [check for check in checks if check["Status"] != "passing"]
        if not checks:
            return f"{server.name} is not registered"
        if failing:
            return f"{server.name}: {failing[0]['Name']} is {failing[0]['Status']}"
    return ""


def _services(consul: Consul, datacenter: str) -> frozenset[str]:
    """Names in a datacenter's catalog; none while it can't be asked, which other checks then explain."""
    try:
        return frozenset(consul.services(datacenter))
    except MeshkitError:
        return frozenset()


def _replication(status: Manifest) -> str:
    """Why ACLs are not being copied, from /v1/acl/replication; times there are RFC 3339, so they sort as texts."""
    if not status.get("Enabled"):
        return "ACL replication is off"
    if not status.get("Running"):
        return "ACL replication is not running"
    if str(status.get("LastError", "")) > str(status.get("LastSuccess", "")):
        return f"ACL replication fails: {status.get('LastErrorMessage') or 'no reason given'}"
    if not status.get("ReplicatedTokenIndex"):
        return "ACL tokens have not been copied yet"
    return ""
