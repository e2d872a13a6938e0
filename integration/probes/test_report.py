"""The HTML report in a real Chromium, opened as a file: all in it, nothing loaded, readable in any light and width."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, browser
from contrast import CONTRAST, LEAST_CONTRAST

from meshkit.probes.ladder import MESH
from meshkit.probes.outcome import Outcome
from meshkit.report.probes import as_html
from meshkit.report.probes.page.matrix import describe
from meshkit.report.probes.page.scale import milliseconds
from report.outcomes import BEGAN, NAMES, outcome, troubled

HOSTILE = "<script>document.title='owned'</script>"
PAGES: dict[str, Outcome] = {
    "nothing": Outcome("mesh", BEGAN, BEGAN, ()),
    "two": outcome(conditions="reachable, p99 < 250ms, loss < 1%"),
    "twelve": troubled(),
    "thirty": outcome([f"dc-{number:02}" for number in range(30)], windows=3, each=2),
    "hostile": outcome(
        [HOSTILE, "x" * 253, '"><img src=http://127.0.0.1:1/x onerror=alert(1)>'],
        windows=3,
        each=2,
        missing={HOSTILE: HOSTILE},
    ),
}
WIDTHS = (375, 1440)
CELLS = """
return [...document.querySelectorAll(".tab")].flatMap((tab) =>
  [...tab.querySelectorAll("td a")].map((a) => [a.ariaLabel, a.firstChild.data]));
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
    for name, seen in PAGES.items():
        (folder / f"{name}.html").write_text(as_html(seen), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in PAGES}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing_and_complains_of_nothing(chromium: Browser, files: dict[str, Path], name: str) -> None:
    """The file is the one request, and neither its script nor its policy has anything to say."""
    chromium.show(files[name])
    assert chromium.run("return document.title").startswith("mesh: probes")
    assert chromium.requests() == [files[name].as_uri()]
    assert chromium.console() == []


def test_the_policy_refuses_what_is_not_its_own(chromium: Browser, files: dict[str, Path], tmp_path: Path) -> None:
    """A script and an image that got into the page all the same would neither run nor be fetched."""
    page = tmp_path / "tampered.html"
    foreign = f"<img src=http://127.0.0.1:1/x>{HOSTILE}</main>"
    page.write_text(files["two"].read_text(encoding="utf-8").replace("</main>", foreign), encoding="utf-8")
    chromium.show(page)
    assert chromium.run("return document.title").startswith("mesh: probes")
    assert sum("Content Security Policy" in line for line in chromium.console()) == 2


@pytest.mark.parametrize("name", ["two", "twelve", "thirty"])
def test_every_cell_is_there_with_its_value(chromium: Browser, files: dict[str, Path], name: str) -> None:
    """For each series: its median, or a cross; and the same in words."""
    chromium.show(files[name])
    expected = {
        describe(summary): "✘" if summary.failed == summary.sent else milliseconds(summary.latency.quantile(0.5))
        for summary in PAGES[name].summaries.values()
    }
    assert dict(chromium.run(CELLS)) == expected


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["two", "twelve"])
def test_all_text_has_contrast(chromium: Browser, files: dict[str, Path], name: str, scheme: str) -> None:
    """On every colour that stands behind a text, opened pairs included."""
    chromium.show(files[name], scheme=scheme)
    chromium.run("document.querySelectorAll('details').forEach((each, i) => { each.open = i < 40; })")
    measured = chromium.run(CONTRAST)
    assert len(measured) > 5
    assert [entry for entry in measured if entry[0] < LEAST_CONTRAST] == []


def test_the_scheme_follows_the_eye_and_the_switch(chromium: Browser, files: dict[str, Path]) -> None:
    """Dark when the system says so, and whatever the switch says afterwards."""
    paper = "return getComputedStyle(document.body).backgroundColor"
    chromium.show(files["two"], scheme="dark")
    dark = chromium.run(paper)
    chromium.show(files["two"], scheme="light")
    light = chromium.run(paper)
    assert dark != light
    chromium.click(".theme label:nth-of-type(3)")
    assert chromium.run(paper) == dark
    chromium.show(files["two"], scheme="light")
    assert chromium.run(paper) == dark, "the switch is remembered"
    chromium.click(".theme label:nth-of-type(1)")
    assert chromium.run(paper) == light


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_overflows(chromium: Browser, files: dict[str, Path], name: str, width: int) -> None:
    """Only the frames that are meant to scroll do, also with everything open."""
    chromium.show(files[name], width=width)
    chromium.run("document.querySelectorAll('details').forEach((each, i) => { each.open = i < 40; })")
    assert chromium.run("return document.documentElement.scrollWidth") <= width
    outside = """
    return [...document.body.querySelectorAll("*")].filter((each) =>
      !each.closest(".scroll, .hidden, .skip, svg") && each.checkVisibility() &&
      each.getBoundingClientRect().right > innerWidth + 0.5).map((each) => each.outerHTML.slice(0, 200));
    """
    assert chromium.run(outside) == []


