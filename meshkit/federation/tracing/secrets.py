"""Whether what a cluster's Secrets hold is what its Consul knows, and what the other clusters' hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from meshkit.backends.base import Consul, Kube, Ref
from meshkit.consul import names
from meshkit.federation.context import Context
from meshkit.kubernetes import secret_text
from meshkit.model import Datacenter
from meshkit.pki import inspect

ASKED = tuple(name for name in names.TOKENS if name != "bootstrap")
"""The management token is the one that asks."""


def lost_tokens(context: Context, dc: Datacenter) -> tuple[str, ...]:
    """Names of tokens that Consul does not know."""
    return tuple(_lost(context.kube[dc.name], context.consul(dc.name), dc))


def authority(context: Context, dc: Datacenter) -> str:
    """The fingerprint of the CA that the servers trust, empty when there is none."""
    certificate = _read(context.kube[dc.name], dc, names.CA, "tls.crt")
    return inspect.inspect(certificate).fingerprint if certificate else ""


def gossip(context: Context, dc: Datacenter) -> str:
    """A digest of the key that gossip is encrypted with, empty when there is none; the key itself goes no further."""
    key = _read(context.kube[dc.name], dc, names.GOSSIP, "key").strip()
    return hashlib.sha256(key.encode()).hexdigest() if key else ""


def _lost(kube: Kube, consul: Consul, dc: Datacenter) -> Iterator[str]:
    for name in ASKED:
        secret = _read(kube, dc, names.TOKENS[name], "token")
        if secret and consul.token(secret) is None:
            yield name


def _read(kube: Kube, dc: Datacenter, name: str, key: str) -> str:
    return secret_text(kube.get(Ref("Secret", name, dc.namespace)), key)
