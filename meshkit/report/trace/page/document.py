"""The page as a whole. Nothing in it is loaded from anywhere, and it has no script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from string import Template

from meshkit.report.figures import duration
from meshkit.report.probes.page.markup import Content, Markup, join, source_hash, tag, text
from meshkit.report.trace.page.picture import picture
from meshkit.report.trace.text import WORDS
from meshkit.trace.cause import Finding
from meshkit.trace.diagnosis import Diagnosis, HopResult


def as_html(diagnosis: Diagnosis) -> str:
    """One HTML document; its policy allows its own style and nothing else."""
    style = _part("page.css")
    body = join(_header(diagnosis), tag("main", *_sections(diagnosis)))
    title = text(f"{diagnosis.route}: trace")
    return Template(_part("page.html")).substitute(title=title, style=style, style_hash=source_hash(style), body=body)


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _header(diagnosis: Diagnosis) -> Markup:
    cause = diagnosis.cause
    where = f" at {cause.hop}" if cause else ""
    return tag(
        "header",
        tag("p", f"meshkit trace · {diagnosis.took_s:.1f} s · {diagnosis.tag or 'no request sent'}", class_="kind"),
        tag("h1", diagnosis.route),
        tag("p", f"{WORDS[diagnosis.verdict]}{where}", class_=f"verdict {diagnosis.verdict}"),
    )


def _sections(diagnosis: Diagnosis) -> Iterator[Content]:
    yield tag("section", tag("h2", "Path"), picture(diagnosis.hops))
    if diagnosis.cause:
        yield tag("section", tag("h2", "Cause"), _finding(diagnosis.cause))
    yield tag("section", tag("h2", "Hops"), _hops(diagnosis.hops))
    if diagnosis.beside:
        yield tag("section", tag("h2", "Also found"), [_finding(finding) for finding in diagnosis.beside])
    yield tag("section", tag("h2", "Tried"), _list(diagnosis.tried))
    if diagnosis.unseen:
        shown = [f"{name}: {why}" for name, why in diagnosis.unseen]
        yield tag("section", tag("h2", "Could not be seen"), _list(shown))


def _finding(finding: Finding) -> Markup:
    rows = (("evidence", finding.text), ("where", f"{finding.hop}, {finding.datacenter}"))
    return tag(
        "article",
        tag("h3", tag("code", finding.code), f" {finding.fact}"),
        tag("dl", [join(tag("dt", name), tag("dd", value)) for name, value in rows]),
        tag("pre", finding.remedy),
        class_=finding.weight,
    )


def _hops(hops: Sequence[HopResult]) -> Markup:
    head = tag("tr", [tag("th", name, scope="col") for name in ("hop", "verdict", "time", "seen")])
    rows = [
        tag(
            "tr",
            tag("th", hop.hop, scope="row"),
            tag("td", hop.verdict, class_=_class(hop.verdict)),
            tag("td", duration(hop.took_s), class_="number"),
            tag("td", hop.said),
        )
        for hop in hops
    ]
    table = tag("table", tag("thead", head), tag("tbody", rows))
    return tag("div", table, class_="wide", tabindex="0", role="region", aria_label="hops")


def _class(verdict: str) -> str:
    return verdict.replace(" ", "-")


def _list(lines: Sequence[str]) -> Markup:
    return tag("ul", [tag("li", line) for line in lines])
