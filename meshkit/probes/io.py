"""What all probes of a process share: the loop, name resolution, ICMP sockets and the mesh identity.

Each is opened on first use, since most agents need only some of them; only the kernel's stamps are on from the start.
"""

from __future__ import annotations

import socket
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from meshkit.probes import stamps
from meshkit.probes.identity import Contexts, Identity
from meshkit.probes.loop import Loop, Wait
from meshkit.probes.names import Address, Names, literal
from meshkit.probes.pings import PingSocket
from meshkit.probes.sample import Record


class Io:
    """One process's means. ``identity`` is the folder with the mesh certificate: cert.pem, key.pem, roots.pem.

    ``identities`` are other services' by name, in memory.
    """

    def __init__(self, identity: Path | None = None, identities: Mapping[str, Identity] | None = None) -> None:
        self.loop = Loop()
        self._stamping = stamps.keep_on()
        self.identity = identity
        self.contexts = Contexts(identity, identities or {})
        self._names: Names | None = None
        self._pings: dict[tuple[socket.AddressFamily, bool], PingSocket] = {}

    def close(self) -> None:
        """Release sockets and threads."""
        for pings in self._pings.values():
            pings.close()
        if self._names:
            self._names.close()
        self.loop.close()
        self._stamping.close()

    def resolve(self, record: Record, host: str, port: int) -> Generator[Wait, Any, Address]:
        """The address of a host: at once and without a phase when it is one already."""
        found = literal(host, port)
        if found is not None:
            return found
        if self._names is None:
            self._names = Names(self.loop)
        return (yield from self._names.resolve(record, host, port))

    def pings(self, family: socket.AddressFamily, *, whole: bool = False) -> PingSocket:
        """The one ICMP socket for an IP version; ``whole`` for the one that never fragments."""
        key = (family, whole)
        if key not in self._pings:
            self._pings[key] = PingSocket(self.loop, family, whole=whole)
        return self._pings[key]

    @property
    def dropped(self) -> int:
        """Replies that shared sockets had no room for: losses that are this machine's, not the network's."""
        return sum(pings.dropped for pings in self._pings.values())
