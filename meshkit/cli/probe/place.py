"""Places as people write them: ``aks``, ``aks/frontend``, ``backend.eks``, ``local``, ``db.example:5432``, a URL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from meshkit.config.forms import unknown
from meshkit.errors import UsageError
from meshkit.probes.wanted import LOCAL

FORMS = "a datacenter (aks), a service (aks/frontend or frontend.aks), host:port or a URL"
SOURCES = "a datacenter (aks), a service in one (aks/frontend), or local for this machine"
SCHEMES = {
    "http": ("http", False),
    "https": ("http", True),
    "tcp": ("tcp", False),
    "tls": ("tls", False),
    "grpc": ("grpc", False),
    "grpcs": ("grpc", True),
    "udp": ("udp", False),
}
"""A URL's scheme to a mechanism, and whether it is the one through TLS."""

_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:/]+)):(?P<port>\d{1,6})")


@dataclass(frozen=True)
class Place:
    """A datacenter and perhaps a service in it."""

    datacenter: str
    service: str = ""


@dataclass(frozen=True)
class Address:
    """Something outside the mesh; ``mechanism`` is empty where the text does not tell it."""

    mechanism: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


def source(text: str, datacenters: Sequence[str]) -> Place:
    """Where probes start; UsageError when it is no place in the federation."""
    if text == LOCAL:
        return Place(LOCAL)
    found = _in_federation(text, datacenters)
    if found is None:
        raise UsageError(f"{text}: {unknown(text, [*datacenters, LOCAL], 'datacenter')}", hint=f"a source is {SOURCES}")
    return found


def destination(text: str, datacenters: Sequence[str]) -> Place | Address:
    """Where probes go; UsageError when it is neither in the federation nor an address."""
    if text == LOCAL:
        raise UsageError("local is this machine, where probes start", hint=f"a destination is {FORMS}")
    found = _in_federation(text, datacenters) or _url(text) or _host_port(text) or _host(text)
    if found is None:
        raise UsageError(f"{text}: {unknown(text, datacenters, 'datacenter')}", hint=f"a destination is {FORMS}")
    return found


def _in_federation(text: str, datacenters: Sequence[str]) -> Place | None:
    """``dc``, ``dc/service`` or ``service.dc``; None when no datacenter is named."""
    if text in datacenters:
        return Place(text)
    if "://" in text:
        return None
    datacenter, slash, service = text.partition("/")
    if not slash:
        service, dot, datacenter = text.rpartition(".")
        slash = dot
    elif datacenter not in datacenters:
        raise UsageError(f"{text}: {unknown(datacenter, datacenters, 'datacenter')}", hint=f"there are {FORMS}")
    if not slash or datacenter not in datacenters:
        return None
    if not service:
        raise UsageError(f"{text}: the service is missing", hint=f"for example {datacenter}/backend")
    return Place(datacenter, service)


def _url(text: str) -> Address | None:
    scheme, marks, rest = text.partition("://")
    if not marks:
        return None
    if scheme not in SCHEMES:
        raise UsageError(f"{scheme}: {unknown(scheme, list(SCHEMES), 'scheme')}", hint=f"a destination is {FORMS}")
    mechanism, secure = SCHEMES[scheme]
    if mechanism == "http":
        return Address(mechanism, {"url": text})
    found = _host_port(urlsplit(f"//{rest}").netloc)
    if found is None:
        raise UsageError(f"{scheme} needs a host and a port", hint=f"for example {scheme}://db.example:5432")
    return Address(mechanism, {**found.fields, **({"tls": True} if secure else {})})


def _host_port(text: str) -> Address | None:
    match = _HOST_PORT.fullmatch(text)
    return Address(fields={"host": match["v6"] or match["host"], "port": int(match["port"])}) if match else None


def _host(text: str) -> Address | None:
    """A name with a dot, or an address: a single word is more likely a datacenter that was misspelt."""
    if "." in text and re.fullmatch(r"[A-Za-z0-9_.-]+", text):
        return Address(fields={"host": text})
    try:
        ip_address(text)
    except ValueError:
        return None
    return Address(fields={"host": text})
