"""Names to addresses, as this machine resolves them."""

from __future__ import annotations

import socket


def resolve(name: str) -> tuple[str, ...]:
    """The addresses of a name, sorted, empty when it has none now; an address is its own. May take some seconds."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(sorted({str(entry[4][0]) for entry in found}))
