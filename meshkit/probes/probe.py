"""What is probed, how often, and where from: values that travel to an agent as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Protocol

from meshkit.probes import mechanisms
from meshkit.probes.loop import Steps
from meshkit.probes.sample import Record

DEFAULT_TIMEOUT_S = 3.0
DEFAULT_INTERVAL_S = 10.0
LEAST_S, MOST_S = 1e-5, 7 * 86400.0
"""Bounds of intervals and timeouts."""


class Target(Protocol):
    """What one mechanism needs to know: a frozen dataclass of JSON values in the mechanism's own module.

    ``observe`` is a generator that makes one observation: it writes into the record, and waits through the loop.
    It raises ``reasons.Failed`` or OSError to end with a reason; a deadline arrives as ``loop.Expired``.
    """

    mechanism: ClassVar[str]

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
        name = _text(wire["id"], "id")
        try:
            return Probe(
                name,
                Series(**{key: _text(value, key) for key, value in wire["series"].items()}),
                _target(wire["mechanism"], wire["target"]),
                _seconds(wire["interval_s"], "interval_s"),
                _seconds(wire["timeout_s"], "timeout_s"),
                tuple(_text(entry, "expect") for entry in wire["expect"]),
            )
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is not a probe: {error}") from error


def _target(mechanism: str, given: Mapping[str, Any]) -> Target:
    kind = mechanisms.kind(mechanism)
    unknown = sorted(set(given) - {f.name for f in fields(kind)})
    if unknown:
        raise ValueError(f"{mechanism} has no {', '.join(unknown)}")
    target: Target = kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in given.items()})
    return target


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{key} is not a text")
    return value


def _seconds(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_S <= value < MOST_S:
        raise ValueError(f"{key} is not a time from {LEAST_S} s to a week")
    return float(value)
