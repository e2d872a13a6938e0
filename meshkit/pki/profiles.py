"""Certificate profiles: what ``certs/*.toml`` says, checked when it is read.

A profile is data so that an operator can shorten a lifetime or add a name without touching code; what is security
relevant and not a matter of taste (key usages, path length, hash) stays in ``authority``.
"""

from __future__ import annotations

import ipaddress
import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from meshkit.errors import UsageError

CURVES = frozenset({"secp256r1", "secp384r1"})
"""Curves that Go's TLS and Envoy both take for server certificates."""

KINDS = frozenset({"ca", "server"})
LONGEST = {"datacenter": 40, "release": 53, "namespace": 63}
"""What a name may be made of, and the longest that each can become: meshkit's, Helm's and Kubernetes' limits."""

LONGEST_COMMON_NAME = 64
"""RFC 5280, appendix A: ub-common-name."""

LONGEST_VALIDITY_DAYS = 36_500
LONGEST_SKEW_MINUTES = 24 * 60


DNS_NAME = re.compile(r"(\*\.)?[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Sans:
    """Subject alternative names, in the order of the certificate."""

    dns: tuple[str, ...] = ()
    ip: tuple[str, ...] = ()


@dataclass(frozen=True)
class CertProfile:
    """How a kind of certificate is made; ``common_name`` and ``dns`` are templates with {datacenter} and the like."""

    kind: str
    common_name: str
    curve: str
    validity: timedelta
    skew: timedelta
    dns: tuple[str, ...] = ()
    ip: tuple[str, ...] = ()

    def sans(self, *, datacenter: str, release: str, namespace: str) -> Sans:
        """The names for one datacenter."""
        filled = tuple(n.format(datacenter=datacenter, release=release, namespace=namespace) for n in self.dns)
        return Sans(filled, self.ip)


def folder() -> Path:
    """Where the profiles are: in the package once installed, at the top of the source tree before."""
    package = Path(__file__).parent.parent
    installed = package / "_certs"
    return installed if installed.exists() else package.parent / "certs"


def load(name: str, where: Path | None = None) -> CertProfile:
    """The profile ``<name>.toml``; UsageError names the file and the key that is wrong."""
    path = (where or folder()) / f"{name}.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"certificate profile {path}: {error}", hint="see certs/README.md") from error
    return _parsed(content, path)


def _parsed(content: dict[str, Any], path: Path) -> CertProfile:
    kind = _text(content, "kind", path)
    if kind not in KINDS:
        raise _wrong(path, "kind", f"one of {', '.join(sorted(KINDS))}")
    curve = _text(content, "curve", path)
    if curve not in CURVES:
        raise _wrong(path, "curve", f"one of {', '.join(sorted(CURVES))}")
    profile = CertProfile(
        kind,
        _common_name(_text(content, "common_name", path), path),
        curve,
        timedelta(days=_count(content, "validity_days", LONGEST_VALIDITY_DAYS, path)),
        timedelta(minutes=_count(content, "skew_minutes", LONGEST_SKEW_MINUTES, path)),
        tuple(_dns(name, path) for name in _texts(content, "dns", path)),
        tuple(_ip(address, path) for address in _texts(content, "ip", path)),
    )
    unknown = set(content) - {"kind", "common_name", "curve", "validity_days", "skew_minutes", "dns", "ip"}
    if unknown:
        raise _wrong(path, min(unknown), "no such key")
    return profile


def _text(content: dict[str, Any], key: str, path: Path) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value:
        raise _wrong(path, key, "a text")
    return value


def _texts(content: dict[str, Any], key: str, path: Path) -> tuple[str, ...]:
    value = content.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(path, key, "a list of texts")
    return tuple(value)


def _count(content: dict[str, Any], key: str, most: int, path: Path) -> int:
    value = content.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise _wrong(path, key, f"a whole number from 1 to {most}")
    return value


def _common_name(text: str, path: Path) -> str:
    if len(_filled(text, "common_name", LONGEST | {"federation": 40}, path)) > LONGEST_COMMON_NAME:
        raise _wrong(path, "common_name", f"at most {LONGEST_COMMON_NAME} characters with the longest names filled in")
    return text


def _dns(text: str, path: Path) -> str:
    if not DNS_NAME.fullmatch(_filled(text, "dns", dict.fromkeys(LONGEST, 1), path)):
        raise _wrong(path, "dns", "names of letters, digits, dashes and dots, perhaps with *. in front")
    return text


def _ip(text: str, path: Path) -> str:
    """In its one canonical form, since certificates are compared with it by text."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise _wrong(path, "ip", "IP addresses") from error


def _filled(text: str, key: str, lengths: Mapping[str, int], path: Path) -> str:
    """The template with names of these lengths; only plain placeholders, no attributes, indices or formats."""
    try:
        fields = {part[1:] for part in string.Formatter().parse(text) if part[1] is not None}
    except ValueError:
        fields = {("", "", None)}
    if not fields <= {(name, "", None) for name in lengths}:
        raise _wrong(path, key, f"placeholders among {', '.join(f'{{{name}}}' for name in lengths)}")
    return text.format(**{name: "x" * length for name, length in lengths.items()})


def _wrong(path: Path, key: str, expected: str) -> UsageError:
    return UsageError(f"certificate profile {path}: {key}: expected {expected}", hint="see certs/README.md")