def test_foreign_names_do_nothing(chromium: Browser, files: dict[str, Path]) -> None:
    """A name that holds a script is a name."""
    chromium.show(files["hostile"])
    assert chromium.run("return document.title").startswith("mesh: probes")
    assert HOSTILE in chromium.run("return document.querySelector('main').innerText")
    assert chromium.run("return document.querySelectorAll('img').length") == 0


def test_the_matrix_by_keyboard(chromium: Browser, files: dict[str, Path]) -> None:
    """One stop for Tab, arrows from cell to cell past the diagonal, and Enter opens the pair and goes there."""
    chromium.show(files["twelve"])
    table = ".tab:has(:checked) table.heat"
    assert chromium.run(f"return document.querySelectorAll('{table} td a[tabindex=\"0\"]').length") == 1
    chromium.run(f"document.querySelector('{table} td a').focus()")
    focused = "return document.activeElement.ariaLabel"
    first = chromium.run(focused)
    assert first.startswith("ack to aks, mesh: p50")
    chromium.press("\ue015")  # down: past the diagonal
    assert chromium.run(focused).startswith("doks to aks")
    chromium.press("\ue014")  # right: past the diagonal
    assert chromium.run(focused).startswith("doks to eks")
    chromium.press("\ue007")  # enter
    opened = "return [...document.querySelectorAll('details.pair[open] .name')].map((each) => each.textContent)"
    assert chromium.run(opened) == ["doks → eks"]
    assert chromium.run("return document.activeElement.querySelector('.name').textContent") == "doks → eks"


def test_another_rungs_matrix_is_one_click_away(chromium: Browser, files: dict[str, Path]) -> None:
    """One is shown at a time: the mesh's at first."""
    shown = """
    return [...document.querySelectorAll(".tab")].filter((tab) => tab.querySelector(".panel").checkVisibility())
      .map((tab) => tab.querySelector("label").textContent);
    """
    chromium.show(files["twelve"])
    assert chromium.run(shown) == [MESH]
    chromium.click(".tab label")
    assert chromium.run(shown) == ["network"]


def test_it_works_without_scripts(chromium: Browser, files: dict[str, Path], tmp_path: Path) -> None:
    """Where scripts are off, a cell still leads to its pair, and matrices and colours can be switched."""
    page = tmp_path / "quiet.html"
    page.write_text(re.sub("<script>.*</script>", "", files["twelve"].read_text(encoding="utf-8"), flags=re.DOTALL))
    chromium.show(page)
    paper = "return getComputedStyle(document.body).backgroundColor"
    light = chromium.run(paper)
    chromium.click(".theme label:nth-of-type(3)")
    assert chromium.run(paper) != light
    chromium.click(".tab label")
    chromium.click(".tab:first-of-type table.heat td a")
    assert chromium.run("return document.querySelector('details.pair[open] .name').textContent") == "ack → aks"


def test_figures_are_drawn_and_named(chromium: Browser, files: dict[str, Path]) -> None:
    """Each series of an open pair has a histogram and a time line with a size and a name."""
    chromium.show(files["two"])
    drawn = chromium.run("""
    return [...document.querySelectorAll("svg[role=img]")].map((svg) =>
      [svg.ariaLabel, svg.getBoundingClientRect().width, svg.querySelector("path").getBBox().width]);
    """)
    assert len(drawn) == 2 * len(PAGES["two"].summaries)
    assert all(label and width > 100 and path > 0 for label, width, path in drawn)


def test_tables_have_headings(chromium: Browser, files: dict[str, Path]) -> None:
    """Every data table says what its columns and rows are."""
    chromium.show(files["twelve"])
    count = "return [...document.querySelectorAll({!r})].filter((each) => !each.querySelector({!r})).length"
    assert chromium.run(count.format("table:not(.ladder)", "th[scope=col]")) == 0
    assert chromium.run(count.format("table.heat tbody tr, table.ladder tr", "th[scope=row]")) == 0
    rows = "return [...document.querySelectorAll('.tab')].map((tab) => tab.querySelectorAll('tbody tr').length)"
    assert chromium.run(rows) == [len(NAMES)] * 4


def test_print_shows_every_matrix_on_white(chromium: Browser, files: dict[str, Path]) -> None:
    """On paper there are no tabs to click and no dark."""
    chromium.show(files["two"], scheme="dark")
    chromium.print_media()
    assert chromium.run("return getComputedStyle(document.body).backgroundColor") == "rgb(252, 252, 251)"
    hidden = "return [...document.querySelectorAll('.panel')].filter((each) => !each.checkVisibility()).length"
    assert chromium.run(hidden) == 0
