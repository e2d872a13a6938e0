"""Verify: what must come true by itself has come true, and requests really cross both gateways, or are refused.

For each ordered pair of datacenters a request goes from probe to probe: source sidecar, own gateway, the other's
gateway, destination sidecar. It must pass with an intention and must be refused without: the same path is tried both
ways, so a refusal can't be mistaken for a path that was never there. meshkit's own intentions are marked and are
taken away again, also those that a killed run left behind; a user's are left alone, and what they say is expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from meshkit.backends.base import Consul, Manifest
from meshkit.checks import check
from meshkit.checks.catalogue import CONVERGENCE
from meshkit.checks.observe import observe
from meshkit.consul import config_entries
from meshkit.consul.config_entries import Intention
from meshkit.consul.names import probe_service
from meshkit.errors import MeshkitError
from meshkit.events import Note
from meshkit.federation import mesh_request
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.federation.mesh_request import Pair
from meshkit.model import Datacenter

TASK = "verify"
TEMPORARY = "meshkit verification"
"""Description of the intentions that exist only while a request is tried."""


def plan(context: Context) -> tuple[Change, ...]:
    """Always tried, whatever was there: a federation that worked yesterday may not today."""
    count = len(context.federation.pairs)
    return (Change("verify", f"{count} requests through the mesh, allowed and refused"),)


def act(context: Context) -> None:
    """Wait for convergence, then try every ordered pair, all at the same time."""
    context.wait(TASK, context.federation.name, lambda: _unsettled(context), hint="meshkit check says what to do")
    consul = context.consul(context.federation.primary.name)
    try_requests(context, consul, context.federation.pairs)


def try_requests(context: Context, consul: Consul, pairs: Sequence[Pair]) -> None:
    """Prove each pair; a pair that the user's own intentions decide is held to what they say."""
    _remove_temporary(consul)
    entries = consul.config_entries("service-intentions")
    tried = [pair for pair in pairs if not _has_permissions(entries, pair)]
    ours = [pair for pair in tried if not _decided_by_user(entries, pair)]
    theirs = [pair for pair in tried if pair not in ours]
    for source, target in pairs:
        scope = f"{source.name} to {target.name}"
        if (source, target) in theirs:
            context.observe(Note("an intention of yours decides here, and is held to", scope))
        elif (source, target) not in tried:
            context.observe(Note("an intention of yours with HTTP permissions decides here; not tried", scope))
    try:
        _allow(consul, ours)
        _expect(context, ours, lambda _: True)
    finally:
        _remove_temporary(consul)
    _expect(context, ours, lambda _: False)
    rules = config_entries.intentions(entries)
    _expect(context, theirs, lambda pair: _action(rules, pair) == "allow")


def _unsettled(context: Context) -> str:
    """The first check that does not hold yet, as a phrase for the screen."""
    for result in check.run(observe(context), CONVERGENCE):
        if result.verdict != "pass":
            return f"not yet: {result.check}: {result.detail}"
    return ""


def _expect(context: Context, pairs: Iterable[Pair], passes: Callable[[Pair], bool]) -> None:
    """Wait until each pair's request passes, or is refused, as it should."""
    by_source: dict[Datacenter, list[Pair]] = {}
    for pair in pairs:
        by_source.setdefault(pair[0], []).append(pair)

    def try_all(source: Datacenter) -> None:
        for pair in by_source[source]:
            context.wait(
                TASK,
                f"{source.name} to {pair[1].name}",
                partial(mesh_request.differs, context, pair, passes=passes(pair)),
                hint="meshkit check names the part that fails",
            )

    context.each(try_all, by_source)


def _has_permissions(entries: Iterable[Manifest], pair: Pair) -> bool:
    """Whether HTTP permissions decide for a pair: an action in their place would lose them."""
    source, destination = _names(pair)
    sources = (s for entry in entries if entry["Name"] == destination for s in entry.get("Sources") or ())
    return any(s["Name"] == source and s.get("Permissions") for s in sources)


def _decided_by_user(entries: Iterable[Manifest], pair: Pair) -> bool:
    rules = config_entries.intentions(tuple(entries))
    decisive = config_entries.decide(rules, *_names(pair))
    return decisive is not None and decisive != config_entries.DEFAULT_DENY


def _action(rules: Iterable[Intention], pair: Pair) -> str:
    decisive = config_entries.decide(tuple(rules), *_names(pair))
    return decisive.action if decisive else "deny"


def _allow(consul: Consul, pairs: Iterable[Pair]) -> None:
    """One write per destination: its intentions are one config entry."""
    found = {entry["Name"]: entry for entry in consul.config_entries("service-intentions")}
    changed: dict[str, Manifest] = {}
    for pair in pairs:
        source, destination = _names(pair)
        entry = changed.get(destination, found.get(destination))
        changed[destination] = config_entries.with_intention(
            entry, Intention(source, destination, "allow"), description=TEMPORARY
        )
    for entry in changed.values():
        consul.write_config_entry(entry)


def _remove_temporary(consul: Consul) -> None:
    for entry in consul.config_entries("service-intentions"):
        kept: Manifest | None = entry
        for source in entry.get("Sources") or ():
            if source.get("Description") == TEMPORARY and kept is not None:
                kept = config_entries.without_intention(kept, source["Name"])
        if kept is None:
            consul.delete_config_entry("service-intentions", entry["Name"])
        elif kept is not entry:
            consul.write_config_entry(kept)


def _names(pair: Pair) -> tuple[str, str]:
    if pair[0] == pair[1]:
        raise MeshkitError("a request through the mesh needs two datacenters")
    return probe_service(pair[0].name), probe_service(pair[1].name)
