"""What of two installations is alike and what is not, as rows of a table; no row shows a secret."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshkit.federation.adopt.installation import Installation
from meshkit.pki.material import Secret

SHOWN = 16
"""Characters of a fingerprint that are shown: enough to tell two apart."""


@dataclass(frozen=True)
class Row:
    """A fact of every installation, in their order; ``differs`` when they must be alike (or apart) and are not."""

    fact: str
    values: tuple[str, ...]
    differs: bool = False


@dataclass(frozen=True)
class _Fact:
    name: str
    of: Callable[[Installation], str]
    must: str = ""
    """``same`` or ``distinct``; empty where it does not matter."""


def rows(found: Sequence[Installation]) -> tuple[Row, ...]:
    """The table, most general first."""
    return tuple(_row(fact, found) for fact in _FACTS)


def _row(fact: _Fact, found: Sequence[Installation]) -> Row:
    values = tuple(fact.of(one) for one in found)
    kinds = len(set(values))
    wrong = (fact.must == "same" and kinds > 1) or (fact.must == "distinct" and kinds < len(values))
    return Row(fact.name, values, wrong)


def mark(secret: Secret | None) -> str:
    """A secret's hash, for comparing alone: of 32 random bytes or a random UUID it gives nothing away."""
    if secret is None:
        return "none"
    return hashlib.sha256(f"meshkit adopt {secret.reveal()}".encode()).hexdigest()[:SHOWN]


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _chart(one: Installation) -> str:
    return f"{one.chart.name} {one.chart.version}" if one.chart else "no Helm release"


def _federation(one: Installation) -> str:
    if one.primary_datacenter:
        return f"secondary of {one.primary_datacenter}"
    return "primary" if one.is_federated else "none"


_FACTS = (
    _Fact("datacenter", lambda one: one.datacenter, "distinct"),
    _Fact("chart", _chart),
    _Fact("consul", lambda one: one.version or "unknown"),
    _Fact("release", lambda one: f"{one.namespace}/{one.release or '?'}"),
    _Fact("servers", lambda one: str(one.servers)),
    _Fact("tls", lambda one: _yes(one.has("global.tls.enabled")), "same"),
    _Fact("ca", lambda one: one.trust.fingerprint[:SHOWN] or "none", "same"),
    _Fact("ca from", lambda one: one.trust.ca_from or "-"),
    _Fact("ca key", lambda one: one.trust.key_from or "not in the cluster"),
    _Fact("gossip key", lambda one: mark(one.trust.gossip), "same"),
    _Fact("acls", lambda one: _yes(one.has("global.acls.manageSystemACLs")), "same"),
    _Fact("bootstrap token", lambda one: _yes(one.trust.bootstrap)),
    _Fact("federation", _federation),
    _Fact("mesh gateway", lambda one: _yes(one.has("meshGateway.enabled"))),
)
