"""Config entries as custom resources of the official chart: pure mapping, names and conditions.

A resource says the same as its entry in other letters: ``pathExact`` for ``PathExact``, ``http`` for ``HTTP``. What
Consul computes, and what it fills in for every edition (namespace and partition ``default``, type ``consul``), stands
in no resource. Names and conditions are those of consul-k8s, control-plane/api/v1alpha1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from meshkit.consul.config_entries import ANY, INTENTIONS, Entry, writable

API_VERSION = "consul.hashicorp.com/v1alpha1"
GROUP = "consul.hashicorp.com"
INTENTIONS_KIND, PROXY_DEFAULTS_KIND = "ServiceIntentions", "ProxyDefaults"
INTENTIONS_CRD, PROXY_DEFAULTS_CRD = f"serviceintentions.{GROUP}", f"proxydefaults.{GROUP}"
GLOBAL = "global"
"""The only name that proxy-defaults may have."""

MIGRATE = f"{GROUP}/migrate-entry"
"""Annotation: take over an entry that is in Consul already and says the same."""

DATACENTER = f"{GROUP}/source-datacenter"
"""Meta of an entry that a controller wrote: the datacenter whose resource it is."""

FINALIZER = f"finalizers.{GROUP}"
Resource = dict[str, Any]

_LEGAL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ILLEGAL = re.compile(r"[^a-z0-9]+")
_CAPITALS = {"http": "HTTP", "jwt": "JWT"}
_SMALL = {capital: small for small, capital in _CAPITALS.items()}
_FILLED_IN = {"Namespace": "default", "Partition": "default", "Type": "consul"}
_ELSEWHERE = frozenset({"Kind", "Name", "Namespace", "Partition", "Meta"})
"""Keys of an entry that are no part of what it says: they are in the resource's destination, or the controller's."""


def name_of(destination: str) -> str:
    """A legal name for the resource of a destination, one for each.

    Never the bare service name: users name theirs so, and the controller takes the Service of that name in the same
    namespace for the destination's.
    """
    if destination == ANY:
        return "meshkit.any"
    if _LEGAL.fullmatch(destination):
        return f"meshkit-{destination}"
    readable = _ILLEGAL.sub("-", destination.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(destination.encode()).hexdigest()[:8]
    return ".".join(filter(None, ("meshkit", readable, digest)))


def service_intentions(entry: Entry, namespace: str, labels: Mapping[str, str], *, migrate: bool = False) -> Resource:
    """The resource of a service-intentions entry; with ``migrate`` it takes over the one that is in Consul."""
    metadata: Resource = {"name": name_of(entry["Name"]), "namespace": namespace, "labels": dict(labels)}
    if migrate:
        metadata["annotations"] = {MIGRATE: "true"}
    return {"apiVersion": API_VERSION, "kind": INTENTIONS_KIND, "metadata": metadata, "spec": spec_of(entry)}


def spec_of(entry: Entry) -> Resource:
    """What an entry says, as a resource's ``spec``."""
    namespace = entry.get("Namespace")
    destination = {"name": entry["Name"]} | ({"namespace": namespace} if namespace not in (None, "", "default") else {})
    return {"destination": destination, **_small(said(entry))}


def entry_of(resource: Resource) -> Entry:
    """The service-intentions entry that a resource describes, without what Consul adds."""
    spec = resource.get("spec") or {}
    words = {key: value for key, value in spec.items() if key != "destination"}
    return {"Kind": INTENTIONS, "Name": destination_of(resource), "Sources": [], **_capital(words)}


def destination_of(resource: Resource) -> str:
    """Whose intentions these are; empty for those of another Consul namespace, which is not this federation's."""
    destination = (resource.get("spec") or {}).get("destination") or {}
    return str(destination.get("name") or "") if destination.get("namespace") in (None, "", "default") else ""


def said(entry: Entry) -> Entry:
    """What an entry says, in one form however it came: nothing empty, computed or filled in."""
    return {key: value for key, value in _bare(writable(entry)).items() if key not in _ELSEWHERE}


def says_the_same(one: Entry, other: Entry) -> bool:
    """Whether two entries say the same; the order of sources is Consul's to choose."""
    return _ordered(said(one)) == _ordered(said(other))


def is_expressible(entry: Entry) -> bool:
    """Whether a resource can say all that an entry says."""
    return says_the_same(entry_of({"spec": spec_of(entry)}), entry) and entry.get("Partition") in (None, "", "default")


def synced(resource: Resource) -> Resource:
    """The condition Synced; empty while the controller has not looked at the resource."""
    conditions = (resource.get("status") or {}).get("conditions") or ()
    return next((dict(c) for c in conditions if c.get("type") == "Synced"), {})


def _ordered(words: Entry) -> Entry:
    return words | {"Sources": sorted(words.get("Sources") or (), key=repr)}


def _bare(value: Any) -> Any:
    """Without what is empty or filled in, at any depth, keys in order."""
    if isinstance(value, Mapping):
        kept = {key: _bare(value[key]) for key in sorted(value) if value[key] != _FILLED_IN.get(key)}
        return {key: inner for key, inner in kept.items() if inner not in (None, "", [], {}, False)}
    return [_bare(inner) for inner in value] if isinstance(value, list) else value


def _small(value: Any) -> Any:
    """Keys as resources spell them."""
    if isinstance(value, Mapping):
        return {_SMALL.get(key, key[:1].lower() + key[1:]): _small(inner) for key, inner in value.items()}
    return [_small(inner) for inner in value] if isinstance(value, list) else value


def _capital(value: Any) -> Any:
    """Keys as entries spell them."""
    if isinstance(value, Mapping):
        return {_CAPITALS.get(key, key[:1].upper() + key[1:]): _capital(inner) for key, inner in value.items()}
    return [_capital(inner) for inner in value] if isinstance(value, list) else value
