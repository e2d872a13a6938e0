"""The mechanisms by name. Each is one module that only observes, and is imported when first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_CLASSES = {
    "tcp": "TcpTarget",
    "echo": "EchoTarget",
    "tls": "TlsTarget",
    "http": "HttpTarget",
    "grpc": "GrpcTarget",
    "dns": "DnsTarget",
    "udp": "UdpTarget",
    "icmp": "IcmpTarget",
    "path": "PathTarget",
}
NAMES = tuple(_CLASSES)


def kind(name: str) -> Any:
    """The target class of a mechanism, in the module of the same name; ValueError when there is none."""
    if name not in _CLASSES:
        raise ValueError(f"there is no mechanism {name}; there are {', '.join(NAMES)}")
    try:
        return getattr(import_module(f"{__name__}.{name}"), _CLASSES[name])
    except ImportError as error:
        raise ValueError(f"mechanism {name} can't be loaded here: {error}") from error
