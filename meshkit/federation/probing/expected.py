"""What the intentions say should be seen: what is allowed passes, and what is denied is refused.

Each is tried as Consul decides it, on the real path: a handshake with the destination's sidecar, with a certificate of
the source, and the first bytes, since a sidecar asks its intentions only then. What can't be judged so is a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from meshkit.backends.base import Manifest
from meshkit.consul import config_entries
from meshkit.consul.config_entries import ANY, Intention
from meshkit.consul.names import probe_service
from meshkit.errors import MeshkitError
from meshkit.federation import trial
from meshkit.federation.asking import ask
from meshkit.federation.context import Context
from meshkit.federation.mesh_request import Pair
from meshkit.federation.probing.surroundings import Surroundings
from meshkit.probes.expect import REACHABLE, REFUSED
from meshkit.probes.wanted import SERVICE, Wanted

NAME = "intention"
SIDECAR = "-sidecar-proxy"
PERMISSIONS = "HTTP permissions decide, so their intention is not tried"


@dataclass(frozen=True)
class Expected:
    """What to probe, and ``notes`` on what is left out."""

    wanted: tuple[Wanted, ...] = ()
    notes: tuple[str, ...] = ()


def expected(context: Context, seen: Surroundings) -> Expected:
    """An entry per ordered pair of probes, and per intention between two services that are in the mesh."""
    notes: list[str] = []
    try:
        found = _entries(context, seen, notes)
    except MeshkitError as error:
        return Expected(notes=(f"intentions are not tried: {error.message}",))
    entries = trial.of_users(found)
    return Expected(
        (
            *_between_probes(context, entries, trial.tried(found, context.federation.pairs), notes),
            *_between_services(context, seen, entries, notes),
        ),
        tuple(notes),
    )


def _entries(context: Context, seen: Surroundings, notes: list[str]) -> Sequence[Manifest]:
    """The intentions of the primary, else the copy of another datacenter that answers."""
    federation = context.federation
    order = [dc.name for dc in (federation.primary, *federation.secondaries)]
    order.sort(key=lambda name: name in seen.away)
    kinds = [lambda name=name: (name, context.consul(name).config_entries(config_entries.INTENTIONS)) for name in order]
    answer = ask({"intentions": kinds})["intentions"]
    if isinstance(answer, MeshkitError):
        raise answer
    name, entries = answer
    if name != federation.primary.name:
        notes.append(f"intentions as {name} has them, since the primary, {federation.primary.name}, does not answer")
    return entries


def _between_probes(
    context: Context, entries: Sequence[Manifest], tried: Sequence[Pair], notes: list[str]
) -> Iterator[Wanted]:
    for source, there in context.federation.pairs:
        names = f"{probe_service(source.name)} to {probe_service(there.name)}"
        if trial.has_permissions(entries, (source, there)):
            notes.append(f"{names}: {PERMISSIONS}")
        elif (source, there) in tried:
            notes.append(f"{names}: allowed for another run now, so their intention is not tried")
        else:
            decisive = trial.decision(entries, (source, there))
            allowed = decisive is not None and decisive.action == "allow"
            yield _wanted(source.name, there.name, probe_service(there.name), "", allowed)


def _between_services(
    context: Context, seen: Surroundings, entries: Sequence[Manifest], notes: list[str]
) -> Iterator[Wanted]:
    rules = [rule for rule in config_entries.intentions(entries) if _is_between_services(context, rule)]
    unknown = [dc.name for dc in context.federation.datacenters if dc.name not in seen.catalogs and rules]
    notes += [f"{name}: its catalog is not known, so no intention of its services is tried" for name in unknown]
    for rule in rules:
        for source, there in _places(seen, rule.source, rule.destination):
            yield _wanted(source, there, rule.destination, rule.source, rule.action == "allow")
    for source, destination in config_entries.permitted(entries):
        if not _is_probe(context, destination) and _places(seen, source, destination):
            notes.append(f"{source} to {destination}: {PERMISSIONS}")


def _is_between_services(context: Context, rule: Intention) -> bool:
    return ANY not in (rule.source, rule.destination) and not _is_probe(context, rule.destination)


def _is_probe(context: Context, service: str) -> bool:
    return service in {probe_service(dc.name) for dc in context.federation.datacenters}


def _places(seen: Surroundings, source: str, destination: str) -> list[tuple[str, str]]:
    """The ordered pairs of datacenters in which both services are in the mesh."""
    sources = [name for name, catalog in seen.catalogs.items() if source + SIDECAR in catalog]
    destinations = [name for name, catalog in seen.catalogs.items() if destination + SIDECAR in catalog]
    return [(here, there) for here in sources for there in destinations if here != there]


def _wanted(source: str, there: str, service: str, identity: str, allowed: bool) -> Wanted:  # noqa: FBT001
    target = {"service": service} | ({"as": identity} if identity else {})
    return Wanted(
        f"{NAME} {identity or probe_service(source)}",
        SERVICE,
        (source,),
        (there,),
        target=target,
        expect=(REACHABLE if allowed else REFUSED,),
    )
