"""What the shell may complete: contexts of the kubeconfig, datacenters of the known federations, mechanisms."""

from __future__ import annotations

from meshkit.backends.kubeconfig_entries import entries
from meshkit.config import tags as config_tags
from meshkit.consul.names import probe_service
from meshkit.errors import MeshkitError
from meshkit.federation import state
from meshkit.platforms.catalogue import catalogue
from meshkit.probes.ladder import RUNGS
from meshkit.probes.mechanisms import NAMES
from meshkit.probes.wanted import LADDER, LOCAL
from meshkit.trace.causes import CATALOGUE


def contexts(incomplete: str) -> list[str]:
    """Contexts that begin so; nothing when the kubeconfig can't be read, since completion must not complain."""
    return [entry.name for entry in entries() if entry.name.startswith(incomplete)]


def tags(incomplete: str) -> list[str]:
    """Tags that are known without asking a cluster: clouds, and those of this machine's file."""
    try:
        own = config_tags.load()
    except MeshkitError:
        own = {}
    names = {f"cloud={key}" for key in catalogue().platforms}
    names |= {f"{name}={value}" for given in own.values() for name, value in given.items()}
    return sorted(name for name in names if name.startswith(incomplete))


def datacenters(incomplete: str) -> list[str]:
    """Datacenters of this machine's federations that begin so."""
    try:
        identities = [state.State(name).identity() for name in state.known()]
    except MeshkitError:
        return []
    names = [dc.name for identity in identities if identity for dc in identity.federation.datacenters]
    return [name for name in names if name.startswith(incomplete)]


def sources(incomplete: str) -> list[str]:
    """Where probes may start: datacenters, and this machine."""
    return [*datacenters(incomplete), *(name for name in (LOCAL,) if name.startswith(incomplete))]


def mechanisms(incomplete: str) -> list[str]:
    """What a probe may be made of."""
    return [name for name in (LADDER, *NAMES) if name.startswith(incomplete) and name != "echo"]


def rungs(incomplete: str) -> list[str]:
    """Parts of the ladder."""
    return [name for name in RUNGS if name.startswith(incomplete)]


def parties(incomplete: str) -> list[str]:
    """Datacenters, up to the slash; after it the probe's service, the only one that is known without asking."""
    datacenter, slash, service = incomplete.partition("/")
    if not slash:
        return [f"{name}/" for name in datacenters(datacenter)]
    named = probe_service(datacenter)
    return [f"{datacenter}/{named}"] if datacenter in datacenters(datacenter) and named.startswith(service) else []


def causes(incomplete: str) -> list[str]:
    """Codes of a trace's causes."""
    return [cause.code for cause in CATALOGUE if cause.code.startswith(incomplete)]
