"""The page as a whole."""

from __future__ import annotations

from meshkit.probes.outcome import Outcome
from meshkit.report.probes.page.markup import join, tag
from meshkit.report.probes.remarks import remarks
from meshkit.report.probes.tables import as_tables


def as_html(outcome: Outcome) -> str:
    """One HTML document."""
    tables = [
        tag(
            "table",
            tag("thead", tag("tr", [tag("th", column, scope="col") for column in columns])),
            tag("tbody", [tag("tr", [tag("td", cell) for cell in row]) for row in rows]),
        )
        for columns, rows in as_tables(outcome, ladder=True)
    ]
    said = tag("ul", [tag("li", line) for line in remarks(outcome)])
    head = tag("head", tag("meta", charset="utf-8"), tag("title", outcome.federation))
    return "<!doctype html>" + tag("html", head, tag("body", join(said, tables)), lang="en")
