"""How far a reported round trip is from the one that the packets made.

Truth is a capture on the prober's own device, kernel stamps of the request and of its answer, matched to the report
of the very same probe:
- meshkit: the sample's start and target; the first request to that target from then on.
- cloudprober: exports its counters at every interval, so that two exports one probe apart give that probe's latency;
  its number is the place among the requests to that target. For UDP it exports at every second interval at most often,
  so there it is the mean of two probes against the mean of the same two.
- blackbox_exporter: one scrape per probe; the first request to that target after the scrape began. The whole probe's
  duration for TCP, its "rtt" phase for ICMP. It has no UDP probe. It is asked for fewer probes a second than the
  others, since it does not make as many beside what asks it.
"""

from __future__ import annotations

import bisect
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from bench import network, probers
from bench.ground import PARTS, PROBER_CORE, Ground, quantile, say
from bench.probers import Load

DELAYS_S = (0.0, 0.02, 0.1)
HOSTS, RATE = 240, 1000.0
"""With a round trip of 100 ms, 100 are under way. A host has its turn every 240 ms: cloudprober's deadline fits."""

BLACKBOX_RATE = 250.0
START_SLACK_S = 0.5
"""A request belongs to a probe that began no longer than this before it."""

Truth = dict[tuple[str, str], list[tuple[float, float | None]]]
Report = tuple[str, float, float]
"""Host, when the probe began (or the number of the last one, from 1), reported round trip in seconds."""

SPANS = {"udp": 2}
"""Probes that one of cloudprober's exports sums up, where it is not one."""


def measure(ground: Ground, seconds: float) -> dict[str, Any]:
    """``rtt_error_us`` over all delays, and per delay beside it."""
    errors: dict[str, dict[str, list[float]]] = {}
    by_delay: dict[str, Any] = {}
    for delay_s in DELAYS_S:
        with network.link(ground, delay_s):
            for mechanism, name, prober in _runs():
                with network.capture(ground) as path:
                    reports, numbered = prober(ground, mechanism, seconds)
                truth = network.round_trips(path)
                judge = _numbered_errors if numbered else _errors
                found = judge(mechanism, reports, truth)
                path.unlink()
                errors.setdefault(mechanism, {}).setdefault(name, []).extend(found)
                shown = {**_quantiles(found), "matched": len(found), "reported": len(reports)}
                by_delay.setdefault(f"{delay_s * 1000:g}ms", {}).setdefault(mechanism, {})[name] = shown
                say(f"accuracy at {delay_s * 1000:g} ms, {mechanism} {name}: {shown}")
    overall = {
        mechanism: {name: _quantiles(found) for name, found in names.items()} for mechanism, names in errors.items()
    }
    return {"rtt_error_us": overall, "rtt_error_us_by_delay": by_delay}


Run = Callable[[Ground, str, float], tuple[list[Report], bool]]


def _runs() -> list[tuple[str, str, Run]]:
    """What is compared with what."""
    runs: list[tuple[str, str, Run]] = []
    for mechanism in ("tcp", "icmp", "udp"):
        runs += [(mechanism, "meshkit", _meshkit), (mechanism, "cloudprober", _cloudprober)]
        if mechanism != "udp":
            runs.append((mechanism, "blackbox", _blackbox))
    return runs


def _meshkit(ground: Ground, mechanism: str, seconds: float) -> tuple[list[Report], bool]:
    hosts = network.hosts(HOSTS)
    wanted = {
        "mechanism": mechanism, "targets": [probers.target(mechanism, host) for host in hosts],
        "interval_s": HOSTS / RATE, "timeout_s": 2.0, "for_s": seconds, "samples": True,
    }  # fmt: skip
    seen = probers.drive(ground, wanted, core=PROBER_CORE, namespace=network.NEAR)
    if seen["reasons"].keys() - {"ok"}:
        say(f"meshkit, {mechanism}: {seen['reasons']}")
    return [(hosts[place], at, rtt_s) for place, at, rtt_s in seen["rows"] if rtt_s is not None], False


def _cloudprober(ground: Ground, mechanism: str, seconds: float) -> tuple[list[Report], bool]:
    file = ground.folder / "cloudprober.metrics"
    file.unlink(missing_ok=True)
    load = Load(mechanism, network.hosts(HOSTS), RATE, seconds)
    span = SPANS.get(mechanism, 1)
    process = probers.start_cloudprober(ground, load, span * load.interval_s, network.NEAR, file)
    time.sleep(seconds + probers.WARM_UP_S)
    probers.end(process)
    last: dict[str, tuple[int, int, float]] = {}
    reports: list[Report] = []
    line = re.compile(r"dst=([0-9.]+)\b.* total=(\d+) success=(\d+) latency=([0-9.]+)")
    for host, *values in line.findall(file.read_text(encoding="utf-8")):
        now = (int(values[0]), int(values[1]), float(values[2]))
        before = last.get(host, (0, 0, 0.0))
        if (now[0] - before[0], now[1] - before[1]) == (span, span):
            reports.append((host, float(now[0]), (now[2] - before[2]) / span * 1e-6))
        last[host] = now
    return reports, True


def _blackbox(ground: Ground, mechanism: str, seconds: float) -> tuple[list[Report], bool]:
    process = probers.start_blackbox(ground, network.NEAR)
    asking = ground.start(
        sys.executable, "-m", "bench.scraper", mechanism, seconds, BLACKBOX_RATE, *network.hosts(HOSTS),
        namespace=network.NEAR, cwd=PARTS.parent, stdout=subprocess.PIPE,
    )  # fmt: skip
    output, _ = asking.communicate()
    probers.end(process)
    rows = [row.split() for row in output.splitlines()]
    return [(host, float(at), float(rtt_s)) for host, at, rtt_s in rows], False


def _numbered_errors(mechanism: str, reports: Sequence[Report], truth: Truth) -> list[float]:
    """|reported - true| in microseconds, where a report says which request it is about."""
    span, found = SPANS.get(mechanism, 1), []
    for host, number, rtt_s in reports:
        place = int(number)
        true = [true_s for _, true_s in truth.get((mechanism, host), [])[place - span : place] if true_s is not None]
        if len(true) == span:
            found.append(abs(rtt_s - sum(true) / span) * 1e6)
    return found


def _errors(mechanism: str, reports: Sequence[Report], truth: Truth) -> list[float]:
    """|reported - true| in microseconds, for every report whose packets were found; no packet counts twice."""
    found: list[float] = []
    used: set[tuple[str, int]] = set()
    for host, which, rtt_s in sorted(reports):
        packets = truth.get((mechanism, host), [])
        place = bisect.bisect_left(packets, (which - 1e-4,))
        while (host, place) in used:
            place += 1
        if place >= len(packets) or packets[place][0] > which + START_SLACK_S:
            continue
        used.add((host, place))
        true_s = packets[place][1]
        if true_s is not None:
            found.append(abs(rtt_s - true_s) * 1e6)
    return found


def _quantiles(found: Sequence[float]) -> dict[str, float | None]:
    if not found:
        return {"p50": None, "p99": None}
    return {"p50": round(quantile(found, 0.5), 1), "p99": round(quantile(found, 0.99), 1)}
