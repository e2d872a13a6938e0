"""The HTML page: one file, sound for any text, with every figure in it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.probes.ladder import MESH, NETWORK
from meshkit.probes.outcome import Outcome
from meshkit.probes.probe import Series
from meshkit.probes.reasons import REASONS
from meshkit.probes.sample import Sample
from meshkit.probes.stats import Sketch
from meshkit.probes.summary import Summary
from meshkit.report.probes import as_html
from meshkit.report.probes.page.distribution import distribution
from meshkit.report.probes.page.markup import VOID, Markup, join, tag
from meshkit.report.probes.page.scale import STEPS, Scale, milliseconds
from meshkit.report.probes.page.timeline import MOST_POINTS, timeline
from report.outcomes import BEGAN, NAMES, outcome, refusal, troubled
from report.test_probes import _one

HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\" onclick='x' $style ${body}"


@pytest.fixture(scope="module")
def page() -> str:
    """Twelve datacenters with all that may go wrong."""
    return as_html(troubled())


class Structure(HTMLParser):
    """Every start tag with its attributes' names, and that each element ends."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _window(number: int = 0, rtts: tuple[float, ...] = (0.01,), failed: int = 0) -> Summary:
    window = Summary(Series("aks", "eks", "gateway", NETWORK), BEGAN + 60 * number, 60.0)
    for rtt in rtts:
        window.add(Sample("p", BEGAN, "ok", "", {"connect": rtt}, rtt, "kernel", 2e-5))
    for _ in range(failed):
        window.add(Sample("p", BEGAN, "refused", "no"))
    return window


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_foreign_text_never_becomes_markup(text: str) -> None:
    """Whatever names, faults, answers and notes say, the page has the same elements and attributes."""
    assert Structure(as_html(_one(text))).tags == Structure(as_html(_one("x"))).tags


def test_a_script_as_a_name_is_shown_as_text() -> None:
    """It can be read in the page, and is nowhere an element."""
    page = as_html(_one(HOSTILE))
    found = Structure(page)
    assert not found.open
    assert sum(name == "script" for name, *_ in found.tags) == 1
    assert not any(attribute.startswith("on") for _, *attributes in found.tags for attribute in attributes)
    assert any(HOSTILE in text for text in found.text)


def test_nothing_is_loaded(page: str) -> None:
    """No element or attribute that fetches, no style attribute that the policy would refuse."""
    found = Structure(page)
    assert not {name for name, *_ in found.tags} & {"link", "img", "iframe", "object", "embed", "image", "use", "base"}
    assert not {attribute for _, *names in found.tags for attribute in names} & {"src", "style", "srcset"}
    assert "@import" not in page
    assert "url(" not in page


def test_every_pair_has_its_cell_in_every_rungs_matrix(page: str) -> None:
    """Cells link to their pair, and say in words what the colour says."""
    cells = re.findall(r'<td class="(?:h[0-6]|h[0-6] lossy|down)"><a href="#(pair-\d+)" title="([^"]+)"', page)
    assert len(cells) == 4 * 11 * 11
    assert {anchor for anchor, _ in cells} == set(re.findall(r'class="inside" id="(pair-\d+)"', page))
    assert "aks to eks, mesh: broken: denied, 192 of 192" in dict(map(reversed, cells))
    assert "could not be asked: its API server does not answer: i/o timeout" in page


def test_failures_are_explained(page: str) -> None:
    """Each reason that was seen stands with its plain line and the last own words."""
    for reason in ("denied", "tls_wrong_identity", "timeout_connect", "refused"):
        assert REASONS[reason].replace("'", "&#x27;") in page
    assert "RBAC: access denied" in page


def test_what_fails_alike_is_told_once(page: str) -> None:
    """All rungs of a target that is down, and all rungs of a pair, are one line each."""
    findings = page[page.index('id="findings"') : page.index('id="matrix"')]
    assert "iks: network, gateway, rpc, mesh; nobody gets there" in findings
    assert "gke to doks: gateway, rpc, mesh; others get there" in findings
    assert "sick: 4162 of 8448 starts late" in findings
    failures = page[page.index('id="failures"') : page.index('id="expectations"')]
    assert '<td>aks to iks</td><td>network, gateway, rpc, mesh</td><td class="number">768 of 768</td>' in failures


def test_a_certificate_is_listed_once_with_what_is_left_of_its_life() -> None:
    """The shortest life first, whoever has seen it; a life that ends before it begins has nothing left."""
    lives = {"aks": (BEGAN - 100, BEGAN + 260), "eks": (BEGAN + 9, BEGAN), "gke": (BEGAN - 300, BEGAN + 160)}
    windows = [
        replace(_window(), series=Series(source, name, "gateway", NETWORK), certificate=life)
        for source in ("here", "there")
        for name, life in lives.items()
    ]
    page = as_html(Outcome("mesh", BEGAN, BEGAN + 60, tuple(windows)))
    rows = re.findall(r"<td>(\w+)/gateway: network</td><td>here, there</td>.*?<td class=\"number\">([^<]+)</td>", page)
    assert rows == [("eks", "0%"), ("gke", "21.7%"), ("aks", "55.6%")]


