"""What the intentions say should be seen: what is allowed passes, and what is denied is refused.

Each is tried as Consul decides it, on the real path: a handshake with the destination's sidecar, with a certificate of
the source, and the first bytes, since a sidecar asks its intentions only then.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.consul import config_entries
from meshkit.consul.config_entries import ANY, Intention
from meshkit.consul.names import probe_service
from meshkit.federation import trial
from meshkit.federation.context import Context
from meshkit.probes.expect import REACHABLE, REFUSED
from meshkit.probes.wanted import SERVICE, Wanted

NAME = "intention"
SIDECAR = "-sidecar-proxy"


def expected(context: Context) -> tuple[Wanted, ...]:
    """An entry per ordered pair of probes, and per intention between two services that are in the mesh."""
    consul = context.consul(context.federation.primary.name)
    entries = trial.users_entries(consul)
    rules = config_entries.intentions(entries)
    wanted = [
        _wanted(
            source.name, there.name, probe_service(there.name), "", _allowed(rules, *_probes(source.name, there.name))
        )
        for source, there in context.federation.pairs
        if not trial.has_permissions(entries, (source, there))
    ]
    return (*wanted, *_between_services(context, rules))


def _between_services(context: Context, rules: tuple[Intention, ...]) -> Iterator[Wanted]:
    catalogs = {dc.name: set(context.consul(dc.name).services(dc.name)) for dc in context.federation.datacenters}
    for rule in rules:
        if ANY in (rule.source, rule.destination):
            continue
        sources = [name for name, catalog in catalogs.items() if rule.source + SIDECAR in catalog]
        destinations = [name for name, catalog in catalogs.items() if rule.destination + SIDECAR in catalog]
        for source in sources:
            for there in destinations:
                if source != there and rule.destination != probe_service(there):
                    yield _wanted(source, there, rule.destination, rule.source, rule.action == "allow")


def _probes(source: str, there: str) -> tuple[str, str]:
    return probe_service(source), probe_service(there)


def _allowed(rules: tuple[Intention, ...], source: str, destination: str) -> bool:
    decisive = config_entries.decide(rules, source, destination)
    return decisive is not None and decisive.action == "allow"


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
