"""The plan of an upgrade, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from meshkit.model import Datacenter, Federation


class Running(Protocol):
    """See ``federation.upgrade.plan.Running``."""

    @property
    def consul(self) -> str: ...  # noqa: D102

    @property
    def chart(self) -> str: ...  # noqa: D102


class Target(Protocol):
    """See ``federation.upgrade.target.Target``."""

    @property
    def consul(self) -> str: ...  # noqa: D102

    @property
    def chart(self) -> str: ...  # noqa: D102


class Move(Protocol):
    """See ``federation.upgrade.plan.Move``."""

    @property
    def datacenter(self) -> Datacenter: ...  # noqa: D102

    @property
    def before(self) -> Running: ...  # noqa: D102

    @property
    def target(self) -> Target: ...  # noqa: D102

    @property
    def is_there(self) -> bool: ...  # noqa: D102


def as_text(federation: Federation, moves: Sequence[Move]) -> Iterator[str]:
    """One line per datacenter, in the order in which they go."""
    yield f"federation {federation.name}, one datacenter after the other:"
    for move in moves:
        yield f"  {'=' if move.is_there else '~'} {move.datacenter.name}: {_way(move)}"
    if all(move.is_there for move in moves):
        yield "nothing to change"


def as_json(federation: Federation, moves: Sequence[Move], *, done: bool) -> dict[str, Any]:
    """The same as data; ``done`` says whether it was carried out."""
    return {
        "federation": federation.name,
        "done": done,
        "datacenters": [
            {
                "name": move.datacenter.name,
                "from": {"consul": move.before.consul, "chart": move.before.chart},
                "to": {"consul": move.target.consul, "chart": move.target.chart or move.before.chart},
                "there": move.is_there,
            }
            for move in moves
        ],
    }


def _way(move: Move) -> str:
    if move.is_there:
        return f"Consul {move.before.consul} is there already"
    chart = f", chart {move.before.chart} to {move.target.chart}" if move.target.chart else ""
    return f"Consul {move.before.consul or 'unknown'} to {move.target.consul}{chart}"
