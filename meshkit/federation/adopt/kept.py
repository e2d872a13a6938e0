"""Which of the user's Helm values stay, and which give way to what a federation of meshkit's needs.

A datacenter's values lie over meshkit's own. So what meshkit must decide is taken out of them, and all else the user
has chosen (injection, resources, the interior of everything) goes on to hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshkit.consul.values import Values

DECIDED = (
    "global.name",
    "global.datacenter",
    "global.tls.enabled",
    "global.tls.caCert",
    "global.tls.caKey",
    "global.gossipEncryption",
    "global.acls.manageSystemACLs",
    "global.acls.bootstrapToken",
    "global.acls.replicationToken",
    "global.acls.createReplicationToken",
    "global.federation",
    "server.replicas",
    "server.bootstrapExpect",
    "server.serverCert",
    "meshGateway.enabled",
    "meshGateway.replicas",
    "meshGateway.containerPort",
    "meshGateway.wanAddress",
)
"""The CA's key and the federation secret among them: no cluster needs either any more."""

FEDERATION_CONFIG = "serverConfigJSON"
"""The federation secret's key that holds gateways' addresses as they once were; Consul would go on to read it."""


@dataclass(frozen=True)
class Kept:
    """``values`` are the user's; ``dropped`` are the paths that were taken out."""

    values: Values
    dropped: tuple[str, ...]


def of(values: Mapping[str, Any]) -> Kept:
    """The user's values without what meshkit decides."""
    left = dict(values)
    dropped: list[str] = []
    for path in DECIDED:
        left, found = _without(left, path.split("."))
        dropped += [path] if found else []
    volumes = (left.get("server") or {}).get("extraVolumes") or ()
    if any(_is_federation_secret(volume) for volume in volumes):
        kept = [volume for volume in volumes if not _is_federation_secret(volume)]
        left = left | {"server": left["server"] | {"extraVolumes": kept}}
        dropped.append("server.extraVolumes (the federation secret)")
    return Kept(left, tuple(dropped))


def _without(values: Values, path: Sequence[str]) -> tuple[Values, bool]:
    """A copy without what a path leads to, and whether it led to anything; nothing empty is left behind."""
    first, *rest = path
    if first not in values:
        return values, False
    if not rest:
        return {key: value for key, value in values.items() if key != first}, True
    below = values[first]
    if not isinstance(below, Mapping):
        return values, False
    inner, found = _without(dict(below), rest)
    if not found:
        return values, False
    return {key: inner if key == first else value for key, value in values.items() if key != first or inner}, True


def _is_federation_secret(volume: Any) -> bool:
    return FEDERATION_CONFIG in _keys(volume)


def _keys(volume: Any) -> Iterator[str]:
    for item in (volume.get("items") or ()) if isinstance(volume, Mapping) else ():
        if isinstance(item, Mapping):
            yield str(item.get("key", ""))
