"""How a series went over its windows: the median as a line, up to p99 as a band, failures below as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshkit.probes.summary import Summary
from meshkit.report.figures import count
from meshkit.report.probes.page.markup import Markup, tag
from meshkit.report.probes.page.scale import clock, time
from meshkit.report.probes.tables import worst

WIDTH, HEIGHT, STRIP = 600, 100, 14
"""Of the whole drawing; the strip at its foot is for failures."""
MOST_POINTS = 90

Span = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """A window (or several in one) in the drawing; ``low`` and ``high`` are p50 and p99 in seconds."""

    x: float
    width: float
    low: float | None
    high: float | None
    summary: Summary


def timeline(windows: Sequence[Summary], span: Span) -> Markup:
    """The figure with its axes."""
    points = _points(windows, span)
    least, most = _range(points)
    failing = sum(point.summary.failed > 0 for point in points)
    label = (
        f"{count(len(points), 'window')}, p50 and p99 between {time(least)} and {time(most)}, {failing} with failures"
    )
    drawing = tag(
        "svg",
        [_outage(point) for point in points],
        _lines(points, least, most),
        [_failure(point) for point in points],
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )
    sides = tag("div", tag("span", time(most)), tag("span", time(least)), class_="sides") if most else None
    ends = tag("div", tag("span", clock(span[0])), tag("span", f"{clock(span[1])} UTC"), class_="axis")
    caption = [tag("span", "over time: p50, and up to p99"), tag("span", _failing(points), class_="bad")]
    plot = tag("div", drawing, class_="plot")
    return tag("figure", tag("figcaption", caption), tag("div", plot, sides, ends, class_="frame"))


def spark(windows: Sequence[Summary], span: Span) -> Markup:
    """The same without axes, for a row of a list; what it shows is said elsewhere in the row."""
    points = _points(windows, span)
    shape = [_outage(point) for point in points]
    lines = _lines(points, *_range(points))
    return tag("svg", shape, lines, viewBox=f"0 0 {WIDTH} {HEIGHT}", preserveAspectRatio="none", aria_hidden="true")


def _points(windows: Sequence[Summary], span: Span) -> list[Point]:
    """At most MOST_POINTS: windows that fall together are merged, so that quantiles stay true."""
    length = (span[1] - span[0]) or 1.0
    slots: dict[int, Summary] = {}
    for window in windows:
        slot = int((window.begin - span[0]) / length * MOST_POINTS)
        if slot not in slots:
            slots[slot] = Summary(window.series, window.begin, window.width_s)
        slots[slot].merge(window)
    return [
        Point(
            (each.begin - span[0]) / length * WIDTH,
            each.width_s / length * WIDTH,
            each.latency.quantile(0.5),
            each.latency.quantile(0.99),
            each,
        )
        for each in slots.values()
    ]


def _range(points: Sequence[Point]) -> Span:
    """The axis: from the least p50 to the most p99, and a tenth of the median at least."""
    lows = [point.low for point in points if point.low is not None]
    highs = [point.high for point in points if point.high is not None]
    if not lows:
        return 0.0, 0.0
    least, most = min(lows), max(highs)
    room = max((most - least) * 0.08, (least * 1.1 - most) / 2)
    return max(least - room, 0.0), most + room


def _lines(points: Sequence[Point], least: float, most: float) -> list[Markup]:
    """Band and median for each run of windows in which something came through."""

    def y(value: float | None) -> float:
        return (HEIGHT - STRIP - 2) * (1 - ((value or 0.0) - least) / ((most - least) or 1.0))

    drawn = []
    for run in _runs(points):
        middles = [(point.x + point.width / 2, y(point.low), y(point.high)) for point in run]
        if len(run) == 1:
            x, low, high = middles[0]
            drawn.append(tag("path", class_="dot", d=f"M{x:.1f} {low:.1f}V{min(high, low - 0.1):.1f}"))
            continue
        there = " ".join(f"{x:.1f} {high:.1f}" for x, _, high in middles)
        back = " ".join(f"{x:.1f} {low:.1f}" for x, low, _ in reversed(middles))
        drawn.append(tag("path", class_="band", d=f"M{there} {back}z"))
        drawn.append(tag("path", class_="median", d="M" + " ".join(f"{x:.1f} {low:.1f}" for x, low, _ in middles)))
    return drawn


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Broken where nothing came through, or where no window is for longer than one."""
    runs: list[list[Point]] = []
    last: Point | None = None
    for point in points:
        if point.low is None:
            last = None
            continue
        if last is None or point.x - (last.x + last.width) > last.width:
            runs.append([])
        runs[-1].append(point)
        last = point
    return runs


def _outage(point: Point) -> Markup | None:
    """Nothing came through: a column of the whole height."""
    if not point.summary.failed or point.summary.failed < point.summary.sent:
        return None
    return tag("rect", class_="outage", x=point.x, width=point.width, height=float(HEIGHT))


def _failure(point: Point) -> Markup | None:
    """A bar as high as the share that failed, and at least high enough to be seen."""
    summary = point.summary
    if not summary.failed:
        return None
    height = max(4.0, STRIP * summary.failed / summary.sent)
    said = f"{clock(summary.begin)}: {summary.failed} of {summary.sent} {worst(summary)}"
    place = {"x": point.x, "width": max(point.width - 0.5, 2.0), "y": HEIGHT - height, "height": height}
    return tag("rect", tag("title", said), class_="failed", **place)


def _failing(points: Sequence[Point]) -> str:
    failed = sum(point.summary.failed for point in points)
    return f"✘ {failed:,} failed" if failed else ""
