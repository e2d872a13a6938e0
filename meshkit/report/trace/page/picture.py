"""The path as a picture: a box per hop from left to right, a line between them, the first broken one marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meshkit.report.figures import duration
from meshkit.report.probes.page.markup import Content, Markup, tag
from meshkit.trace.diagnosis import HopResult

WIDTH, HEIGHT, GAP, TOP, MARGIN = 132, 64, 34, 34, 12
SIGNS = {"passes": "✔", "broken": "✘", "degraded": "!", "not reached": "·", "not seen": "?"}


def picture(hops: Sequence[HopResult]) -> Markup:
    """SVG, with a description for who can't see it."""
    width = 2 * MARGIN + len(hops) * WIDTH + (len(hops) - 1) * GAP
    described = ", ".join(f"{hop.hop} {hop.verdict}" for hop in hops)
    drawn = tag(
        "svg",
        tag("title", f"the path: {described}"),
        *(part for place, hop in enumerate(hops) for part in _hop(place, hop)),
        viewBox=f"0 0 {width} {TOP + HEIGHT + MARGIN}",
        width=width,
        role="img",
        class_="path",
    )
    return tag("div", drawn, class_="wide", tabindex="0", role="region", aria_label="the path")


def _hop(place: int, hop: HopResult) -> Iterator[Content]:
    left, state = MARGIN + place * (WIDTH + GAP), hop.verdict.replace(" ", "-")
    middle = left + WIDTH / 2
    if place:
        line = TOP + HEIGHT / 2
        yield tag("line", x1=left - GAP, x2=left, y1=line, y2=line, class_=f"way {state}")
    yield tag("rect", x=left, y=TOP, width=WIDTH, height=HEIGHT, rx=8, class_=f"hop {state}")
    yield tag("text", hop.hop, x=middle, y=TOP + 26, class_="name")
    shown = f"{SIGNS[hop.verdict]} {hop.verdict if hop.took_s is None else duration(hop.took_s)}"
    yield tag("text", shown, x=middle, y=TOP + 48, class_=f"state {state}")
    if state == "broken":
        yield tag("text", "broken here", x=middle, y=TOP - 12, class_="state broken")
