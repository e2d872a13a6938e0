"""Trial intentions: from probe to probe, there only while requests are tried.

They are marked by their description, so that those which a killed run left behind are found and taken away. A pair
that the user's own intentions decide gets none: what they say is what is expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from meshkit.backends.base import Consul, Manifest
from meshkit.consul import config_entries
from meshkit.consul.config_entries import DEFAULT_DENY, Intention
from meshkit.consul.names import probe_service
from meshkit.errors import MeshkitError
from meshkit.federation.mesh_request import Pair

DESCRIPTION = "meshkit verification"


def users_entries(consul: Consul) -> tuple[Manifest, ...]:
    """The service-intentions entries as they are without trials."""
    entries = (_without(entry, DESCRIPTION) for entry in consul.config_entries(config_entries.INTENTIONS))
    return tuple(entry for entry in entries if entry)


def undecided(entries: Sequence[Manifest], pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """The pairs that only the default deny decides, and whose requests may therefore be tried with a trial."""
    return tuple(p for p in pairs if not has_permissions(entries, p) and decision(entries, p) in (None, DEFAULT_DENY))


def has_permissions(entries: Iterable[Manifest], pair: Pair) -> bool:
    """Whether HTTP permissions decide for a pair: an action in their place would lose them."""
    source, destination = _names(pair)
    sources = (s for entry in entries if entry["Name"] == destination for s in entry.get("Sources") or ())
    return any(s["Name"] == source and s.get("Permissions") for s in sources)


def decision(entries: Sequence[Manifest], pair: Pair) -> Intention | None:
    """The intention that decides for a pair, None when none does and the ACL default denies."""
    return config_entries.decide(config_entries.intentions(entries), *_names(pair))


def allow(consul: Consul, pairs: Iterable[Pair], description: str = DESCRIPTION) -> None:
    """Write what is missing, marked by ``description``; one write per destination, whose intentions are one entry."""
    found = {entry["Name"]: entry for entry in consul.config_entries(config_entries.INTENTIONS)}
    changed: dict[str, Manifest] = {}
    for pair in pairs:
        wanted = Intention(*_names(pair), "allow")
        entry = changed.get(wanted.destination, found.get(wanted.destination))
        if wanted not in config_entries.intentions([entry] if entry else []):
            changed[wanted.destination] = config_entries.with_intention(entry, wanted, description)
    for entry in changed.values():
        consul.write_config_entry(entry)


@contextmanager
def allowed(consul: Consul, pairs: Iterable[Pair]) -> Iterator[None]:
    """Trials for as long as the context is open; an error inside it is not hidden by one of taking them away."""
    try:
        allow(consul, pairs)
        yield
    except BaseException:
        with suppress(MeshkitError):
            remove(consul)
        raise
    remove(consul)


def remove(consul: Consul, description: str = DESCRIPTION) -> None:
    """Take all intentions of that mark away, whichever run made them."""
    for entry in consul.config_entries(config_entries.INTENTIONS):
        kept = _without(entry, description)
        if kept is None:
            consul.delete_config_entry(config_entries.INTENTIONS, entry["Name"])
        elif kept is not entry:
            consul.write_config_entry(kept)


def _without(entry: Manifest, description: str) -> Manifest | None:
    """The entry itself when nothing in it has that mark, None when it has nothing else."""
    kept: Manifest | None = entry
    for source in entry.get("Sources") or ():
        if source.get("Description") == description and kept is not None:
            kept = config_entries.without_intention(kept, source["Name"])
    return kept


def _names(pair: Pair) -> tuple[str, str]:
    if pair[0] == pair[1]:
        raise MeshkitError("a request through the mesh needs two datacenters")
    return probe_service(pair[0].name), probe_service(pair[1].name)
