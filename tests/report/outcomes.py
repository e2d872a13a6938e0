"""Outcomes for the renderers' tests, the same at every run: summaries of samples, as agents make them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from meshkit.probes import expect, peers
from meshkit.probes.ladder import GATEWAY, MESH, NETWORK, RPC, RUNGS
from meshkit.probes.outcome import Outcome
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary, merged

BEGAN = 1_790_000_000.0
WINDOW_S = 60.0
NAMES = ("aks", "eks", "gke", "doks", "oke", "lke", "ovh", "scw", "iks", "ack", "tke", "rke")
DAY_S = 86_400.0
LIFE = (BEGAN - DAY_S, BEGAN + 2 * DAY_S)
"""A mesh leaf: 72 hours, a third of them gone."""

Faults = Mapping[tuple[str, str, str], tuple[str, str, range]]
"""(source, destination, rung) to reason, words, and the windows in which nothing else is seen."""


def outcome(  # noqa: PLR0913, the axes along which tests differ
    names: Sequence[str] = NAMES[:2],
    *,
    windows: int = 30,
    each: int = 20,
    faults: Faults | None = None,
    late: Sequence[str] = (),
    missing: Mapping[str, str] | None = None,
    conditions: str = "reachable, p99 < 250ms",
) -> Outcome:
    """All rungs of all ordered pairs; agents in ``late`` keep no time."""
    asked = [name for name in names if name not in (missing or {})]
    pairs = [(a, b) for a in asked for b in names if a != b]
    made = tuple(
        window
        for source, destination in pairs
        for rung in RUNGS
        for window in _windows((source, destination, rung), windows, each, faults or {}, late=source in late)
    )
    whole = merged(made)
    sick = peers.sick(whole.values())
    judged = expect.parse(conditions)
    return Outcome(
        "mesh",
        BEGAN,
        BEGAN + windows * WINDOW_S,
        made,
        tuple(verdict for summary in whole.values() for verdict in expect.judge(summary, judged)),
        peers.judge(whole.values(), sick),
        sick,
        missing or {},
        {pair: distance_s(*pair) * 0.6 for pair in pairs if "local" not in pair},
    )


def distance_s(source: str, destination: str) -> float:
    """A network round trip: names are places on a line, 8 ms to 250 ms apart."""
    a, b = (sum(map(ord, name)) * 37 % 101 for name in (source, destination))
    return 0.008 + 0.0024 * abs(a - b)


def refusal() -> Outcome:
    """A ladder, and a service that should be refused and is."""
    window = Summary(Series("aks", "eks", "shop", "intention frontend"), BEGAN, WINDOW_S)
    for i in range(3):
        window.add(Sample("p", BEGAN + i, "denied", "closed without a word"))
    whole = outcome(windows=1)
    verdicts = expect.judge(window, expect.parse("refused"))
    return replace(whole, windows=(*whole.windows, window), verdicts=(*whole.verdicts, *verdicts))


def troubled() -> Outcome:
    """Twelve datacenters with everything that a report may have to tell."""
    return outcome(
        NAMES,
        windows=24,
        each=8,
        faults=TROUBLES,
        late=("scw",),
        missing={"rke": "its API server does not answer: i/o timeout"},
    )


TROUBLES: Faults = {
    ("aks", "eks", MESH): ("denied", "RBAC: access denied", range(24)),
    ("gke", "doks", GATEWAY): ("tls_wrong_identity", "spiffe://other/ns/default/dc/doks/svc/mesh-probe", range(24)),
    ("gke", "doks", RPC): ("timeout_processing", "", range(24)),
    ("gke", "doks", MESH): ("closed", "", range(24)),
    ("oke", "lke", NETWORK): ("timeout_connect", "", range(9, 13)),
    ("oke", "lke", GATEWAY): ("timeout_connect", "", range(9, 13)),
    ("oke", "lke", RPC): ("timeout_connect", "", range(9, 13)),
    ("oke", "lke", MESH): ("timeout_setup", "", range(9, 13)),
    **{
        (name, "iks", rung): ("refused", "Connection refused", range(24))
        for name in NAMES
        for rung in RUNGS
        if name != "iks"
    },
}


def _windows(key: tuple[str, str, str], windows: int, each: int, faults: Faults, *, late: bool) -> Iterator[Summary]:
    source, destination, rung = key
    dice = random.Random(f"{source} {destination} {rung}")  # noqa: S311, the same at every run
    service = f"mesh-probe-{destination}" if rung == MESH else {RPC: "consul"}.get(rung, "gateway")
    for number in range(windows):
        window = Summary(Series(source, destination, service, rung), BEGAN + number * WINDOW_S, WINDOW_S)
        reason, words, when = faults.get(key, ("", "", range(0)))
        for i in range(each):
            at = window.begin + i * WINDOW_S / each
            late_s = dice.choice((0.001, 0.09)) if late else 0.0002
            if number in when:
                window.add(Sample("p", at, reason, words, late_s=late_s))
            else:
                window.add(_sample(key, at, late_s, dice, wave=math.sin(number / 4)))
        yield window


def _sample(key: tuple[str, str, str], at: float, late_s: float, dice: random.Random, *, wave: float) -> Sample:
    source, destination, rung = key
    rtt = distance_s(source, destination) * (1 + 0.01 * wave) + dice.lognormvariate(-8.2, 0.9)
    blur = 0.02 if late_s > 0.05 and dice.random() < 0.3 else 0.00002
    facts = {"not_before": LIFE[0], "not_after": LIFE[1]} if rung == GATEWAY else {}
    if rung == RPC:
        phases = {"connect": 0.0004, "tls": 0.002, "processing": rtt * 2 + 0.003}
        return Sample("p", at, "ok", phases=phases, phase_error_s=blur, late_s=late_s)
    if rung == MESH:
        rtt += 0.0015 + dice.expovariate(2500)
    phases = {"connect": rtt, "tls": 2 * rtt} if rung == GATEWAY else {"connect": rtt}
    if rung == MESH:
        phases = {"connect": 0.0002, "setup": 3 * rtt + 0.004}
    resent = dice.random() < 0.0005
    return Sample("p", at, "ok", "", phases, rtt, "kernel", 0.000028, blur, late_s, int(resent), facts)
