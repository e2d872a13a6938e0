"""What probes are aimed by: gateways' addresses, the mesh's trust domain and roots, services and regions.

Read from whichever clusters answer. One that is away must not keep the others from being probed, least of all from
probing it: its gateway's address is then taken from what the other datacenters know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from meshkit.backends.base import Ref
from meshkit.consul.names import GATEWAY_SERVICE
from meshkit.errors import MeshkitError, UsageError
from meshkit.federation import access
from meshkit.federation.context import Context
from meshkit.federation.probing import regions
from meshkit.kubernetes import load_balancer_address
from meshkit.model import Datacenter

T = TypeVar("T")
REGION = "topology.kubernetes.io/region"


@dataclass(frozen=True)
class Surroundings:
    """``gateways`` are addresses and ports by datacenter, ``catalogs`` its services, ``floors`` light in fibre.

    ``protocols`` are those that service-defaults set. What could not be read is empty, and named in ``notes``.
    """

    gateways: Mapping[str, tuple[str, int]]
    catalogs: Mapping[str, frozenset[str]]
    protocols: Mapping[str, str]
    trust_domain: str
    mesh_roots: str
    ca_certificate: str
    floors: Mapping[tuple[str, str], float]
    notes: tuple[str, ...] = ()

    def require(self, service: str, datacenter: str) -> None:
        """UsageError when a datacenter's catalog is known, and the service is not in it."""
        catalog = self.catalogs.get(datacenter)
        if catalog is None or service in catalog:
            return
        elsewhere = sorted(name for name, services in self.catalogs.items() if service in services)
        there = ", ".join(sorted(s for s in catalog if not s.endswith("-sidecar-proxy")))
        hint = f"it is in {', '.join(elsewhere)}" if elsewhere else f"there are {there}"
        raise UsageError(f"no service {service} is in {datacenter}'s catalog", hint=hint)


def look(context: Context) -> Surroundings:
    """Read everything at the same time in all clusters."""
    answers = context.each(lambda dc: _of_cluster(context, dc))
    states, roots = _first(context, lambda consul: (consul.gateways(), consul.ca_roots())) or ({}, {})
    gateways = {name: found for name, (found, _, _) in answers.items() if found}
    for name, entries in states.items():
        if name not in gateways and entries:
            gateways[name] = _wan_address(entries[0])
    active = [root["RootCert"] for root in roots.get("Roots") or ()]
    defaults = _first(context, lambda consul: consul.config_entries("service-defaults")) or ()
    notes = [why for _, _, why in answers.values() if why]
    return Surroundings(
        gateways,
        _catalogs(context),
        {entry["Name"]: entry.get("Protocol") or "tcp" for entry in defaults},
        str(roots.get("TrustDomain", "")),
        "".join(active),
        access.credentials(context.state, context.federation, context.kube).ca_certificate,
        regions.floors({name: region for name, (_, region, _) in answers.items() if region}),
        tuple(notes),
    )


def floors(context: Context) -> Mapping[tuple[str, str], float]:
    """Light in fibre between the regions that are known, there and back in seconds."""
    answers = context.each(lambda dc: _of_cluster(context, dc))
    return regions.floors({name: region for name, (_, region, _) in answers.items() if region})


def _of_cluster(context: Context, dc: Datacenter) -> tuple[tuple[str, int] | None, str, str]:
    """A cluster's gateway and region, or why it does not say."""
    try:
        kube = context.kube[dc.name]
        service = kube.get(Ref("Service", GATEWAY_SERVICE, dc.namespace))
        nodes = kube.list("Node")
    except MeshkitError as error:
        return None, "", f"{dc.name}: {error.message.removeprefix(f'{dc.name}: ')}"
    address = load_balancer_address(service) if service else ""
    region = next((labels[REGION] for node in nodes if REGION in (labels := node["metadata"].get("labels", {}))), "")
    return ((address, dc.gateway_port) if address else None), region, ""


def _wan_address(gateway: Mapping[str, Any]) -> tuple[str, int]:
    """A mesh gateway's public address, as a federation state holds it."""
    tagged = gateway["Service"].get("TaggedAddresses", {}).get("wan", {})
    return (
        str(tagged.get("Address") or gateway["Service"]["Address"]),
        int(tagged.get("Port") or gateway["Service"]["Port"]),
    )


def _first(context: Context, ask: Callable[[Any], T]) -> T | None:
    """The answer of the first datacenter that gives one, the primary first."""
    federation = context.federation
    for dc in (federation.primary, *federation.secondaries):
        try:
            return ask(context.consul(dc.name))
        except MeshkitError:
            continue
    return None


def _catalogs(context: Context) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for dc in context.federation.datacenters:
        services = _first(context, lambda consul, name=dc.name: consul.services(name))  # type: ignore[misc]
        if services is not None:
            found[dc.name] = frozenset(services)
    return found
