"""A distribution as a histogram, straight from the sketch's buckets; the axis is logarithmic as the buckets are."""

from __future__ import annotations

import math

from meshkit.probes.stats import RELATIVE_ERROR, Sketch
from meshkit.report.probes.page.markup import Markup, join, tag
from meshkit.report.probes.page.scale import time

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
"""Bucket ``i`` holds what is above ``GROWTH ** (i - 1)``, up to ``GROWTH ** i``."""
LEAST_BUCKETS, MOST_BARS = 12, 40
BAR, HEIGHT = 10, 100


def distribution(sketch: Sketch) -> Markup:
    """The figure, with its quantiles marked and named."""
    if not sketch.count:
        return tag("p", "nothing came through that could be timed", class_="soft")
    low, high = _ends(sketch)
    names = [f"{name} {time(sketch.quantile(q))}" for name, q in QUANTILES.items()]
    drawing = tag(
        "svg",
        tag("path", class_="bars", d=_bars(sketch, low, high)),
        [_mark(sketch, name, low, high) for name in QUANTILES],
        viewBox=f"0 0 {high - low} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"distribution of {sketch.count} times: {', '.join(names)}",
    )
    caption = [tag("span", "distribution"), tag("span", "│ p50  ┆ p90  ┊ p99", class_="legend-marks")]
    ends = tag("div", tag("span", time(GROWTH**low)), tag("span", time(GROWTH**high)), class_="axis")
    return tag("figure", tag("figcaption", caption), tag("div", drawing, class_="plot"), ends)


def _ends(sketch: Sketch) -> tuple[int, int]:
    """The first edge and the last, as powers of GROWTH, with some room about a narrow distribution."""
    low, high = min(sketch.buckets) - 1, max(sketch.buckets)
    room = max(LEAST_BUCKETS - (high - low), 2)
    return low - room // 2, high + room - room // 2


def _bars(sketch: Sketch, low: int, high: int) -> str:
    together = math.ceil((high - low) / MOST_BARS)
    counts: dict[int, int] = {}
    for bucket, count in sketch.buckets.items():
        bar = (bucket - 1 - low) // together
        counts[bar] = counts.get(bar, 0) + count
    most = max(counts.values())
    # Even one value in a thousand shows: no bar is lower than 2 of 100.
    return "".join(
        f"M{bar * together} {HEIGHT}v-{max(2, round(94 * count / most))}h{together * 0.9:.1f}V{HEIGHT}z"
        for bar, count in sorted(counts.items())
    )


def _mark(sketch: Sketch, name: str, low: int, high: int) -> Markup:
    value = sketch.quantile(QUANTILES[name]) or 0.0
    x = min(max(math.log(value) / math.log(GROWTH) - low, 0), high - low)
    return join(tag("path", class_=f"mark {name}", d=f"M{x:.2f} 0V{HEIGHT}"))
