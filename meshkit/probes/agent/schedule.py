"""What an agent is to probe: read, checked probe by probe, and compared with what it probes already.

One bad probe does not stop the others: it is named in ``rejected``. A probe is kept as its JSON text, the least that
10,000 of them take, and as what the prober is sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from meshkit.probes.expect import REFUSED
from meshkit.probes.probe import Series, from_wire
from meshkit.probes.reasons import one_line

DEFAULT_WINDOW_S = 60.0
LEAST_WINDOW_S, MOST_WINDOW_S = 0.5, 3600.0
MOST_PROBES = 50_000
PIECE = 50
"""Probes in one message to the prober, which reads it between two probes."""

Piece = tuple[list[str], list[str], bool]
"""Ids to stop, JSON texts of probes to start, and whether it is the last."""


@dataclass(frozen=True)
class Schedule:
    """Probes by id. ``digest`` names the text it was read from; ``rejected`` is id (or place) to why.

    ``closed`` are the series that are expected to be refused: a success there is the failure.
    """

    digest: str = ""
    window_s: float = DEFAULT_WINDOW_S
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    series: Mapping[str, Series] = field(default_factory=dict, repr=False)
    closed: frozenset[Series] = frozenset()
    rejected: Mapping[str, str] = field(default_factory=dict)


def parse(text: str) -> Schedule:
    """Of probes.json; ValueError when the whole is not one."""
    wire, window_s = _document(text)
    texts: dict[str, str] = {}
    series: dict[str, Series] = {}
    rejected: dict[str, str] = {}
    same: dict[Series, Series] = {}
    closed: set[Series] = set()
    for place, entry in enumerate(wire):
        try:
            probe = from_wire(entry)
        except ValueError as error:
            name = entry.get("id") if isinstance(entry, dict) else None
            rejected[one_line(str(name or f"number {place + 1}"))] = one_line(str(error))
            continue
        if probe.id in texts:
            rejected[one_line(probe.id)] = "another probe has this id"
            continue
        texts[probe.id] = json.dumps(entry, separators=(",", ":"))
        series[probe.id] = same.setdefault(probe.series, probe.series)
        if any(part.strip() == REFUSED for expected in probe.expect for part in expected.split(",")):
            closed.add(probe.series)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Schedule(digest, window_s, texts, series, frozenset(closed), rejected)


def _document(text: str) -> tuple[list[Any], float]:
    """The probes as they stand there, and the windows' width."""
    try:
        wire = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    probes = wire.get("probes") if isinstance(wire, dict) else None
    if not isinstance(probes, list) or len(probes) > MOST_PROBES:
        raise ValueError(f"it has no list of at most {MOST_PROBES} probes")
    width = wire.get("window_s", DEFAULT_WINDOW_S)
    if isinstance(width, bool) or not isinstance(width, int | float) or not LEAST_WINDOW_S <= width <= MOST_WINDOW_S:
        raise ValueError(f"window_s is not a number between {LEAST_WINDOW_S} and {MOST_WINDOW_S}")
    return probes, float(width)


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Piece]:
    """What the prober is to do so that it probes ``after``: what is the same in both is not mentioned."""
    stopped = [name for name, text in before.items() if after.get(name) != text]
    started = [text for name, text in after.items() if before.get(name) != text]
    while stopped or started:
        now, stopped = stopped[:PIECE], stopped[PIECE:]
        # What is stopped first makes way for what is started under the same id.
        new = [] if stopped else started[:PIECE]
        started = started[len(new) :]
        yield now, new, not stopped and not started
