"""Who may talk to whom: intentions, written in the primary and waited for in every datacenter."""

from __future__ import annotations

import re

from meshkit.backends.base import Consul, Manifest
from meshkit.consul import config_entries, holds
from meshkit.consul.config_entries import ANY, DEFAULT_DENY, Intention
from meshkit.errors import MeshkitError, UsageError
from meshkit.events import Note
from meshkit.federation import compare_and_set, resource_entries
from meshkit.federation.context import Context

TASK = "intentions"
SERVICE = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,62}[a-zA-Z0-9])?")
"""A DNS label, since services are looked up by name; RFC 1123."""


def check_service(name: str) -> str:
    """A service's name or ``*``, or UsageError."""
    if name != ANY and not SERVICE.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a service name", hint="give a name as in the catalog (meshkit status), or '*' for all"
        )
    return name


def listed(context: Context) -> tuple[Intention, ...]:
    """Every intention, most specific first: the order in which Consul decides."""
    entries = context.consul(context.federation.primary.name).config_entries(config_entries.INTENTIONS)
    return config_entries.intentions(entries)


def write(context: Context, wanted: Intention) -> bool:
    """Set an intention, and return once every datacenter has it; False when it was there already.

    One that meshkit made for probes becomes the user's own, and no longer goes when they end.
    """
    if wanted == Intention(ANY, ANY, "allow"):
        raise UsageError(
            "allowing everything would switch the segmentation off, and the next federate would undo it",
            hint="allow what you need: meshkit allow SRC DST, or '*' for one of the two",
        )
    consul = context.consul(context.federation.primary.name)
    entries = resource_entries.of(context)
    editor = "kubectl edit serviceintentions" if context.federation.official else "consul config write"
    changed = compare_and_set.rewrite(entries, lambda _, entry: _with(entry, wanted, editor), [wanted.destination])
    if changed:
        _note_unknown(context, consul, wanted)
    context.each(lambda dc: context.wait(TASK, dc.name, lambda: _missing(context.consul(dc.name), wanted)))
    return changed


def remove(context: Context, source: str, destination: str) -> bool:
    """Take an intention away; False when there was none."""
    if (source, destination) == (DEFAULT_DENY.source, DEFAULT_DENY.destination):
        raise UsageError(
            "the default-deny intention is part of the federation", hint="allow what you need: meshkit allow SRC DST"
        )
    entries = resource_entries.of(context)
    return compare_and_set.rewrite(entries, lambda _, entry: _without(entry, source), [destination])


def _with(entry: Manifest | None, wanted: Intention, editor: str) -> Manifest | None:
    held = holds.on(entry, wanted.source)
    if not held and wanted in config_entries.intentions([entry] if entry else []):
        return entry
    _refuse_permissions(entry, wanted, editor)
    return config_entries.with_intention(entry, wanted, "" if held else None)


def _without(entry: Manifest | None, source: str) -> Manifest | None:
    if entry is None or source not in [s["Name"] for s in entry.get("Sources") or ()]:
        return entry
    return config_entries.without_intention(entry, source)


def _missing(consul: Consul, wanted: Intention) -> str:
    return (
        ""
        if wanted in config_entries.intentions(consul.config_entries(config_entries.INTENTIONS))
        else "not copied from the primary yet"
    )


def _refuse_permissions(entry: Manifest | None, wanted: Intention, editor: str) -> None:
    """HTTP permissions say more than allow or deny can; replacing them would lose them."""
    for source in (entry or {}).get("Sources") or ():
        if source["Name"] == wanted.source and source.get("Permissions"):
            raise MeshkitError(
                f"the intention from {wanted.source} to {wanted.destination} has HTTP permissions",
                hint=f"edit it with {editor}; allow and deny would replace them",
            )


def _note_unknown(context: Context, consul: Consul, wanted: Intention) -> None:
    try:
        known = {ANY}.union(*(consul.services(dc.name) for dc in context.federation.datacenters))
    except MeshkitError:
        return  # a datacenter that can't be asked now is no reason not to write
    for name in (wanted.source, wanted.destination):
        if name not in known:
            context.observe(Note(f"no service {name} is in any datacenter's catalog yet"))
