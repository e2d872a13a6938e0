"""Trial intentions: from probe to probe, there only while requests are tried.

They say who holds them (``consul.holds``), so that runs at the same time share them, and that those which a killed run
left behind are found and taken away. A pair that the user's own intentions decide gets none: what they say is what is
expected.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta

from meshkit.backends.base import Consul, Manifest
from meshkit.consul import config_entries, holds
from meshkit.consul.config_entries import DEFAULT_DENY, Intention
from meshkit.consul.holds import Hold
from meshkit.consul.names import probe_service
from meshkit.errors import MeshkitError
from meshkit.federation import compare_and_set, resource_entries
from meshkit.federation.context import Context
from meshkit.federation.mesh_request import Pair

VERIFICATION = "verification"
"""Federate's hold has one name: a federation has one federate at a time, and the next takes over from a killed one."""

FEDERATE_S, ENDLESS_S = 3600.0, 86400.0
"""How long federate holds at most, and a run that was given no end: one that watches for longer may lose its mesh rung
to another run that tidies up."""

MARGIN_S = 600.0
"""For writing and taking away, and for the clocks of two machines."""


def for_federate(context: Context) -> Hold:
    """What federate holds by."""
    return _hold(context, VERIFICATION, FEDERATE_S)


def for_run(context: Context, lasts_s: float) -> Hold:
    """What one run holds by; ``lasts_s`` may be infinite."""
    return _hold(context, f"run {secrets.token_hex(3)}", lasts_s if math.isfinite(lasts_s) else ENDLESS_S)


def users_entries(consul: Consul) -> tuple[Manifest, ...]:
    """The service-intentions entries as they are without trials."""
    return of_users(consul.config_entries(config_entries.INTENTIONS))


def of_users(entries: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Entries as they are without trials."""
    return _without(entries, scheduled=True)


def undecided(entries: Sequence[Manifest], pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """The pairs that only the default deny decides, and whose requests may therefore be tried with a trial."""
    return tuple(p for p in pairs if not has_permissions(entries, p) and decision(entries, p) in (None, DEFAULT_DENY))


def tried(entries: Iterable[Manifest], pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """The pairs that a trial allows now, whoever holds it: what decides without it can't be seen."""
    by_name = {entry["Name"]: entry for entry in entries}
    found = {pair: holds.on(by_name.get(_names(pair)[1]), _names(pair)[0]) for pair in pairs}
    return tuple(pair for pair, held in found.items() if held and not holds.lasts(held))


def has_permissions(entries: Iterable[Manifest], pair: Pair) -> bool:
    """Whether HTTP permissions decide for a pair: an action in their place would lose them."""
    source, destination = _names(pair)
    sources = (s for entry in entries if entry["Name"] == destination for s in entry.get("Sources") or ())
    return any(s["Name"] == source and s.get("Permissions") for s in sources)


def decision(entries: Sequence[Manifest], pair: Pair) -> Intention | None:
    """The intention that decides for a pair, None when none does and the ACL default denies."""
    return config_entries.decide(config_entries.intentions(entries), *_names(pair))


def allow(context: Context, pairs: Iterable[Pair], hold: Hold) -> None:
    """Write what is missing; one write per destination, whose intentions are one entry."""
    sources: dict[str, list[str]] = {}
    for source, destination in map(_names, pairs):
        sources.setdefault(destination, []).append(source)
    now = context.clock.now()

    def change(destination: str, entry: Manifest | None) -> Manifest | None:
        for source in sources[destination]:
            entry = holds.added(entry, Intention(source, destination, "allow"), hold, now)
        return entry

    compare_and_set.rewrite(resource_entries.of(context), change, sources)


@contextmanager
def allowed(context: Context, pairs: Iterable[Pair], hold: Hold) -> Iterator[None]:
    """Trials for as long as the context is open; an error inside it is not hidden by one of taking them away."""
    try:
        allow(context, pairs, hold)
        yield
    except BaseException:
        with suppress(MeshkitError):
            remove(context, hold.holder)
        raise
    remove(context, hold.holder)


@contextmanager
def succeeded(context: Context, pairs: Iterable[Pair], hold: Hold) -> Iterator[None]:
    """Let ``hold`` have those of the pairs that nobody's own intentions decide, and once all went well no others.

    What came before goes on meanwhile, and needs what it held.
    """
    wanted = undecided(_without(_primary(context).config_entries(config_entries.INTENTIONS), scheduled=False), pairs)
    allow(context, wanted, hold)
    yield
    remove(context, hold.holder, but=wanted)


def remove(context: Context, holder: str, *, but: Collection[Pair] = ()) -> None:
    """Let go of what ``holder`` holds, and take away what nobody holds any more, whichever run made it."""
    kept, now = {_names(pair) for pair in but}, context.clock.now()

    def change(destination: str, entry: Manifest | None) -> Manifest | None:
        return entry and holds.released(entry, lambda source: (source, destination) not in kept, holder, now)

    compare_and_set.rewrite(resource_entries.of(context), change)


def _without(entries: Iterable[Manifest], *, scheduled: bool) -> tuple[Manifest, ...]:
    """Entries without what meshkit made, but for what a schedule holds when ``scheduled``."""
    found: list[Manifest] = []
    for entry in entries:
        kept: Manifest | None = entry
        for source in entry.get("Sources") or ():
            held = holds.of(source)
            if kept is not None and held and not (scheduled and holds.lasts(held)):
                kept = config_entries.without_intention(kept, source["Name"])
        if kept is not None:
            found.append(kept)
    return tuple(found)


def _hold(context: Context, holder: str, lasts_s: float) -> Hold:
    until = context.clock.now() + timedelta(seconds=lasts_s + MARGIN_S)
    return Hold(holder, until.replace(microsecond=0))


def _primary(context: Context) -> Consul:
    return context.consul(context.federation.primary.name)


def _names(pair: Pair) -> tuple[str, str]:
    if pair[0] == pair[1]:
        raise MeshkitError("a request through the mesh needs two datacenters")
    return probe_service(pair[0].name), probe_service(pair[1].name)
