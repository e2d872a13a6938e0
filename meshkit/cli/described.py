"""A federation as a command's arguments or a mesh.yaml describe it, over what this machine knows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshkit import config
from meshkit.cli import contexts
from meshkit.federation import describe
from meshkit.federation.state import Identity, State, known
from meshkit.model import Federation


@dataclass(frozen=True)
class Described:
    """The whole federation, also what stays of it unnamed; ``named`` are the contexts that were named now."""

    federation: Federation
    state: State
    identity: Identity | None
    named: frozenset[str]


def from_file(file: str, passphrase: bytes | None) -> Described:
    """What a mesh.yaml describes."""
    found = config.load(file, known=known())
    state = State(found.name, passphrase)
    named = frozenset(dc.context for dc in found.datacenters)
    return _over(found, state, named, None)


def from_arguments(
    clusters: Sequence[str], name: str, options: Mapping[str, Any], passphrase: bytes | None
) -> Described:
    """What clusters and options describe; clusters of a federation that exists need not be named again."""
    state = State(name, passphrase)
    identity = state.identity()
    there = {dc.context: dc.name for dc in identity.federation.datacenters} if identity else {}
    clusters = contexts.expanded(clusters, there)
    listed = [*clusters, *_stay(identity, clusters)]
    found = config.from_arguments(listed, federation=name, known=known(), **options)
    return _over(found, state, frozenset(map(_context, clusters)), options)


def _over(found: Federation, state: State, named: frozenset[str], options: Mapping[str, Any] | None) -> Described:
    identity = state.identity()
    known_here = identity.federation if identity else None
    return Described(describe.resolve(found, known_here, options), state, identity, named)


def _stay(identity: Identity | None, clusters: Sequence[str]) -> list[str]:
    """The clusters of a federation that exists and that are not named now, in the form of arguments."""
    named = {_context(cluster) for cluster in clusters}
    there = identity.federation.datacenters if identity and clusters else ()
    return [f"{dc.name}={dc.context}" for dc in there if dc.context not in named]


def _context(cluster: str) -> str:
    """The context of ``CONTEXT`` or ``NAME=CONTEXT``; an equals sign in a context's own name comes after a NAME."""
    name, equals, context = cluster.partition("=")
    return context if equals else name
