"""The page as a whole: the template's parts, filled in. Nothing in it is loaded from anywhere."""

from __future__ import annotations

from importlib.resources import files
from string import Template

from meshkit.probes.outcome import Outcome
from meshkit.report.figures import count, share
from meshkit.report.probes.page import lists
from meshkit.report.probes.page.findings import findings
from meshkit.report.probes.page.markup import Content, Markup, join, source_hash, tag, text
from meshkit.report.probes.page.matrix import matrix
from meshkit.report.probes.page.method import method
from meshkit.report.probes.page.pair import pairs
from meshkit.report.probes.page.reading import Reading
from meshkit.report.probes.page.scale import clock, error, time
from meshkit.report.probes.remarks import verdict_line


def as_html(outcome: Outcome) -> str:
    """One HTML document, readable without scripts; its policy allows its own style and script and nothing else."""
    reading = Reading.of(outcome)
    style, script = _part("page.css"), _part("page.js")
    body = join(_header(reading), tag("main", _sections(reading)), _footer(outcome))
    return Template(_part("page.html")).substitute(
        title=text(f"{outcome.federation}: probes, {clock(outcome.began, day=True)}"),
        style=style,
        style_hash=source_hash(style),
        script=script,
        script_hash=source_hash(script),
        body=body,
    )


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _header(reading: Reading) -> Markup:
    outcome = reading.outcome
    choices = [
        tag(
            "label",
            tag("input", type="radio", name="theme", id=f"theme-{v}", value=v, class_="hidden", checked=not i),
            v,
        )
        for i, v in enumerate(("auto", "light", "dark"))
    ]
    return tag(
        "header",
        tag("p", f"meshkit probe report · {clock(outcome.began, day=True)} UTC", class_="kind"),
        tag("fieldset", tag("legend", "colours", class_="hidden"), choices, class_="theme"),
        tag("h1", f"{outcome.federation}: {verdict_line(outcome)}"),
        tag("dl", [tag("div", tag("dt", k), tag("dd", v)) for k, v in _facts(reading).items()], class_="facts"),
    )


def _facts(reading: Reading) -> dict[str, str]:
    outcome, summaries = reading.outcome, reading.summaries
    sent, failed = sum(s.sent for s in summaries), sum(s.failed for s in summaries)
    sources = sorted({source for source, _ in reading.pairs})
    medians = [m for s in summaries if (m := s.latency.quantile(0.5)) is not None]
    worst = max((summary.rtt_error_s for summary in summaries), default=0.0)
    facts = {
        "when (UTC)": f"{clock(outcome.began)} to {clock(outcome.ended)}, {_length(outcome.ended - outcome.began)}",
        "from": ", ".join(sources) if 0 < len(sources) <= 3 else count(len(sources), "source"),  # noqa: PLR2004, fits
        "measured": f"{count(len(reading.pairs), 'pair')}, {count(len(summaries), 'series', 'series')}",
        "samples": f"{sent:,}, {share(failed / sent)} failed" if sent else "none",
    }
    if medians:
        facts["p50"] = f"{time(min(medians))} to {time(max(medians))}"
    if worst:
        facts["clock error"] = f"{error(worst)} at most"
    return facts


def _length(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _sections(reading: Reading) -> list[Markup]:
    buttons = [
        tag("button", f"{verb} all", type="button", data_open=v) for verb, v in (("open", "all"), ("close", "none"))
    ]
    tools = tag("div", buttons, class_="tools")
    nothing = tag("p", "no samples", class_="lead")
    return [
        _section("findings", "Findings", "", findings(reading.outcome)),
        _section("matrix", "Latency", "", matrix(reading) if reading.pairs else nothing),
        _section("pairs", "Pairs", "", [tools, pairs(reading)] if reading.pairs else nothing),
        _section("failures", "Failures", "", lists.failures(reading) or tag("p", "none", class_="lead")),
        _section("expectations", "Expectations", "", lists.expectations(reading) or tag("p", "none", class_="lead")),
        _section(
            "certificates", "Certificates", "", lists.certificates(reading) or tag("p", "none seen", class_="lead")
        ),
        _section("probers", "Probers", "", lists.probers(reading) or tag("p", "none", class_="lead")),
        _section("method", "How this was measured", "", method(reading)),
    ]


def _section(name: str, title: str, lead: str, content: Content) -> Markup:
    intro = tag("p", lead, class_="lead") if lead else None
    return tag(
        "section", tag("h2", title, id=f"{name}-title"), intro, content, id=name, aria_labelledby=f"{name}-title"
    )


def _footer(outcome: Outcome) -> Markup:
    return tag("footer", tag("p", f"Times are UTC. This file loads nothing. Ended {clock(outcome.ended, day=True)}."))
