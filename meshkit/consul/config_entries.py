"""Consul config entries that meshkit writes, as pure values: proxy defaults and intentions.

Config entries live in the primary datacenter and replicate to the others, so one write settles all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Entry = dict[str, Any]
Action = Literal["allow", "deny"]

ANY = "*"
INTENTIONS = "service-intentions"
OWNED = {"owner": "meshkit"}
"""Meta of entries that meshkit made and may therefore change without asking."""


@dataclass(frozen=True)
class Intention:
    """Whether ``source`` may open connections to ``destination``; either may be ``*``."""

    source: str
    destination: str
    action: Action


DEFAULT_DENY = Intention(ANY, ANY, "deny")
GATEWAY_MODE = "local"


def proxy_defaults(found: Sequence[Entry] = ()) -> Entry:
    """Sidecars reach other datacenters through their own mesh gateway; all else that was set stays."""
    before = next((entry for entry in found if entry["Name"] == "global"), None)
    kept = writable(before) if before else {"Kind": "proxy-defaults", "Name": "global", "Meta": OWNED}
    return kept | {"MeshGateway": {"Mode": GATEWAY_MODE}}


def gateway_mode(entries: Sequence[Entry]) -> str:
    """The mesh gateway mode that proxy-defaults set, empty when they set none."""
    found = next((entry for entry in entries if entry["Name"] == "global"), {})
    return str((found.get("MeshGateway") or {}).get("Mode") or "")


def with_intention(entry: Entry | None, wanted: Intention, description: str | None = None) -> Entry:
    """The destination's service-intentions entry with this one source set; everything else in it is kept.

    So is the source's description when none is given; an empty one takes it away.
    HTTP permissions of that source go: Consul takes either them or an action, and the action is what was asked for.
    """
    source = {"Name": wanted.source, "Action": wanted.action} | ({"Description": description} if description else {})
    if entry is None:
        return {"Kind": INTENTIONS, "Name": wanted.destination, "Sources": [source], "Meta": OWNED}
    kept = writable(entry)
    before: Entry = next((s for s in kept["Sources"] if is_local(s, wanted.source)), {})
    replaced = {"Permissions"} if description is None else {"Permissions", "Description"}
    source = {key: value for key, value in before.items() if key not in replaced} | source
    return kept | {"Sources": [*(s for s in kept["Sources"] if not is_local(s, wanted.source)), source]}


def without_intention(entry: Entry, source: str) -> Entry | None:
    """The entry without one source; None when nothing is left, and the entry is to be deleted."""
    kept = writable(entry)
    others = [s for s in kept["Sources"] if not is_local(s, source)]
    return kept | {"Sources": others} if others else None


def writable(entry: Entry) -> Entry:
    """An entry as read, without the fields that Consul computes and refuses or ignores on writing."""
    kept = {key: value for key, value in entry.items() if key not in ("CreateIndex", "ModifyIndex", "Hash")}
    if "Sources" in kept:
        kept["Sources"] = [_source(s) for s in kept["Sources"] or ()]
    return kept


def intentions(entries: Sequence[Entry]) -> tuple[Intention, ...]:
    """Every intention with an action, sorted as Consul decides: exact destination and source before wildcards.

    Sources that carry HTTP permissions have no single action, and those of peers are not of this federation; both are
    left out.
    """
    found = (
        Intention(source["Name"], entry["Name"], source["Action"])
        for entry in entries
        for source in entry.get("Sources") or ()
        if source.get("Action") and is_local(source, source["Name"])
    )
    return tuple(sorted(found, key=lambda i: (i.destination == ANY, i.source == ANY, i.destination, i.source)))


def permitted(entries: Sequence[Entry]) -> tuple[tuple[str, str], ...]:
    """Sources and destinations of this federation for which HTTP permissions decide, and no single action."""
    return tuple(
        (source["Name"], entry["Name"])
        for entry in entries
        for source in entry.get("Sources") or ()
        if source.get("Permissions") and is_local(source, source["Name"])
    )


def decide(rules: Sequence[Intention], source: str, destination: str) -> Intention | None:
    """The intention that decides for a pair, None when none matches and the ACL default decides."""
    for rule in intentions_in_order(rules):
        if rule.source in (source, ANY) and rule.destination in (destination, ANY):
            return rule
    return None


def intentions_in_order(rules: Sequence[Intention]) -> tuple[Intention, ...]:
    """By precedence, https://developer.hashicorp.com/consul/docs/secure-mesh/intention: exact before wildcard."""
    return tuple(sorted(rules, key=lambda i: (i.destination == ANY, i.source == ANY)))


def is_local(source: Entry, name: str) -> bool:
    """Whether a source is this federation's service, not one of the same name in a peered cluster."""
    return bool(source["Name"] == name) and not source.get("Peer") and not source.get("SamenessGroup")


def _source(source: Entry) -> Entry:
    computed = ("Precedence", "LegacyID", "LegacyMeta", "LegacyCreateTime", "LegacyUpdateTime")
    return {key: value for key, value in source.items() if key not in computed}
