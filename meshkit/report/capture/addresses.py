"""Addresses as text, with their name where one is known."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from meshkit.model import host_port


def text(address: bytes) -> str:
    """As people write it."""
    return str(ipaddress.ip_address(address))


def named(address: bytes, names: Mapping[str, str]) -> str:
    """Its name, else itself."""
    shown = text(address)
    return names.get(shown, shown)


def endpoint(address: bytes, port: int, names: Mapping[str, str]) -> str:
    """``gateway of eks:443``, or ``10.99.2.1:443`` without a name."""
    shown = text(address)
    return f"{names[shown]}:{port}" if shown in names else host_port(shown, port)
