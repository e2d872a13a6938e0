"""From what is wanted to probes: addresses, SNI and identities as the federation has them now.

The far side of a gateway is chosen by SNI alone, ``<service>.<namespace>.<datacenter>.internal.<trust domain>``: a TLS
handshake with it ends at the service's own sidecar, which is told by its SPIFFE ID. Both are as Consul builds them,
https://github.com/hashicorp/consul/blob/v1.22.7/agent/connect/sni.go.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from meshkit.consul.names import HTTPS_PORT, SERVER_API, probe_service
from meshkit.consul.values import upstream_ports
from meshkit.errors import UsageError
from meshkit.federation.context import Context
from meshkit.federation.mesh_request import Pair
from meshkit.federation.probing.surroundings import Surroundings, look
from meshkit.model import Datacenter
from meshkit.probes import mechanisms
from meshkit.probes.ladder import MESH, NETWORK, RPC
from meshkit.probes.mechanisms.echo import EchoTarget
from meshkit.probes.mechanisms.http import HttpTarget
from meshkit.probes.mechanisms.tcp import TcpTarget
from meshkit.probes.mechanisms.tls import TlsTarget
from meshkit.probes.probe import Probe, Series, Target
from meshkit.probes.wanted import LADDER, LOCAL, SERVICE, Wanted

NEEDS_CLUSTER = frozenset({RPC, MESH})
"""Rungs that begin inside a cluster: at its own servers, or in a sidecar."""

WATCH_S = 1.0
"""How long a service's sidecar is watched for a refusal: a round trip between continents and some work."""

HTTP_PROTOCOLS = frozenset({"http", "http2", "grpc"})


