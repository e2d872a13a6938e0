"""10,000 targets from one process at a probe per 10 s each, and no false alarm at full load."""

from __future__ import annotations

from typing import Any

from bench import probers
from bench.ground import PROBER_CORE, Ground, say

TARGETS, INTERVAL_S = 10_000, 10.0


def targets_10k(ground: Ground, seconds: float) -> dict[str, Any]:
    """Memory, cores, and samples that started more than 50 ms late."""
    targets = [probers.target("tcp", host) for host in probers.loopback(TARGETS)]
    wanted = {"mechanism": "tcp", "targets": targets, "interval_s": INTERVAL_S, "timeout_s": 3.0, "for_s": seconds}
    seen = probers.drive(ground, wanted, core=PROBER_CORE)
    result = {
        "rss_mb": round(seen["rss_mb"], 1),
        "cores": round(seen["cpu_s"] / seen["wall_s"], 3),
        "late_over_50ms": seen["late"],
        "latest_ms": round(seen["latest_s"] * 1000, 2),
        "samples": seen["started"],
        "failed": seen["started"] - seen["ok"],
        "skipped": seen["skipped"],
    }
    say(f"10,000 targets: {result}")
    return {"targets_10k": result}


def soak(ground: Ground, seconds: float) -> dict[str, Any]:
    """TCP and HTTP asked for more than a core makes, from one core; whatever does not succeed is a false alarm."""
    result = {}
    for mechanism, asked in (("tcp", 40_000), ("http", 20_000)):
        targets = [probers.target(mechanism, host) for host in probers.loopback(2000)]
        wanted = {"mechanism": mechanism, "targets": targets, "interval_s": len(targets) / asked, "timeout_s": 1.0,
                  "for_s": seconds / 2}  # fmt: skip
        seen = probers.drive(ground, wanted, core=PROBER_CORE)
        result[mechanism] = {
            "seconds": round(seen["wall_s"], 1),
            "samples": seen["started"],
            "false_alarms": seen["started"] - seen["ok"],
            "reasons": seen["reasons"],
        }
    say(f"soak: {result}")
    return {"soak": result}
