"""Certificate profiles: what ``certs/*.toml`` says, checked when it is read.

A profile is data so that an operator can shorten a lifetime or add a name without touching code; what is security
relevant and not a matter of taste (key usages, path length, hash) stays in ``authority``.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from meshkit.errors import UsageError

CURVES = frozenset({"secp256r1", "secp384r1"})
"""Curves that Go's TLS and Envoy both take for server certificates."""

KINDS = frozenset({"ca", "server"})
PLACEHOLDERS = {"datacenter": "x", "release": "x", "namespace": "x", "federation": "x"}


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
        _template(_text(content, "common_name", path), "common_name", path),
        curve,
        timedelta(days=_count(content, "validity_days", path)),
        timedelta(minutes=_count(content, "skew_minutes", path)),
        tuple(_template(name, "dns", path) for name in _texts(content, "dns", path)),
        _texts(content, "ip", path),
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


def _count(content: dict[str, Any], key: str, path: Path) -> int:
    value = content.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _wrong(path, key, "a whole number of at least 1")
    return value


def _template(text: str, key: str, path: Path) -> str:
    try:
        text.format(**PLACEHOLDERS)
    except (KeyError, IndexError, ValueError) as error:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise _wrong(path, key, f"placeholders among {known}") from error
    return text


def _wrong(path: Path, key: str, expected: str) -> UsageError:
    return UsageError(f"certificate profile {path}: {key}: expected {expected}", hint="see certs/README.md")
