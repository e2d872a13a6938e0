"""meshkit's prober as a process of its own: the engine with a sink that counts. One JSON object in, one out."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from typing import Any

from meshkit.probes.engine import Engine
from meshkit.probes.io import Io
from meshkit.probes.mechanisms import kind
from meshkit.probes.probe import Probe, Series
from meshkit.probes.sample import Sample

LATE_S = 0.05
KEPT_LATE_S = 0.001


def main() -> None:
    """Run what standard input asks for."""
    wanted = json.load(sys.stdin)
    target = kind(wanted["mechanism"])
    series = Series("here", "there", "bench", wanted["mechanism"])
    probes = [
        Probe(str(place), series, target(**values), wanted["interval_s"], wanted["timeout_s"])
        for place, values in enumerate(wanted["targets"])
    ]
    io, reasons, rows = Io(), Counter[str](), list[tuple[int, float, float | None]]()
    late = 0

    def sink(probe: Probe, sample: Sample) -> None:
        nonlocal late
        reasons[sample.reason] += 1
        late += sample.late_s > LATE_S
        if wanted.get("samples"):
            rows.append((int(probe.id), sample.at, sample.rtt_s))

    engine = Engine(io, sink, under_way_limit=wanted.get("limit", 4000))
    before, begin = time.process_time(), time.monotonic()
    tally = engine.run(probes, for_s=wanted["for_s"])
    answer: dict[str, Any] = {
        "ok": reasons["ok"],
        "reasons": dict(reasons),
        "cpu_s": time.process_time() - before,
        "wall_s": time.monotonic() - begin,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "late": late,
        "started": tally.started,
        "skipped": tally.skipped,
        "latest_s": tally.latest_s,
        "rows": rows,
    }
    io.close()
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
