"""The login of one context by a credential plugin, kept until it is about to expire.

Tokens of the clouds last 15 to 60 minutes, and a watch or a roll-out outlives them. The official client asks its plugin
again for tokens but not for client certificates, and never after a 401; both are done here.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from meshkit.backends import plugin

EARLY = timedelta(seconds=30)
"""How long before its end a credential is given up: longer than any request takes, and than clocks differ."""

HEADER = "BearerToken"
"""The official client's key for the Authorization header."""


class Login:
    """Asks the plugin when there is no credential or it is about to expire; from one thread at a time."""

    def __init__(
        self, context: str, spec: Mapping[str, Any], folder: Path, cluster: Mapping[str, Any], *, person: bool
    ) -> None:
        self._context = context
        self._person = person
        self._spec = spec
        self._folder = folder
        self._cluster = cluster
        self._held: plugin.Credential | None = None
        self._asked = datetime.now(UTC)
        self._lock = threading.Lock()

    def apply(self, configuration: Any) -> bool:
        """Put a good credential into the client's configuration; whether that has a new client certificate now."""
        with self._lock:
            if self._held is not None and not self._is_ending(self._held):
                return False
            self._held = plugin.ask(self._context, self._spec, self._folder, self._cluster, person=self._person)
            self._asked = datetime.now(UTC)
            if self._held.token:
                configuration.api_key[HEADER] = f"Bearer {self._held.token}"
            if not self._held.certificate:
                return False
            configuration.cert_file, configuration.key_file = self._written(self._held)
            return True

    def forget(self, header: str) -> bool:
        """Drop a credential that the server does not accept, unless it has been replaced since; whether there was one.

        ``header`` is what the refused request carried.
        """
        with self._lock:
            if self._held is None:
                return False
            if header in ("", f"Bearer {self._held.token}"):
                self._held = None
            return True

    def _is_ending(self, held: plugin.Credential) -> bool:
        """Whether it is about to expire; one that was given for less than a minute is used for half of its time."""
        if held.expires is None:
            return False
        return datetime.now(UTC) >= held.expires - min(EARLY, (held.expires - self._asked) / 2)

    def _written(self, held: plugin.Credential) -> tuple[str, str]:
        """Certificate and key as files, which is what TLS libraries take; the folder goes with this object."""
        folder = tempfile.mkdtemp(prefix="meshkit-login-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        paths = Path(folder, "client.crt"), Path(folder, "client.key")
        for path, content in zip(paths, (held.certificate, held.key), strict=True):
            path.touch(mode=0o600)
            path.write_text(content, encoding="ascii", errors="replace")
        return str(paths[0]), str(paths[1])
