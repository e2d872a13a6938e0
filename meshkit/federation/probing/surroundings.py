"""What probes are aimed by: gateways' addresses, the mesh's trust domain and roots, services and regions.

Read from whichever clusters answer. One that is away must not keep the others from being probed, least of all from
probing it: its gateway's address is then taken from what the other datacenters know of it, and so is its catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from meshkit.backends.base import Consul, Manifest, Ref
from meshkit.consul import gateway
from meshkit.consul.names import GATEWAY_SERVICE
from meshkit.errors import MeshkitError, UnreachableError, UsageError
from meshkit.federation import access
from meshkit.federation.asking import ask
from meshkit.federation.context import Context
from meshkit.federation.probing import regions
from meshkit.model import Datacenter
from meshkit.platforms import recognise
from meshkit.platforms.catalogue import platform

T = TypeVar("T")
Address = tuple[str, int]


@dataclass(frozen=True)
class Surroundings:
    """``gateways`` are addresses and ports by datacenter, ``catalogs`` its services, ``floors`` light in fibre.

    ``protocols`` are those that service-defaults set. What could not be read is empty, and named in ``notes``; ``away``
    are the datacenters whose cluster does not answer, with the reason.
    """

    gateways: Mapping[str, Address] = field(default_factory=dict)
    catalogs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    protocols: Mapping[str, str] = field(default_factory=dict)
    trust_domain: str = ""
    mesh_roots: str = ""
    ca_certificate: str = ""
    floors: Mapping[tuple[str, str], float] = field(default_factory=dict)
    away: Mapping[str, str] = field(default_factory=dict)
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


@dataclass(frozen=True)
class _Mesh:
    """What every datacenter's servers know of the whole mesh."""

    gateways: Mapping[str, Sequence[Manifest]] = field(default_factory=dict)
    roots: Manifest = field(default_factory=dict)
    defaults: Sequence[Manifest] = ()


def look(context: Context, *, catalogs: bool = True) -> Surroundings:
    """Read everything at the same time in all clusters; catalogs only where they are of use."""
    datacenters = context.federation.datacenters
    questions: dict[tuple[str, str], Sequence[Callable[[], Any]]] = {
        ("mesh", ""): ways(context, _of_mesh),
        ("certificate", ""): [partial(access.ca_certificate, context.state, dc, context.kube) for dc in datacenters],
        **{("gateway", dc.name): [partial(_gateway, context, dc)] for dc in datacenters},
        **{("region", dc.name): [partial(region, context, dc)] for dc in datacenters},
    }
    if catalogs:
        questions |= {("catalog", dc.name): catalog(context, dc) for dc in datacenters}
    answers = ask(questions)
    known = {key: answer for key, answer in answers.items() if not isinstance(answer, MeshkitError)}
    failures = {key: answer for key, answer in answers.items() if isinstance(answer, MeshkitError)}
    away = {name: why for (what, name), why in failures.items() if what == "gateway" and _is_away(why)}
    told = {key: why for key, why in failures.items() if key[0] == "gateway" or key[1] not in away}
    mesh: _Mesh = known.get(("mesh", ""), _Mesh())
    gateways = {name: _wan_address(entries[0]) for name, entries in mesh.gateways.items() if entries}
    return Surroundings(
        gateways | {name: found for (what, name), found in known.items() if what == "gateway" and found},
        {name: frozenset(found) for (what, name), found in known.items() if what == "catalog"},
        {entry["Name"]: entry.get("Protocol") or "tcp" for entry in mesh.defaults},
        str(mesh.roots.get("TrustDomain", "")),
        "".join(root["RootCert"] for root in mesh.roots.get("Roots") or ()),
        known.get(("certificate", ""), ""),
        regions.floors({name: found for (what, name), found in known.items() if what == "region" and found}),
        {name: _note("gateway", name, why) for name, why in away.items()},
        tuple(dict.fromkeys(_note(what, name, why) for (what, name), why in told.items())),
    )


def ways(context: Context, question: Callable[[Consul], T], first: Datacenter | None = None) -> list[Callable[[], T]]:
    """A question that every datacenter's servers can answer, by preference: of ``first``, the primary, then others."""
    federation = context.federation
    order = dict.fromkeys((first or federation.primary, federation.primary, *federation.secondaries))
    return [lambda name=dc.name: question(context.consul(name)) for dc in order]  # type: ignore[misc]


def catalog(context: Context, dc: Datacenter) -> list[Callable[[], Mapping[str, Sequence[str]]]]:
    """The ways to ask for a datacenter's services: of itself, else of another through the mesh."""
    return ways(context, lambda consul: consul.services(dc.name), dc)


def region(context: Context, dc: Datacenter) -> str:
    """Where a cluster is, as its nodes say; empty when they don't."""
    return recognise.region(context.kube[dc.name].list("Node"), platform(dc.platform))


def _of_mesh(consul: Consul) -> _Mesh:
    return _Mesh(consul.gateways(), consul.ca_roots(), consul.config_entries("service-defaults"))


def _gateway(context: Context, dc: Datacenter) -> Address | None:
    service = context.kube[dc.name].get(Ref("Service", GATEWAY_SERVICE, dc.namespace))
    address = gateway.address(dc, service)
    return (address, dc.gateway_port) if address else None


def _wan_address(gateway: Mapping[str, Any]) -> Address:
    """A mesh gateway's public address, as a federation state holds it."""
    tagged = gateway["Service"].get("TaggedAddresses", {}).get("wan", {})
    return (
        str(tagged.get("Address") or gateway["Service"]["Address"]),
        int(tagged.get("Port") or gateway["Service"]["Port"]),
    )


def _is_away(why: MeshkitError) -> bool:
    return isinstance(why, UnreachableError)


def _note(what: str, name: str, why: MeshkitError) -> str:
    """The same words for whatever a cluster does not say, so that they are told once."""
    reason = why.message.removeprefix(f"{name}: ")
    if name:
        return f"{name}: {reason}"
    return f"no datacenter's servers can be asked: {reason}" if what == "mesh" else f"no CA certificate: {reason}"
