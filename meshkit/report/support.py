"""A support bundle's own pages: what it holds in one index, and what status, checks and probes say."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from meshkit.report import checks, probes, status
from meshkit.report.probes.page.markup import Markup, join, tag
from meshkit.report.trace import examination
from meshkit.report.trace.examination import SIGNS
from meshkit.support.document import Bundle, File

STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  background: light-dark(#fcfcfb, #121416); color: light-dark(#1b1c1d, #e4e5e6) }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
a { color: light-dark(#0b57a4, #8ec1f7) } li { overflow-wrap: anywhere }
small { color: light-dark(#595c5f, #a5a9ad) } .bad { color: light-dark(#a61b1b, #ff9c8f) }
table { border-collapse: collapse } td, th { text-align: left; padding: .1rem 1.2rem .1rem 0; vertical-align: top }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
GRAVEST = ("fail", "skip", "warn")


def documents(bundle: Bundle) -> Iterator[File]:
    """Status, checks and probes, as the commands of these names print them."""
    if bundle.state:
        yield File("status.json", "as meshkit status --output json", _json(status.as_json(bundle.state)))
        yield File("checks.txt", "as meshkit check", checks.as_text(bundle.checks) + "\n")
        yield File("checks.json", "as meshkit check --output json", _json(checks.as_json(bundle.checks)))
    if bundle.examination:
        yield File("doctor.txt", "as meshkit doctor", examination.as_text(bundle.examination) + "\n")
        yield File("doctor.json", "as meshkit doctor --output json", _json(examination.as_json(bundle.examination)))
    if bundle.outcome:
        yield File("probes.html", "results of scheduled probes", probes.as_html(bundle.outcome))
        yield File("probes.json", "the same as data", _json(probes.as_json(bundle.outcome)))


def index(bundle: Bundle, files: Sequence[File], redacted: Mapping[str, int]) -> str:
    """The page to begin with: one HTML document that loads nothing."""
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", f"{bundle.federation}: support bundle"),
        tag("style", Markup(STYLE)),
    ]
    body = [
        tag("h1", f"Federation {bundle.federation}"),
        tag("p", f"Support bundle of {bundle.made_at:%Y-%m-%d %H:%M:%S} UTC; logs and events of {_hours(bundle)}."),
        *_findings(bundle),
        *_gaps(bundle),
        *_listing(files),
        *_redactions(redacted),
    ]
    return Markup("<!doctype html>\n") + tag("html", tag("head", head), tag("body", body), lang="en") + "\n"


def _findings(bundle: Bundle) -> Iterator[Markup]:
    yield tag("h2", "What is not as it should be")
    if bundle.examination is None and bundle.state is None:
        yield tag("p", "The federation could not be looked at.", class_="bad")
        return
    rows = [tag("tr", (tag("td", cell) for cell in row)) for row in _wrong(bundle)]
    yield tag("table", rows) if rows else tag("p", f"Nothing: all of {len(bundle.checks)} checks pass.")


def _wrong(bundle: Bundle) -> Iterator[tuple[str, str, Markup]]:
    """What the doctor found, worst first, checks included; the checks alone when there was none."""
    if bundle.examination:
        for each in bundle.examination.ailments:
            if each.weight != "note":
                where = f"{each.datacenter}: " if each.datacenter else ""
                yield SIGNS[each.weight], f"{where}{each.fact}", _said(each.text, each.remedy)
        return
    for verdict in GRAVEST:
        for result in bundle.checks:
            if result.verdict == verdict:
                yield verdict, result.check, _said(result.detail, result.hint)


def _said(detail: str, hint: str) -> Markup:
    return join(detail, tag("br") if detail and hint else None, tag("small", f"hint: {hint}") if hint else None)


def _gaps(bundle: Bundle) -> Iterator[Markup]:
    if bundle.gaps:
        yield tag("h2", "What could not be read")
        yield tag("ul", [tag("li", tag("b", gap.place), f": {gap.why}") for gap in bundle.gaps])


def _listing(files: Sequence[File]) -> Iterator[Markup]:
    yield tag("h2", "Files")
    ordered = sorted(files, key=lambda file: file.path.rpartition("/"))
    for folder, group in groupby(ordered, key=lambda file: file.path.rpartition("/")[0]):
        if folder:
            yield tag("h3", folder)
        yield tag("ul", [tag("li", _link(file), " ", tag("small", file.title)) for file in group])


def _link(file: File) -> Markup:
    return tag("a", file.path.rpartition("/")[2], href=f"./{file.path}")


def _redactions(redacted: Mapping[str, int]) -> Iterator[Markup]:
    yield tag("h2", "What was taken out")
    kinds: dict[str, int] = defaultdict(int, redacted)
    if kinds:
        rows = [tag("tr", tag("td", name), tag("td", f"{number:,} times")) for name, number in sorted(kinds.items())]
        yield tag("table", rows)
    else:
        yield tag("p", "No secret was in any of it.")
    yield tag("p", tag("small", "Read it before you hand it on: names, addresses and logs are as they are."))


def _hours(bundle: Bundle) -> str:
    minutes = round(bundle.since_s / 60)
    return f"the last {minutes // 60} h" if minutes % 60 == 0 and minutes else f"the last {minutes} min"


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
