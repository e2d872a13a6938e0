"""The names in a datacenter's server certificate: those of the profile, and those that the user's values add.

The official chart adds the latter in a job of its own, which a certificate from outside switches off.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

from meshkit.consul.names import CONSUL_RELEASE, DOMAIN
from meshkit.consul.values import at
from meshkit.errors import MeshkitError
from meshkit.model import Datacenter
from meshkit.pki.profiles import DNS_NAME, CertProfile, Sans


def sans(profile: CertProfile, datacenter: Datacenter) -> Sans:
    """All names, each once; MeshkitError for values that are none."""
    own = profile.sans(datacenter=datacenter.name, release=CONSUL_RELEASE, namespace=datacenter.namespace)
    more = _additional(datacenter)
    return Sans(tuple(dict.fromkeys((*own.dns, *more.dns))), tuple(dict.fromkeys((*own.ip, *more.ip))))


def problems(datacenter: Datacenter) -> Iterator[MeshkitError]:
    """What of the values the certificate can't have."""
    domain = at(datacenter.values, "global.domain")
    if domain not in (None, DOMAIN):
        yield MeshkitError(
            f"datacenters.{datacenter.name}.values.global.domain: meshkit's certificates are for the domain "
            f"{DOMAIN} alone",
            hint="leave it out",
        )
    try:
        _additional(datacenter)
    except MeshkitError as error:
        yield error


def _additional(datacenter: Datacenter) -> Sans:
    return Sans(
        _listed(datacenter, "serverAdditionalDNSSANs", _dns, "DNS names"),
        _listed(datacenter, "serverAdditionalIPSANs", _ip, "IP addresses"),
    )


def _listed(datacenter: Datacenter, key: str, read: Callable[[str], str], expected: str) -> tuple[str, ...]:
    path = f"global.tls.{key}"
    try:
        return tuple(map(read, _texts(at(datacenter.values, path) or [])))
    except ValueError as error:
        raise MeshkitError(
            f"datacenters.{datacenter.name}.values.{path}: expected a list of {expected}",
            hint="they become names of the server certificate",
        ) from error


def _texts(given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise ValueError(given)
    return given


def _dns(text: str) -> str:
    if not DNS_NAME.fullmatch(text):
        raise ValueError(text)
    return text


def _ip(text: str) -> str:
    """In the form in which a certificate is read back."""
    return str(ipaddress.ip_address(text))
