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
    """The target class of a mechanism, in the module of the same name; KeyError when there is none."""
    return getattr(import_module(f"{__name__}.{name}"), _CLASSES[name])
