"""What the official chart's controller makes of one resource: ReconcileEntry of its configentry_controller.go."""

from __future__ import annotations

from dataclasses import dataclass

from fakes.wan import Store
from meshkit.backends.base import Manifest
from meshkit.consul import resources


@dataclass(frozen=True)
class Outcome:
    """What the resource gets: a condition Synced without its time, if a new one, or its finalizer taken away."""

    condition: Manifest | None = None
    released: bool = False


def reconcile(resource: Manifest, store: Store, datacenter: str, fails_with: str = "") -> Outcome:
    """Write or delete the resource's entry in the primary's ``store``; ``fails_with`` is what Consul says to writes."""
    entry = _entry(resource)
    key = entry["Kind"], entry["Name"]
    held = store.entries.get(key)
    owner = (held or {}).get("Meta", {}).get(resources.DATACENTER, "")
    ours, same = owner == datacenter, held is not None and resources.says_the_same(entry, held)
    if resource["metadata"].get("deletionTimestamp"):
        if held and ours and not fails_with:
            del store.entries[key]
        return Outcome(released=not fails_with)
    migrates = (resource["metadata"].get("annotations") or {}).get(resources.MIGRATE) == "true"
    if fails_with:
        return _unsynced("ConsulAgentError", fails_with)
    if held and not same and not ours and not migrates:
        where = f'managed in different datacenter: "{owner}"' if owner else "already exists in Consul"
        return _unsynced("ExternallyManagedConfigError", f"config entry {where}")
    if held and not same and migrates:
        return _unsynced("MigrationFailedError", "migration failed: Kubernetes resource does not match")
    if held is None or not same or (migrates and not ours):
        store.put(entry | {"Meta": {"external-source": "kubernetes", resources.DATACENTER: datacenter}})
    elif resources.synced(resource).get("status") == "True":
        return Outcome()
    return Outcome({"type": "Synced", "status": "True", "reason": "", "message": ""})


def _unsynced(reason: str, message: str) -> Outcome:
    return Outcome({"type": "Synced", "status": "False", "reason": reason, "message": message})


def _entry(resource: Manifest) -> Manifest:
    if resource["kind"] == resources.INTENTIONS_KIND:
        return resources.entry_of(resource)
    mode = (resource["spec"].get("meshGateway") or {}).get("mode", "")
    config = resource["spec"].get("config") or {}
    return {"Kind": "proxy-defaults", "Name": "global", "MeshGateway": {"Mode": mode}, "Config": config}
