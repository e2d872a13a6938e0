"""What is probed, how often, and where from: values that travel to an agent as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

from meshkit.probes import mechanisms
from meshkit.probes.loop import Steps
from meshkit.probes.sample import Record

DEFAULT_TIMEOUT_S = 3.0
DEFAULT_INTERVAL_S = 10.0


class Target(Protocol):
    """What one mechanism needs to know: a frozen dataclass of JSON values in the mechanism's own module.

    ``observe`` is a generator that makes one observation: it writes into the record, and waits through the loop.
    It raises ``reasons.Failed`` or OSError to end with a reason; a deadline arrives as ``loop.Expired``.
    """

    mechanism: str

    def observe(self, io: Any, record: Record) -> Steps:
        """Make one observation."""
        ...


@dataclass(frozen=True)
class Series:
    """What samples are summed up by, and the labels of their metrics: never an address.

    ``source`` and ``destination`` are datacenters (or ``local``), ``service`` what is reached, ``probe`` the rung or
    the name that the user gave: ``network``, ``gateway``, ``rpc``, ``mesh``.
    """

    source: str
    destination: str
    service: str
    probe: str

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.source} to {self.destination}/{self.service}: {self.probe}"


@dataclass(frozen=True)
class Probe:
    """One target on a schedule. ``expect`` are expectations in the language of ``expect``; empty for "reachable"."""

    id: str
    series: Series
    target: Target
    interval_s: float = DEFAULT_INTERVAL_S
    timeout_s: float = DEFAULT_TIMEOUT_S
    expect: tuple[str, ...] = field(default=())

    def as_wire(self) -> dict[str, Any]:
        """As a JSON object."""
        target = {key: value for key, value in asdict(self.target).items() if value is not None}  # type: ignore[call-overload]
        return {
            "id": self.id,
            "series": asdict(self.series),
            "mechanism": self.target.mechanism,
            "target": target,
            "interval_s": self.interval_s,
            "timeout_s": self.timeout_s,
            "expect": list(self.expect),
        }


def from_wire(wire: Mapping[str, Any]) -> Probe:
    """The inverse of ``Probe.as_wire``; ValueError with the key that is wrong."""
    try:
        kind = mechanisms.kind(wire["mechanism"])
        given = wire["target"]
        known = {f.name for f in fields(kind)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise ValueError(f"{wire['id']}: {wire['mechanism']} has no {', '.join(unknown)}")
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
        return Probe(
            wire["id"],
            Series(**wire["series"]),
            kind(**values),
            float(wire["interval_s"]),
            float(wire["timeout_s"]),
            tuple(wire["expect"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is not a probe: {error}") from error