def test_names_that_escape_alike_have_their_own_anchors() -> None:
    """Anchors are numbers, never names."""
    windows = tuple(replace(_window(), series=Series(a, b, "s", MESH)) for a, b in (("a", "b-c"), ("a-b", "c")))
    page = as_html(Outcome("mesh", BEGAN, BEGAN + 60, windows))
    assert re.findall(r'class="inside" id="([^"]+)"', page) == ["pair-1", "pair-2"]


def test_a_probe_that_is_no_rung_has_its_matrix_too() -> None:
    """The name that a user gave is a tab like the rungs."""
    window = replace(_window(), series=Series("local", "github", "web", "my probe"))
    page = as_html(Outcome("mesh", BEGAN, BEGAN + 60, (window,)))
    assert 'aria-label="latency matrix, my probe"' in page
    assert "where the time goes" not in page


@pytest.mark.parametrize("windows", [0, 1, 500])
def test_time_lines_are_bounded(windows: int) -> None:
    """Windows that fall together are merged, and none is lost."""
    drawn = timeline([_window(n, failed=1) for n in range(windows)], (BEGAN, BEGAN + 60 * max(windows, 1)))
    failing = re.findall(r"<title>[\d:]+: (\d+) of \d+ refused", drawn)
    assert len(failing) == min(windows, MOST_POINTS)
    assert sum(map(int, failing)) == windows


def test_a_time_line_breaks_where_nothing_came_through() -> None:
    """An outage is a gap in the line and a column behind it, never a line drawn across."""
    windows = [_window(n, rtts=() if n == 3 else (0.01,), failed=4 if n == 3 else 0) for n in range(7)]
    drawn = timeline(windows, (BEGAN, BEGAN + 420))
    assert drawn.count('class="median"') == 2
    assert drawn.count('class="outage"') == 1


def test_a_lone_window_is_a_dot() -> None:
    """One point makes no line."""
    assert 'class="dot"' in timeline([_window()], (BEGAN, BEGAN + 60))


@given(st.lists(st.floats(1e-6, 100.0), min_size=1, max_size=60))
def test_histograms_stay_inside_their_frame(values: list[float]) -> None:
    """Bars and marks, whatever the spread, and never more than 41 bars."""
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    drawn = distribution(sketch)
    (width,) = re.findall(r'viewBox="0 0 (\d+) 100"', drawn)
    bars = re.findall(r"M(\d+) 100v-(\d+)h", drawn)
    assert 1 <= len(bars) <= 41
    assert all(0 <= int(x) < int(width) and 2 <= int(height) <= 94 for x, height in bars)
    assert all(0 <= float(x) <= int(width) for x in re.findall(r"M([\d.]+) 0V", drawn))


@given(st.lists(st.floats(1e-9, 1e3), max_size=20), st.floats(0, 1e6))
def test_scales_have_a_step_for_every_value(values: list[float], value: float) -> None:
    """Also for what is outside, and without values."""
    scale = Scale.over(values)
    assert 0 <= scale.step(value) < STEPS
    assert scale.edges() == sorted(scale.edges())


@pytest.mark.parametrize(("seconds", "text"), [(None, "-"), (0.0003, "0.30"), (0.0704, "70.4"), (0.2151, "215")])
def test_milliseconds_have_three_digits(seconds: float | None, text: str) -> None:
    """The unit is in the heading."""
    assert milliseconds(seconds) == text


def test_markup_is_escaped_by_construction() -> None:
    """Text is escaped once, markup never again; absent attributes are left out."""
    inner = tag("b", "<&>", title='"', hidden=True, id=None)
    assert inner == '<b title="&quot;" hidden>&lt;&amp;&gt;</b>'
    assert join(inner, "<", [Markup("<i></i>"), None], None) == f"{inner}&lt;<i></i>"


def test_thirty_datacenters_are_a_page_too() -> None:
    """870 pairs, and a matrix of small cells."""
    names = [f"dc-{number:02}" for number in range(30)]
    page = as_html(outcome(names, windows=2, each=2))
    assert page.count('<details class="pair"') == 870
    assert page.count('<table class="heat dense"') == 4
    assert len(page) < 16_000_000
    assert NAMES[0] not in page


def test_what_is_refused_as_it_should_be_is_shown_as_wanted() -> None:
    page = as_html(refusal())
    assert "aks to eks, intention frontend: refused, as wanted: denied, 3 of 3" in page
    assert ">as wanted<" in page
    assert ": broken: " not in page