@dataclass(frozen=True)
class Plan:
    """Who probes what. ``pairs`` are those whose rung through the mesh needs an intention from probe to probe.

    ``identities`` are services as which probes are made, by the source that makes them. ``notes`` say what is left out.
    ``entries`` name what each probe, by its id, was wanted by. ``floors`` and ``away`` are as in ``Surroundings``.
    """

    probes: Mapping[str, tuple[Probe, ...]]
    pairs: tuple[Pair, ...] = ()
    identities: Mapping[str, frozenset[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    entries: Mapping[str, str] = field(default_factory=dict)
    floors: Mapping[tuple[str, str], float] = field(default_factory=dict)
    away: Mapping[str, str] = field(default_factory=dict)


def resolve(context: Context, wanted: Sequence[Wanted], seen: Surroundings | None = None) -> Plan:
    """The probes of every source; UsageError for what is not in the federation, before anything is asked of it.

    ``seen`` is what somebody has looked at just now.
    """
    for entry in wanted:
        _check(context, entry)
    builder = _Builder(context, seen or look(context, catalogs=any(entry.kind == SERVICE for entry in wanted)))
    for entry in wanted:
        for source in entry.sources or [dc.name for dc in context.federation.datacenters]:
            builder.add(entry, source)
    return builder.plan()


def datacenter(context: Context, name: str) -> Datacenter:
    """A datacenter by name; UsageError with what is near and what is there."""
    found = {dc.name: dc for dc in context.federation.datacenters}
    if name not in found:
        near = difflib.get_close_matches(name, found, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(found)}"
        raise UsageError(f"no datacenter {name} is in federation {context.federation.name}", hint=hint)
    return found[name]


def _check(context: Context, entry: Wanted) -> None:
    for name in entry.sources:
        if name != LOCAL:
            datacenter(context, name)
    if entry.kind in (LADDER, SERVICE):
        for name in entry.destinations:
            datacenter(context, name)
    elif entry.kind not in mechanisms.NAMES:
        raise UsageError(
            f"{entry.name}: there is no mechanism {entry.kind}", hint=f"there are {', '.join(mechanisms.NAMES)}"
        )


class _Builder:
    """Collects probes; each kind of entry is a method of its name."""

    def __init__(self, context: Context, seen: Surroundings) -> None:
        self._context = context
        self._seen = seen
        self._probes: dict[str, list[Probe]] = {}
        self._pairs: dict[Pair, None] = {}
        self._identities: dict[str, set[str]] = {}
        self._notes: dict[str, None] = dict.fromkeys(seen.notes)
        self._entries: dict[str, str] = {}

    def plan(self) -> Plan:
        return Plan(
            {source: tuple(probes) for source, probes in self._probes.items()},
            tuple(self._pairs),
            {source: frozenset(names) for source, names in self._identities.items()},
            tuple(self._notes),
            self._entries,
            self._seen.floors,
            self._seen.away,
        )

    def add(self, entry: Wanted, source: str) -> None:
        if entry.kind == LADDER:
            self._ladder(entry, source)
        elif entry.kind == SERVICE:
            self._service(entry, source)
        else:
            label = entry.destinations[0] if entry.destinations else entry.name
            series = Series(source, label, entry.name, entry.kind)
            self._keep(entry, series, self._made(entry))

    def _ladder(self, entry: Wanted, source: str) -> None:
        for there in self._others(entry, source):
            for rung in entry.rungs:
                if source == LOCAL and rung in NEEDS_CLUSTER:
                    self._note(f"{rung} begins inside a cluster: not probed from {LOCAL}")
                elif target := self._rung(rung, source, there):
                    self._keep(entry, Series(source, there.name, probe_service(there.name), rung), target)

    def _rung(self, rung: str, source: str, there: Datacenter) -> Target | None:
        if rung == RPC:
            return self._rpc(source, there)
        if rung == MESH:
            here = datacenter(self._context, source)
            self._pairs[here, there] = None
            return EchoTarget("127.0.0.1", upstream_ports(self._context.federation, here)[there])
        gateway = self._seen.gateways.get(there.name)
        if gateway is None:
            self._note(f"{there.name}: its gateway's address is not known, so nothing is sent there")
            return None
        if rung == NETWORK:
            return TcpTarget(*gateway)
        return self._sidecar(source, there, probe_service(there.name))

    def _rpc(self, source: str, there: Datacenter) -> Target | None:
        """Asked of the own servers, answered by the other's: Consul forwards it through both gateways."""
        if not self._seen.ca_certificate:
            self._note(f"{RPC} needs the CA certificate, which is not known: not probed")
            return None
        return HttpTarget(
            url=f"https://server.{source}.consul:{HTTPS_PORT}/v1/status/leader?dc={there.name}",
            connect_host=SERVER_API,
            roots=self._seen.ca_certificate,
        )

    def _sidecar(self, source: str, there: Datacenter, service: str, **more: Any) -> Target | None:
        """A handshake with a service's sidecar, through its datacenter's gateway."""
        gateway, domain = self._seen.gateways.get(there.name), self._seen.trust_domain
        if gateway is None or not domain:
            self._note(f"{there.name}: its gateway's address or the trust domain is not known")
            return None
        if source == LOCAL:
            self._note(f"{LOCAL} has no mesh certificate: handshakes without one")
            more |= {"identity": "", "roots": self._seen.mesh_roots}
        return TlsTarget(
            *gateway,
            server_name=f"{service}.default.{there.name}.internal.{domain}",
            spiffe=f"spiffe://{domain}/ns/default/dc/{there.name}/svc/{service}",
            verify="mesh",
            **({"identity": "mesh"} | more),
        )

    def _service(self, entry: Wanted, source: str) -> None:
        service, identity = str(entry.target["service"]), str(entry.target.get("as", ""))
        if identity and source == LOCAL:
            raise UsageError(f"{LOCAL} can't speak as {identity}", hint="probe it from a datacenter: --from")
        greeting = f"GET / HTTP/1.1\r\nHost: {service}\r\nUser-Agent: meshkit-probe\r\nConnection: close\r\n\r\n"
        for there in self._others(entry, source, with_own=True):
            self._seen.require(service, there.name)
            if there.name not in self._seen.catalogs:
                self._note(
                    f"{there.name}: its catalog is not known, so whether {service} is there only the probe tells"
                )
            plain = self._seen.protocols.get(service, "tcp") not in HTTP_PROTOCOLS
            speaks = {"greeting": "\n" if plain else greeting, "linger_s": min(WATCH_S, entry.timeout_s / 2)}
            if identity:
                self._identities.setdefault(source, set()).add(identity)
                speaks["identity"] = identity
            if target := self._sidecar(source, there, service, **speaks):
                self._keep(entry, Series(source, there.name, service, entry.name), target)

    def _others(self, entry: Wanted, source: str, *, with_own: bool = False) -> Iterator[Datacenter]:
        """Where an entry goes: its destinations, or all; the source itself only when it is named for a service."""
        for dc in self._context.federation.datacenters:
            named = dc.name in entry.destinations
            if (named or not entry.destinations) and (dc.name != source or (named and with_own)):
                yield dc

    def _made(self, entry: Wanted) -> Target:
        try:
            made: Target = mechanisms.kind(entry.kind)(**entry.target)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{entry.name}: {_words(error)}", hint=f"the fields of {entry.kind}: --help") from error
        return made

    def _keep(self, entry: Wanted, series: Series, target: Target) -> None:
        name = f"{entry.name}/{series.source}/{series.destination}/{series.service}/{series.probe}"
        probe = Probe(name, series, target, entry.every_s, entry.timeout_s, entry.expect)
        self._probes.setdefault(series.source, []).append(probe)
        self._entries[name] = entry.name

    def _note(self, text: str) -> None:
        self._notes[text] = None


def _words(error: Exception) -> str:
    """What a constructor complains about, without its own name."""
    return str(error).rpartition("__init__() ")[2]


def with_pace(plan: Plan, interval_s: float) -> Plan:
    """The same probes at one interval."""
    return replace(
        plan,
        probes={
            s: tuple(replace(probe, interval_s=interval_s) for probe in probes) for s, probes in plan.probes.items()
        },
    )
