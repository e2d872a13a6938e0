"""From whom to whom, one table per probe: the median in each cell, on a colour of one scale for all of them."""

from __future__ import annotations

from collections.abc import Mapping

from meshkit.probes.expect import REFUSED
from meshkit.probes.ladder import RUNGS
from meshkit.probes.summary import Summary
from meshkit.report.figures import NOTHING, share
from meshkit.report.probes.live import foremost
from meshkit.report.probes.page.markup import Markup, tag
from meshkit.report.probes.page.reading import Pair, Reading
from meshkit.report.probes.page.scale import STEPS, Scale, milliseconds, time
from meshkit.report.probes.tables import BROKEN, SICK, worst

DENSE = 14
"""From so many columns on cells show their value alone."""


def matrix(reading: Reading) -> Markup:
    """All tables, of which one is shown: the highest rung at first, since it needs all the others."""
    probes = reading.probes
    medians = [summary.latency.quantile(0.5) for summary in reading.summaries]
    scale = Scale.over(median for median in medians if median)
    shown = next((rung for rung in reversed(RUNGS) if rung in probes), probes[0] if probes else "")
    tabs = [_tab(reading, probe, scale, checked=probe == shown) for probe in probes]
    legend = _legend(scale) if any(medians) else None
    return tag("div", tag("fieldset", tag("legend", "probe", class_="hidden"), tabs, class_="tabs"), legend)


def _tab(reading: Reading, probe: str, scale: Scale, *, checked: bool) -> Markup:
    radio = tag("input", type="radio", name="matrix", class_="hidden", checked=checked)
    lead = "median in ms, from (rows) to (columns)" + (f": {RUNGS[probe]}" if probe in RUNGS else "")
    table = _table(reading, probe, scale)
    scroll = tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=f"latency matrix, {probe}")
    panel = tag("div", tag("h3", probe), tag("p", lead, class_="lead"), scroll, class_="panel")
    return tag("div", tag("label", radio, probe), panel, class_="tab")


def _table(reading: Reading, probe: str, scale: Scale) -> Markup:
    cells: dict[Pair, list[Summary]] = {}
    for summary in reading.summaries:
        if summary.series.probe == probe:
            cells.setdefault((summary.series.source, summary.series.destination), []).append(summary)
    missing = reading.outcome.missing
    destinations = sorted({destination for _, destination in cells})
    sources = sorted({source for source, _ in cells} | set(missing))
    head = tag("tr", tag("td", class_="corner"), [tag("th", name, scope="col", title=name) for name in destinations])
    rows = [
        tag("tr", _name(source, reading), _row(reading, source, destinations, cells, scale))
        if any(pair[0] == source for pair in cells)
        else tag("tr", _name(source, reading), _gone(missing[source], len(destinations)))
        for source in sources
    ]
    dense = "heat dense" if len(destinations) >= DENSE else "heat"
    return tag(
        "table",
        tag("caption", f"{probe}: median in ms", class_="hidden"),
        tag("thead", head),
        tag("tbody", rows),
        class_=dense,
    )


def _name(source: str, reading: Reading) -> Markup:
    sick = reading.outcome.sick.get(source)
    mark = tag("span", SICK, class_="bad", title=f"prober sick: {sick}") if sick else None
    return tag("th", source, mark, scope="row", title=source)


def _gone(why: str, columns: int) -> Markup:
    return tag("td", f"could not be asked: {why}", class_="gone", colspan=max(columns, 1))


def _row(
    reading: Reading, source: str, destinations: list[str], cells: Mapping[Pair, list[Summary]], scale: Scale
) -> list[Markup]:
    row = []
    for destination in destinations:
        if (source, destination) in cells:
            row.append(_cell(reading, foremost(cells[source, destination]), scale))
        elif source == destination:
            row.append(tag("td", tag("span", "·"), class_="self"))
        else:
            row.append(tag("td", tag("span", NOTHING, title="not probed"), class_="none"))
    return row


def _cell(reading: Reading, summary: Summary, scale: Scale) -> Markup:
    series, median = summary.series, summary.latency.quantile(0.5)
    kind = "" if median is None else f"h{scale.step(median)}"
    value, below = milliseconds(median), ""
    if series in reading.outcome.refused:
        value, below = REFUSED, "as wanted"
    elif summary.sent and summary.failed == summary.sent:
        kind, value, below = "down", BROKEN, worst(summary)
    elif summary.loss:
        kind, below = f"{kind} lossy", f"loss {share(summary.loss)}"
    elif median is None:
        value, below = ("ok", "") if summary.sent else ("?", "no samples")
    said = describe(summary, refused=series in reading.outcome.refused)
    link = f"#{reading.anchors[series.source, series.destination]}"
    return tag(
        "td",
        tag("a", value, tag("small", below) if below else None, href=link, title=said, aria_label=said),
        class_=kind,
    )


def describe(summary: Summary, *, refused: bool = False) -> str:
    """A series in one sentence."""
    series = summary.series
    name = f"{series.source} to {series.destination}, {series.probe}"
    if not summary.sent:
        return f"{name}: no samples"
    if refused:
        return f"{name}: refused, as wanted: {worst(summary)}, {summary.failed} of {summary.sent}"
    if summary.failed == summary.sent:
        return f"{name}: broken: {worst(summary)}, {summary.failed} of {summary.sent}"
    times = f"p50 {time(summary.latency.quantile(0.5))}, p99 {time(summary.latency.quantile(0.99))}"
    return f"{name}: {times}, loss {share(summary.loss)}"


def _legend(scale: Scale) -> Markup:
    edges = scale.edges()
    swatches = [tag("li", tag("i", class_=f"h{step}"), milliseconds(edges[step])) for step in range(STEPS)]
    steps = tag("div", tag("ol", swatches, aria_label="milliseconds from"))
    down = tag("span", tag("i", BROKEN, class_="down"), "nothing comes through", class_="key")
    lossy = tag("span", tag("i", class_="lossy"), "some is lost", class_="key")
    return tag("div", steps, tag("span", "ms and more, all tables alike"), down, lossy, class_="legend")
