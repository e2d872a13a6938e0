"""Intentions and proxy defaults, wherever they are kept: in Consul alone, or in resources that become Consul's.

With meshkit's own chart config entries are written through Consul's API. With the official chart a controller writes
what custom resources say (``resource_entries``), and an API write would be undone, or keep the controller from its
work. Whoever changes intentions goes through ``Entries`` and need not know which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from meshkit.backends.base import Consul, Manifest
from meshkit.consul import config_entries
from meshkit.errors import MeshkitError


@dataclass(frozen=True)
class Held:
    """A service-intentions entry as it was read; ``resource`` is the custom resource that says it, if one does."""

    entry: Manifest
    resource: Manifest | None = None


class Entries(Protocol):
    """The config entries that meshkit writes. They live in the primary."""

    def intentions(self) -> Mapping[str, Held]:
        """Every service-intentions entry, by its destination."""
        ...

    def write(self, before: Held | None, after: Manifest) -> bool:
        """Create or replace a service-intentions entry only while it is as it was read (None: not there).

        False when it is another by now: read again.
        """
        ...

    def delete(self, before: Held) -> bool:
        """Delete an entry only while it is as it was read; False when it is another by now, or gone."""
        ...

    def settle(self) -> None:
        """Return when Consul holds all that was written and deleted; MeshkitError says why it does not."""
        ...

    def use_local_gateways(self) -> None:
        """Have proxy-defaults say gateway mode local, in Consul too; all else in them stays."""
        ...


class ApiEntries:
    """``Entries`` through Consul's API; what is written is in Consul at once."""

    def __init__(self, consul: Consul) -> None:
        self._consul = consul

    def intentions(self) -> Mapping[str, Held]:
        """See ``Entries``; so for every public method below."""
        return {entry["Name"]: Held(entry) for entry in self._consul.config_entries(config_entries.INTENTIONS)}

    def write(self, before: Held | None, after: Manifest) -> bool:
        """See ``Entries``."""
        return self._consul.write_config_entry(after, cas=before.entry["ModifyIndex"] if before else 0)

    def delete(self, before: Held) -> bool:
        """See ``Entries``."""
        name, index = before.entry["Name"], before.entry["ModifyIndex"]
        return self._consul.delete_config_entry(config_entries.INTENTIONS, name, cas=index)

    def settle(self) -> None:
        """See ``Entries``."""

    def use_local_gateways(self) -> None:
        """See ``Entries``."""
        found = self._consul.config_entries("proxy-defaults")
        if config_entries.gateway_mode(found) == config_entries.GATEWAY_MODE:
            return
        index = next((entry["ModifyIndex"] for entry in found if entry["Name"] == "global"), 0)
        if not self._consul.write_config_entry(config_entries.proxy_defaults(found), cas=index):
            raise MeshkitError("somebody else is changing proxy-defaults", hint="run again")
