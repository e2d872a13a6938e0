"""A ladder as bars on one scale: light in fibre, the network, each rung above, and what the mesh adds."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.probes.ladder import MESH, NETWORK, RUNGS, Ladder
from meshkit.report.figures import added, share
from meshkit.report.probes.page.markup import Content, Markup, tag
from meshkit.report.probes.page.scale import time
from meshkit.report.probes.tables import BROKEN, worst

WIDTH, HEIGHT = 1000, 12


def rungs(ladder: Ladder) -> Markup:
    """A table whose middle column is drawn."""
    longest = max((value for value in _lengths(ladder) if value), default=1.0)
    rows = [_row("light in fibre", "the floor: there and back by the shortest way", _floor(ladder, longest))]
    if ladder.floor_s is None:
        rows = []
    rows += [_row(name, RUNGS[name], _rung(ladder, name, longest)) for name in RUNGS if name in ladder.rungs]
    if ladder.setup_s is not None:
        bar = _bar("passes", 0, ladder.setup_s, longest)
        rows.append(_row("first answer", "a new stream through the mesh until it answers", (bar, time(ladder.setup_s))))
    return tag("table", tag("caption", "where the time goes"), tag("tbody", rows), class_="ladder")


def _lengths(ladder: Ladder) -> Iterator[float | None]:
    yield from (ladder.floor_s, ladder.setup_s)
    yield from (summary.latency.quantile(0.5) for summary in ladder.rungs.values())


def _row(name: str, what: str, cells: tuple[Content, Content]) -> Markup:
    return tag("tr", tag("th", name, scope="row", title=what), tag("td", cells[0]), tag("td", cells[1]))


def _floor(ladder: Ladder, longest: float) -> tuple[Content, Content]:
    floor = ladder.floor_s or 0.0
    return _bar("light", 0, floor, longest), time(floor)


def _rung(ladder: Ladder, name: str, longest: float) -> tuple[Content, Content]:
    summary = ladder.rungs[name]
    if not summary.sent:
        return None, tag("span", "not probed", class_="soft")
    if summary.failed == summary.sent:
        said = f"{BROKEN} {worst(summary)}" + ("" if name == ladder.broken else " (as below)")
        return None, tag("span", said, class_="bad")
    median, network, extra = summary.latency.quantile(0.5), ladder.network_s, ladder.mesh_adds_s
    losing = f", loss {share(summary.loss)}" if summary.failed else ""
    if name == NETWORK and median and ladder.floor_s:
        losing = f", {median / ladder.floor_s:.1f} \N{MULTIPLICATION SIGN} light{losing}"
    if name == MESH and network is not None and extra is not None:
        bars = [_part("passes", 0, network, longest), _part("adds", network, max(extra, 0.0), longest)]
        return _drawing(bars), f"{added(extra)}{losing}"
    if median is None:
        return None, f"passes{losing}"
    return _bar("own" if name == NETWORK else "passes", 0, median, longest), f"{time(median)}{losing}"


def _bar(kind: str, begin: float, length: float, longest: float) -> Markup:
    return _drawing([_part(kind, begin, length, longest)])


def _part(kind: str, begin: float, length: float, longest: float) -> Markup:
    place = {"x": begin / longest * WIDTH, "width": max(length / longest * WIDTH, 1.0)}
    return tag("rect", class_=kind, y=1.0, height=float(HEIGHT - 2), **place)


def _drawing(parts: list[Markup]) -> Markup:
    return tag("svg", parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", preserveAspectRatio="none", aria_hidden="true")
