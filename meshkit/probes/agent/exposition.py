"""Families as Prometheus text (exposition format 0.0.4), quick enough to be asked for at any time.

A library was measured at 393 ms for 1,000 histograms of 16 buckets. Here a histogram is one formatting of a template
that is made once, so a thousand of them take a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate

from meshkit.probes.agent.metrics import BOUNDS, Family, Histogram, Labels

PLACE = "\0"

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(families: Iterable[Family]) -> str:
    """All of them; a family without points is left out."""
    parts: list[str] = []
    for family in families:
        if family.points:
            parts.append(f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n")
            if family.kind == "histogram":
                parts.extend(_histogram(family.name, labels, value) for labels, value in family.points)
            else:
                parts.extend(f"{family.name}{{{_labels(labels)}}} {value!r}\n" for labels, value in family.points)
    return "".join(parts)


def _histogram(name: str, labels: Labels, histogram: Histogram) -> str:
    cumulative = tuple(accumulate(histogram.counts))
    return _template(name, labels) % (*cumulative, histogram.total, cumulative[-1])


@lru_cache(maxsize=4096)
def _template(name: str, labels: Labels) -> str:
    """The lines of a histogram, with a place for each number."""
    return _shape(name).replace(PLACE, _labels(labels).replace("%", "%%"))


@lru_cache
def _shape(name: str) -> str:
    """A template with a place for the labels too."""
    buckets = "".join(f'{name}_bucket{{{PLACE},le="{bound}"}} %d\n' for bound in (*BOUNDS, "+Inf"))
    return f"{buckets}{name}_sum{{{PLACE}}} %r\n{name}_count{{{PLACE}}} %d\n"


def _labels(labels: Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
