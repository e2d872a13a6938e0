"""A diagnosis for people, for scripts and as a page; what is foreign is escaped, and nothing is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from fakes import evidence as seen
from fakes.evidence import CRITICAL, healthy
from meshkit.report.trace import document, page, text
from meshkit.trace.diagnosis import Diagnosis, diagnose
from meshkit.trace.evidence import Rule

Golden = Callable[[str, str], None]
DENY = {"rule": Rule("deny", "frontend", "backend")}


def broken() -> Diagnosis:
    """Denied, and a gateway's pod is missing beside that."""
    evidence = seen.closed(seen.with_views(healthy(), DENY, DENY))
    return diagnose(seen.with_source(evidence, gateway_desired=2))


def unknown() -> Diagnosis:
    """It ends without an answer, and nothing says why."""
    return diagnose(replace(seen.closed(healthy()), unseen={"destination sidecar": "no answer within 3 s"}))


@pytest.mark.parametrize(
    ("name", "made"), [("healthy", lambda: diagnose(healthy())), ("broken", broken), ("unknown", unknown)]
)
def test_text(golden: Golden, name: str, made: Callable[[], Diagnosis]) -> None:
    """A line per hop, the verdict, and either the cause or what was tried."""
    golden(f"trace-{name}.txt", text.as_text(made()) + "\n")


def test_the_broken_hop_is_marked() -> None:
    """One line, and those beyond it were not reached."""
    lines = text.as_text(broken()).splitlines()

    assert [line.strip()[0] for line in lines[1:8]] == ["✔"] * 5 + ["✘", "·"]


def test_json() -> None:
    """Everything, as plain JSON values."""
    made = json.loads(json.dumps(document.as_json(broken())))

    assert (made["verdict"], made["first_broken"], made["cause"]["code"]) == (
        "broken",
        "remote sidecar",
        "intention_deny",
    )
    assert made["cause"]["remedy"] == "meshkit allow frontend backend"
    assert [hop["verdict"] for hop in made["hops"]][-2:] == ["broken", "not reached"]
    assert [found["code"] for found in made["beside"]] == ["gateway_degraded"]
    assert document.as_json(diagnose(healthy()))["cause"] is None


class _Reader(HTMLParser):
    """Elements that load something, and whether every element ends."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [
            f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "style") or name.startswith("on")
        ]
        if tag not in ("meta", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("made", [lambda: diagnose(healthy()), broken, unknown])
def test_the_page_stands_alone(made: Callable[[], Diagnosis]) -> None:
    """Whole, in both colour schemes, without a script, and nothing in it is fetched."""
    html, reader = page.as_html(made()), _Reader()
    reader.feed(html)

    assert (reader.open, reader.loads) == ([], [])
    assert "<script" not in html
    assert "default-src 'none'" in html
    assert "prefers-color-scheme: dark" in html
    assert all(hop.hop in html for hop in made().hops)


def test_the_picture_is_described() -> None:
    """Who can't see it is told the same."""
    html = page.as_html(broken())

    assert "<title>the path: lookup passes, source sidecar passes" in html
    assert "broken here" in html


def test_foreign_text_is_text() -> None:
    """A check's output may hold anything."""
    output = "<script>alert(1)</script>"
    ill = replace(CRITICAL[0], output=output)
    view = healthy().destination.consul
    assert view
    assert view.instances
    entry = replace(view.instances[0], checks=(ill,))
    html = page.as_html(diagnose(seen.closed(seen.with_views(healthy(), {}, {"instances": (entry,)}))))

    assert output not in html
    assert "&lt;script&gt;alert(1)" in html
