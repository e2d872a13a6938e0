"""ACL policies and tokens: the least that each part of the mesh needs.

Tokens are global: written once in the primary, copied to every secondary by replication.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from meshkit.consul.names import GATEWAY, probe_service

POLICIES = {
    # What the official chart gives its replication token; acl = "write" is what copies tokens with their secrets.
    "meshkit-replication": """
acl = "write"
operator = "write"
agent_prefix "" { policy = "read" }
node_prefix "" { policy = "write" }
service_prefix "" { policy = "read" intentions = "read" }
""",
    # Servers register themselves and their coordinates.
    "meshkit-agent": """
node_prefix "" { policy = "write" }
service_prefix "" { policy = "read" }
agent_prefix "" { policy = "read" }
""",
    # What an unauthenticated DNS question may see: names and addresses of services, in every datacenter.
    "meshkit-dns": """
node_prefix "" { policy = "read" }
service_prefix "" { policy = "read" }
query_prefix "" { policy = "read" }
""",
    # A gateway registers itself and learns about all services, whose traffic it passes on without opening it.
    "meshkit-mesh-gateway": f"""
service "mesh-gateway" {{ policy = "write" }}
node "{GATEWAY}" {{ policy = "write" }}
node_prefix "" {{ policy = "read" }}
service_prefix "" {{ policy = "read" }}
agent_prefix "" {{ policy = "read" }}
""",
    "meshkit-probe": """
node "mesh-probe" { policy = "write" }
""",
}


@dataclass(frozen=True)
class TokenSpec:
    """A token by its purpose, with the policies and service identities it carries."""

    name: str
    policies: tuple[str, ...]
    services: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        """The token as the API takes it, without its ids."""
        return {
            "Description": f"meshkit: {self.name}",
            "Policies": [{"Name": name} for name in self.policies],
            "ServiceIdentities": [{"ServiceName": name} for name in self.services],
            "Local": False,
        }

    def matches(self, held: dict[str, Any]) -> bool:
        """Whether a token as read back carries exactly this: less does not work, more is a door that nobody opened."""
        policies = {entry["Name"] for entry in held.get("Policies") or ()}
        identities = held.get("ServiceIdentities") or ()
        services = {entry["ServiceName"] for entry in identities if not entry.get("Datacenters")}
        more = any(held.get(kind) for kind in ("Roles", "NodeIdentities", "TemplatedPolicies"))
        same = policies == set(self.policies) and services == set(self.services)
        return same and len(identities) == len(services) and not more


def policies(*, official: bool) -> dict[str, str]:
    """Rules by policy; the official chart's job makes its own for everything but the probe."""
    return {name: rules for name, rules in POLICIES.items() if not official or name == "meshkit-probe"}


def tokens(datacenters: Sequence[str], *, official: bool = False) -> tuple[TokenSpec, ...]:
    """Every token but the management token, which the primary's servers make of their own configuration.

    With the official chart its job makes the replication token, and servers and gateways log in by themselves.
    """
    every = (
        TokenSpec("replication", ("meshkit-replication",)),
        TokenSpec("agent", ("meshkit-agent",)),
        TokenSpec("dns", ("meshkit-dns",)),
        TokenSpec("mesh-gateway", ("meshkit-mesh-gateway",)),
        TokenSpec("probe", ("meshkit-probe",), tuple(probe_service(name) for name in datacenters)),
    )
    return tuple(spec for spec in every if not official or spec.name == "probe")
