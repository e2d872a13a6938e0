"""Which federation a command is about: the one this machine made, or the one that given contexts belong to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from meshkit.backends.base import Kube
from meshkit.cli import console, wiring
from meshkit.cli.contexts import whole
from meshkit.cli.options import read_passphrase
from meshkit.errors import UsageError
from meshkit.federation import discover, state
from meshkit.federation.context import Context
from meshkit.federation.state import Identity, State
from meshkit.model import DEFAULT_NAMESPACE, Datacenter, Federation

TIMEOUT_S = 60.0


@contextmanager
def opened(
    name: str, contexts: Sequence[str], namespace: str = "", *, timeout_s: float = TIMEOUT_S, partial: bool = False
) -> Iterator[Context]:
    """A context over a federation that exists, though one of its clusters may be away; ``partial`` as in discover."""
    federation, held = find(name, contexts, namespace, partial=partial)
    with connected(federation, held, timeout_s=timeout_s) as context:
        yield context


@contextmanager
def connected(federation: Federation, held: State, *, timeout_s: float = TIMEOUT_S) -> Iterator[Context]:
    """A context over what ``find`` has found, for who has something to check in between."""
    with (
        console.narrator() as observe,
        wiring.connect(federation, held, observe, timeout_s, all_of_them=False) as context,
    ):
        yield context


def find(name: str, contexts: Sequence[str], namespace: str = "", *, partial: bool = False) -> tuple[Federation, State]:
    """By contexts when there are any, else by name, else the only one this machine knows."""
    if contexts:
        found = discover.discover(
            clusters([whole(context) for context in contexts]), namespace or DEFAULT_NAMESPACE, partial=partial
        )
        return found.federation, _state_of(found)
    names = (name,) if name else state.known()
    if not names:
        raise UsageError(
            "this machine knows no federation", hint="name its contexts, or make one: meshkit federate aks eks"
        )
    if len(names) > 1:
        raise UsageError(f"this machine knows several federations: {', '.join(names)}", hint="--federation NAME")
    held = State(names[0], read_passphrase(None, os.environ))
    identity = held.identity()
    if identity is None:
        listed = ", ".join(state.known()) or "none"
        raise UsageError(f"this machine knows no federation {names[0]}", hint=f"known here: {listed}")
    return identity.federation, held


def _state_of(found: Identity) -> State:
    """This machine's state of a federation, or an empty one: another of the same name must not be taken for it."""
    held = State(found.federation.name, read_passphrase(None, os.environ))
    identity = held.identity()
    return held if identity and identity.id == found.id else State(f"{found.federation.name}-{found.id[:8]}")


def clusters(contexts: Sequence[str]) -> dict[str, Kube]:
    """A client per context."""
    return dict(wiring.open_clusters(tuple(Datacenter(context, context) for context in contexts)))
