"""One Envoy of a path as its admin shows it: where it may send to, its certificate, and what it counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

REQUEST_S, MAYBE = 3.0, 0.5
"""From the counters before a request to those after it, and how many of others' are too many in that time."""


@dataclass(frozen=True)
class Leaf:
    """A mesh certificate as a proxy presents it."""

    spiffe: str
    not_before: datetime
    not_after: datetime

    @property
    def trust_domain(self) -> str:
        """What follows ``spiffe://``."""
        return self.spiffe.removeprefix("spiffe://").partition("/")[0]

    @property
    def service(self) -> str:
        """The last part of the path."""
        return self.spiffe.rpartition("/svc/")[2]


@dataclass(frozen=True)
class EnvoyCluster:
    """Where an Envoy may send to: endpoints with Envoy's own word on them (empty when healthy)."""

    name: str
    endpoints: tuple[tuple[str, int, str], ...] = ()
    max_connections: int = 0
    connect_timeout_s: float = 5.0
    http: bool = False
    accepts: tuple[str, ...] = ()

    @property
    def healthy(self) -> tuple[tuple[str, int], ...]:
        """Endpoints that get traffic."""
        return tuple((address, port) for address, port, trouble in self.endpoints if not trouble)


@dataclass(frozen=True)
class Proxy:
    """One Envoy. ``counters`` are those of the tagged request alone: what they grew by while it was under way.

    ``totals`` are the same counters since Envoy started, ``flags`` the response flags of its access log in that time,
    where it writes one. ``rejected`` are Envoy's words on a refused configuration, ``skew_s`` says how far its clock is
    ahead of this machine's.
    """

    id: str
    pod: str
    state: str = "LIVE"
    connected: bool | None = True
    configured: bool = True
    rejected: tuple[str, ...] = ()
    warming: tuple[str, ...] = ()
    leaf: Leaf | None = None
    trusted: frozenset[str] = frozenset()
    clusters: Mapping[str, EnvoyCluster] = field(default_factory=dict)
    listeners: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    snis: tuple[str, ...] = ()
    http: bool = False
    counters: Mapping[str, int] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    skew_s: float | None = None
    uptime_s: float = 0.0

    def busy(self, *parts: str) -> bool:
        """Whether what others send makes these counters grow within a request's time too, by their rate so far."""
        total = sum(value for name, value in self.totals.items() if all(part in name for part in parts))
        return self.uptime_s > 0 and total * REQUEST_S > MAYBE * self.uptime_s

    def grew(self, *parts: str) -> int:
        """The sum of this request's counters whose names hold all of these parts."""
        return sum(value for name, value in self.counters.items() if all(part in name for part in parts))
