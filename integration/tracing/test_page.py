"""A trace's HTML page in a real Chromium: nothing loaded, readable in any light and width, and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Browser, browser
from contrast import CONTRAST, LEAST_CONTRAST

from fakes import changes
from fakes import evidence as seen
from fakes.evidence import healthy
from meshkit.lab.waiting import wait_until
from meshkit.report.trace import page
from meshkit.trace.diagnosis import Diagnosis, diagnose

HOSTILE = "<script>document.title='owned'</script><img src=http://127.0.0.1:1/x>"
PAGES: dict[str, Diagnosis] = {
    "healthy": diagnose(healthy()),
    "cut": diagnose(changes.cut(source=False, destination=False)(healthy())),
    "denied": diagnose(changes.denied("deny", "frontend", "backend")(healthy())),
    "degraded": diagnose(seen.with_source(healthy(), skew_s=900.0)),
    "unknown": diagnose(replace(seen.closed(healthy()), unseen={"source sidecar": HOSTILE, "x" * 300: "y" * 300})),
}
WIDTHS = (375, 1440)
SCROLLED_S = 10.0
PICTURE = """
const color = (element, name) => getComputedStyle(element)[name];
const box = document.querySelector("svg rect");
return [...document.querySelectorAll("svg.path text")].map((text) =>
  [text.textContent, color(text, "fill"), color(box, "fill"), color(document.body, "backgroundColor")]);
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of this module."""
    with browser(tmp_path_factory.mktemp("profile")) as session:
        yield session


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages as files."""
    folder = tmp_path_factory.mktemp("pages")
    for name, found in PAGES.items():
        (folder / f"{name}.html").write_text(page.as_html(found), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in PAGES}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing_and_complains_of_nothing(chromium: Browser, files: dict[str, Path], name: str) -> None:
    """The file is the one request, whatever a server's words hold, and its policy has nothing to refuse."""
    chromium.show(files[name])
    assert chromium.run("return document.title") == "eks/frontend to aks/backend: trace"
    assert chromium.requests() == [files[name].as_uri()]
    assert chromium.console() == []


@pytest.mark.parametrize("name", PAGES)
def test_the_verdict_the_cause_and_every_hop_are_there(chromium: Browser, files: dict[str, Path], name: str) -> None:
    """In words, in a table, and in the picture, whose broken hop is marked."""
    chromium.show(files[name])
    found = PAGES[name]
    words = chromium.run("return document.body.innerText")
    hops = chromium.run("return [...document.querySelectorAll('tbody th')].map((each) => each.textContent)")
    drawn = chromium.run("return [...document.querySelectorAll('svg .name')].map((each) => each.textContent)")
    assert hops == drawn == [hop.hop for hop in found.hops]
    marked = chromium.run("return document.querySelectorAll('svg rect.broken').length")
    assert marked == (found.verdict in ("broken", "unknown"))
    if found.cause:
        assert all(text in words for text in (found.cause.code, found.cause.text, found.cause.remedy))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_all_text_has_contrast(chromium: Browser, files: dict[str, Path], name: str, scheme: str) -> None:
    """Of the page, and of the picture, whose boxes are a shade of the paper."""
    chromium.show(files[name], scheme=scheme)
    measured = chromium.run(CONTRAST)
    assert len(measured) >= 3
    assert [entry for entry in measured if entry[0] < LEAST_CONTRAST] == []


def test_the_pictures_words_have_contrast(chromium: Browser, files: dict[str, Path]) -> None:
    """In both schemes, on a box as on the paper around it, where "broken here" stands."""
    for scheme in ("light", "dark"):
        chromium.show(files["cut"], scheme=scheme)
        words = chromium.run(PICTURE)
        assert "broken here" in [word for word, *_ in words]
        faint = [word for word, ink, box, paper in words if min(_ratio(ink, box), _ratio(ink, paper)) < LEAST_CONTRAST]
        assert faint == []


def _ratio(first: str, second: str) -> float:
    """WCAG 2.2's, of two colours as a browser writes them."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_overflows(chromium: Browser, files: dict[str, Path], name: str, width: int) -> None:
    """Only the picture and the table scroll, each in its own frame."""
    chromium.show(files[name], width=width)
    assert chromium.run("return document.documentElement.scrollWidth") <= width


def test_by_keyboard(chromium: Browser, files: dict[str, Path]) -> None:
    """On a narrow screen the picture is wider than its frame: Tab reaches it, it shows, and an arrow scrolls it."""
    chromium.show(files["cut"], width=375)
    chromium.press("\ue004")  # tab
    assert chromium.run("return document.activeElement.ariaLabel") == "the path"
    assert chromium.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    chromium.press("\ue014")  # right
    wait_until(lambda: chromium.run("return document.activeElement.scrollLeft > 0"), SCROLLED_S, "the picture to move")
    chromium.press("\ue004")
    assert chromium.run("return document.activeElement.ariaLabel") == "hops"


def test_the_picture_has_a_name(chromium: Browser, files: dict[str, Path]) -> None:
    """For who can't see it: every hop with its verdict."""
    chromium.show(files["cut"])
    assert "network broken" in chromium.run("return document.querySelector('svg[role=img] title').textContent")
