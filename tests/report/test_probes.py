"""Outcomes of probes as tables, remarks, JSON, JUnit, CSV and a live view."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from meshkit.probes import expect
from meshkit.probes.expect import Verdict
from meshkit.probes.ladder import GATEWAY, MESH, NETWORK, RPC
from meshkit.probes.outcome import Judgement, Outcome
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary
from meshkit.report import figures, probes
from meshkit.report.probes.sheet import COLUMNS, FORMULA
from report.outcomes import BEGAN, NAMES, TROUBLES, outcome, refusal

EMPTY = Outcome("mesh", BEGAN, BEGAN, ())
TROUBLED = replace(
    outcome(
        NAMES[:3],
        windows=3,
        each=4,
        faults={
            ("aks", "eks", MESH): TROUBLES["aks", "eks", MESH],
            ("gke", "eks", GATEWAY): ("tls_expired", "certificate has expired", range(3)),
            ("gke", "eks", RPC): ("timeout_processing", "", range(3)),
            ("gke", "eks", MESH): ("closed", "", range(3)),
            ("eks", "aks", NETWORK): ("timeout_connect", "", range(1, 2)),
        },
        late=("eks",),
        missing={"gke": "its API server does not answer"},
    ),
    notes=("the fibre floor of gke is not known",),
)


def _plain(o: Outcome) -> str:
    lines = ["  ".join(row) for columns, rows in probes.as_tables(o, ladder=True) for row in (columns, *rows)]
    return "\n".join([*lines, "", *probes.remarks(o), ""])


def _one(text: str, *, names: bool = True) -> Outcome:
    """A single series, of which every foreign text is ``text``."""
    name = text if names else "aks"
    window = Summary(Series(name, name, name, name), BEGAN, 60.0)
    window.add(Sample("p", BEGAN, "ok", "", {"connect": 0.01}, 0.01, "kernel", 2e-5, facts={"answers": [text]}))
    window.add(Sample("p", BEGAN, "refused", text))
    verdict = Verdict(window, text, holds=False, seen=text)
    judgement = Judgement(name, name, name, "path down", (name,))
    return Outcome(
        text, BEGAN, BEGAN + 60, (window,), (verdict,), (judgement,), {name: text}, {name: text}, {}, (text,)
    )


def test_tables_and_remarks(golden: Callable[[str, str], None]) -> None:
    """Series with their figures, ladders in one line each, and what is wrong below, the gravest first."""
    golden("probes.txt", _plain(TROUBLED))


def test_forms_for_machines(golden: Callable[[str, str], None]) -> None:
    """JSON, JUnit and CSV stay as they are: scripts rely on them."""
    small = replace(TROUBLED, windows=TROUBLED.windows[6:12], verdicts=TROUBLED.verdicts[4:8])
    golden("probes.json", json.dumps(probes.as_json(small), indent=2, ensure_ascii=False) + "\n")
    golden("probes-junit.xml", probes.as_junit(small) + "\n")
    golden("probes.csv", probes.as_csv(small).replace("\r\n", "\n"))


def test_live_view(golden: Callable[[str, str], None]) -> None:
    """On a terminal of 120 columns the view fits, with a cross where nothing came through."""
    console = Console(width=120, file=io.StringIO(), color_system=None)
    console.print(probes.live(TROUBLED))
    assert isinstance(console.file, io.StringIO)
    golden("probes-live.txt", console.file.getvalue())


@pytest.mark.parametrize("form", [probes.as_json, probes.as_junit, probes.as_csv, probes.live, probes.as_html])
def test_nothing_at_all(form: Callable[[Outcome], object]) -> None:
    """An outcome without samples is an outcome."""
    assert form(EMPTY)


def test_nothing_at_all_in_tables() -> None:
    """Without samples there is a heading, and a line that says so."""
    ((columns, rows),) = probes.as_tables(EMPTY, ladder=True)
    assert (len(columns), list(rows), list(probes.remarks(EMPTY))) == (13, [], ["no samples"])


def test_the_ladder_is_only_there_when_asked_for() -> None:
    """Without it there is one table."""
    assert len(list(probes.as_tables(TROUBLED, ladder=False))) == 1
    assert len(list(probes.as_tables(TROUBLED, ladder=True))) == 2


@pytest.mark.parametrize(
    ("faults", "line"),
    [
        ({}, "network 138 ms, gateway 138 ms, rpc ok, mesh +"),
        ({NETWORK: "refused"}, "✘ network refused, gateway 138 ms, rpc ok, mesh 1"),
        (
            {GATEWAY: "tls_expired", RPC: "closed", MESH: "closed"},
            "network 138 ms, ✘ gateway tls_expired, rpc closed, mesh",
        ),
        ({MESH: "denied"}, "network 138 ms, gateway 138 ms, rpc ok, ✘ mesh denied"),
    ],
)
def test_the_broken_rung_is_marked(faults: dict[str, str], line: str) -> None:
    """The first rung that lets nothing through has the sign; those above only say how they failed."""
    seen = outcome(windows=2, faults={("aks", "eks", rung): (why, "", range(2)) for rung, why in faults.items()})
    _, (_, rows) = probes.as_tables(seen, ladder=True)
    assert rows[0][2].startswith(line)
    assert rows[0][2].count("✘") == (1 if faults else 0)


def test_a_rung_without_samples_is_not_called_broken() -> None:
    """A window in which every start was skipped says nothing about the rung."""
    series = Series("aks", "eks", "gateway", NETWORK)
    seen = Outcome("mesh", BEGAN, BEGAN, (Summary(series, BEGAN, 60, skipped=3),))
    _, (_, rows) = probes.as_tables(seen, ladder=True)
    assert rows[0][2] == "network not probed"
    assert "3 starts skipped" in next(iter(probes.remarks(seen)))
    assert probes.as_json(seen)["ladders"][0]["rungs"] == {"network": None}
    assert "no samples" in probes.as_html(seen)


def test_answers_are_told() -> None:
    """Hops of a path, and what names resolve to; foreign text stays on its line."""
    window = Summary(Series("aks", "db", "db", "path"), BEGAN, 1.0)
    window.add(Sample("p", BEGAN, "ok", facts={"answers": ["1 10.0.0.1 0.2 ms", "2 *", "a\nb"]}))
    line = next(iter(probes.remarks(replace(EMPTY, windows=(window,)))))
    assert line.startswith("= aks to db/db: path: 1 10.0.0.1 0.2 ms, 2 *, a")
    assert "\n" not in line


def test_standings_are_told_apart() -> None:
    """What one sees alone, what some see, and what nobody sees."""
    standings = ("path down", "target down", "unknown", "up")
    judgements = tuple(Judgement("eks", "gateway", "network", standing, ("aks",)) for standing in standings)
    lines = list(probes.remarks(replace(EMPTY, judgements=judgements)))
    assert [line.partition("network: ")[2] for line in lines[:-1]] == [
        "path down from aks; others reach it",
        "target down: nobody reaches it (aks)",
        "does not answer aks, which is alone: the path or the target is down",
    ]


def test_exactly_the_documented_keys() -> None:
    """What scripts rely on, where nothing was measured as well."""
    found = probes.as_json(_one("x"))
    assert list(found) == [
        *("federation", "began", "ended", "holds", "series", "ladders", "expectations", "judgements"),
        *("sick", "missing", "notes"),
    ]
    window = found["series"][0]["windows"][0]
    assert set(found["series"][0]) - set(window) == {"from", "to", "service", "probe", "prober_sick", "windows"}
    assert found["series"][0]["latency_s"]["p50_s"] == pytest.approx(0.01, rel=0.01)
    assert (found["series"][0]["sent"], found["series"][0]["loss"], found["holds"]) == (2, 0.5, False)


@given(st.text())
def test_junit_is_well_formed_for_any_text(text: str) -> None:
    """Failures count, a missing datacenter is an error, and the parser takes it all."""
    root = ET.fromstring(probes.as_junit(_one(text)).encode())  # noqa: S314 - our own output
    assert [(suite.get("tests"), suite.get("failures"), suite.get("errors")) for suite in root] == [
        ("1", "1", "0"),
        ("1", "0", "1"),
    ]


@given(st.text(alphabet=st.one_of(st.sampled_from('=+-@\t\r\n",; \uff1d'), st.characters()), min_size=1))
def test_csv_is_rfc_4180_and_holds_no_formula(text: str) -> None:
    """Whatever names and faults say: the same columns, CRLF, and no cell that a spreadsheet would run."""
    written = probes.as_csv(_one(text))
    heading, row = csv.reader(io.StringIO(written, newline=""), strict=True)
    assert tuple(heading) == COLUMNS
    assert len(row) == len(COLUMNS)
    assert not any(cell.startswith(FORMULA) for cell in row)
    assert written.count("\n") == written.count("\r\n") == 2


@given(st.text())
def test_texts_for_terminals_and_json_take_any_text(text: str) -> None:
    """One line each, without control characters, in any encoding that Unicode has."""
    seen = _one(text)
    lines = [*probes.remarks(seen), *probes.live(seen).failures, json.dumps(probes.as_json(seen), ensure_ascii=False)]
    lines += [cell for _, rows in probes.as_tables(seen, ladder=True) for row in rows for cell in row]
    assert all(line.isprintable() for line in lines)
    assert all(line.encode() is not None for line in lines)


def test_live_shows_each_series_last_failure_once() -> None:
    """A failure that repeats does not push the others out."""
    seen = outcome(
        faults={("aks", "eks", MESH): ("denied", "", range(30)), ("eks", "aks", RPC): ("closed", "", range(2))}
    )
    assert [line.split("  ")[1].split(":")[0] for line in probes.live(seen).failures] == [
        "aks to eks/mesh-probe-eks",
        "eks to aks/consul",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.000028, "28 us"),
        (0.0009996, "1.0 ms"),
        (0.0704, "70.4 ms"),
        (0.09996, "100 ms"),
        (0.2151, "215 ms"),
        (0.9996, "1.00 s"),
        (1.25, "1.25 s"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    """Three digits; rounding up changes the unit rather than adding a digit."""
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0, "0%"), (0.001, "0.10%"), (0.137, "13.7%"), (1, "100%")])
def test_shares(value: float | None, text: str) -> None:
    """Two decimals below 1%, where they matter."""
    assert figures.share(value) == text


def test_what_is_refused_as_it_should_be_is_nowhere_called_lost() -> None:
    refused = refusal()
    (row,) = (row for row in next(iter(probes.as_tables(refused, ladder=False)))[1] if row[2] == "shop")
    assert row[4:7] == ("3", "refused", "-")
    assert probes.live(refused).failures == ()
    assert ", 0 failed" in probes.live(refused).title
    assert ("aks", "eks", "intention frontend", "-", "-", "refused", "") in probes.live(refused).series[1]


def test_what_passes_and_should_be_refused_is_shown_as_it_is() -> None:
    window = Summary(Series("aks", "eks", "shop", "intention frontend"), BEGAN, 60.0)
    window.add(Sample("p", BEGAN, "ok", "", {"connect": 0.01}, 0.01, "kernel", 2e-5))
    passing = replace(EMPTY, windows=(window,), verdicts=expect.judge(window, expect.parse("refused")))
    (row,) = next(iter(probes.as_tables(passing, ladder=False)))[1]
    assert row[5] == "0%"
    assert "✘ aks to eks/shop: intention frontend: refused does not hold: 1 of 1 passed" in list(
        probes.remarks(passing)
    )


def test_rungs_of_a_service_that_say_the_same_are_one_line() -> None:
    down = [Judgement("eks", "mesh-probe-eks", rung, "target down", ("aks", "gke")) for rung in (MESH, NETWORK)]
    path = Judgement("eks", "mesh-probe-eks", GATEWAY, "path down", ("aks",))
    up = Judgement("aks", "mesh-probe-aks", MESH, "up")
    said = list(probes.remarks(replace(EMPTY, judgements=(*down, path, up))))
    assert said[:-1] == [
        "! eks/mesh-probe-eks: network, mesh: target down: nobody reaches it (aks, gke)",
        "! eks/mesh-probe-eks: gateway: path down from aks; others reach it",
    ]
