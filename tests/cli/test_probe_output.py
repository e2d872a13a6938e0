"""An outcome in every form, written where it was asked for, and the exit code that it comes to."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args
from xml.etree import ElementTree as ET

import pytest
import typer

from meshkit.cli.probe import output
from meshkit.cli.probe.options import Form
from meshkit.errors import MeshkitError, UsageError
from meshkit.probes import expect
from meshkit.probes.outcome import Outcome
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary


def outcome(*, missing: bool = False) -> Outcome:
    """From aks to eks: 70 ms, one of ten lost."""
    summary = Summary(Series("aks", "eks", "mesh-probe-eks", "network"), 1_790_000_000.0, 1.0)
    for place in range(9):
        summary.add(
            Sample("1", 1_790_000_000.0 + place, "ok", phases={"connect": 0.07}, rtt_s=0.07, rtt_source="kernel")
        )
    summary.add(Sample("1", 1_790_000_009.0, "timeout_connect", "no answer"))
    return Outcome(
        "mesh", 1_790_000_000.0, 1_790_000_010.0, (summary,), missing={"gke": "it does not answer"} if missing else {}
    )


LOSS = expect.parse("loss<1%, p50<1s")


@pytest.mark.parametrize("form", get_args(Form))
def test_every_form_has_the_figures(form: Form, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is what it is called, on standard output, and nothing else is there."""
    output.show(outcome(), form, None, ladder=True)
    printed = capsys.readouterr()
    assert printed.err == ""
    if form == "json":
        assert json.loads(printed.out)["series"][0]["failed"] == 1
    elif form == "junit":
        assert ET.fromstring(printed.out).tag == "testsuites"  # noqa: S314 - our own output
    elif form == "csv":
        assert next(csv.DictReader(io.StringIO(printed.out)))["failed"] == "1"
    elif form == "html":
        assert printed.out.lower().startswith("<!doctype html>")
    else:
        assert printed.out.startswith("FROM  TO   SERVICE")
        assert "network 70.0 ms" in printed.out
        assert "! aks to eks/mesh-probe-eks: network: 1 of 10 timeout_connect: no answer\n" in printed.out
        assert printed.out.splitlines()[-1] == "10 samples, 1 failed"


@pytest.mark.parametrize("form", get_args(Form))
def test_what_does_not_hold_is_one_line_and_exit_code_1(form: Form, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the document on stderr; in the table it is there already."""
    with pytest.raises(typer.Exit) as ended:
        output.show(output.judged(outcome(), LOSS), form, None, ladder=True)
    assert ended.value.exit_code == 1
    printed = capsys.readouterr()
    lines = (printed.out if form == "table" else printed.err).splitlines()
    unmet = [line for line in lines if line.startswith("✘")]
    assert len(unmet) == 1
    assert "aks to eks/mesh-probe-eks: network: loss<1% does not hold: loss 10.00% (95%: " in unmet[0]
    assert (printed.err == "") == (form == "table")


def test_a_datacenter_that_could_not_be_asked_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody saw is not good."""
    with pytest.raises(typer.Exit) as ended:
        output.show(outcome(missing=True), "table", None, ladder=True)
    assert ended.value.exit_code == 1
    assert "✘ gke could not be asked: it does not answer" in capsys.readouterr().out


def test_what_holds_is_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    """And said."""
    output.show(output.judged(outcome(), expect.parse("loss<50%, p50<1s")), "table", None, ladder=True)
    assert capsys.readouterr().out.splitlines()[-1] == "2 expectations, all hold"


def test_verdicts_are_added_to_those_that_are_there() -> None:
    """Whatever judged before has its say too."""
    before = output.judged(outcome(), LOSS)
    assert len(output.judged(before, LOSS).verdicts) == 2 * len(before.verdicts)


def test_a_file_is_written_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output stays empty, so that it can be used for something else."""
    file = tmp_path / "report.html"
    output.show(outcome(), "html", file, ladder=True)
    printed = capsys.readouterr()
    assert file.read_text().lower().startswith("<!doctype html>")
    assert (printed.out, printed.err) == ("", f"{file} is written\n")


def test_a_csv_in_a_file_keeps_its_line_ends(tmp_path: Path) -> None:
    """RFC 4180 wants CRLF, and one of each is enough."""
    file = tmp_path / "probes.csv"
    output.show(outcome(), "csv", file, ladder=True)
    assert file.read_bytes().count(b"\r\n") == file.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("name", [".", "nowhere/report.html"], ids=["a folder", "a folder that is not there"])
def test_a_file_that_can_not_be_written_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    """A minute of probing for nothing is a minute lost."""
    with pytest.raises(UsageError, match="can't be written") as caught:
        output.check_file(tmp_path / name)
    assert caught.value.hint
    output.check_file(tmp_path / "report.html")
    output.check_file(None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_became_unwritable_is_one_line(tmp_path: Path) -> None:
    """What was good at the beginning need not be so at the end."""
    with pytest.raises(MeshkitError, match="can't be written: Is a directory"):
        output.show(outcome(), "json", tmp_path, ladder=True)


@pytest.mark.parametrize("text", ["fast", "p99<", "loss<1ms", ""])
def test_an_expectation_that_is_none(text: str) -> None:
    """It is named as the option that it came from."""
    with pytest.raises(UsageError, match="--expect: ") as caught:
        output.conditions([text])
    assert "p99<120ms" in caught.value.hint


def test_conditions_are_those_of_all_texts() -> None:
    """The option may be repeated."""
    assert [condition.text for condition in output.conditions(["p99<1s, loss<1%", "reachable"])] == [
        "p99<1s", "loss<1%", "reachable",
    ]  # fmt: skip


def test_an_empty_outcome_is_rendered_in_every_form() -> None:
    """Nothing measured is no reason to fail."""
    empty = replace(outcome(), windows=())
    for form in get_args(Form):
        assert output.rendered(empty, cast("Form", form), ladder=True)


def test_what_follows_from_a_broken_rung_is_not_told_again() -> None:
    """The ladder names the first broken rung; of the rungs above it only what is no consequence is worth a line."""
    windows = []
    for rung, reason in (("network", "timeout_connect"), ("gateway", "timeout_connect"), ("mesh", "reset")):
        window = Summary(Series("aks", "eks", "mesh-probe-eks", rung), 1_790_000_000.0, 1.0)
        window.add(Sample("1", 1_790_000_000.0, reason, "no answer"))
        windows.append(window)
    other = Summary(Series("aks", "eks", "shop", "tcp"), 1_790_000_000.0, 1.0)
    other.add(Sample("1", 1_790_000_000.0, "refused", "nobody listens"))
    cut = Outcome("mesh", 1_790_000_000.0, 1_790_000_001.0, (*windows, other))
    assert list(output.failures(cut)) == [
        "! aks to eks/mesh-probe-eks: network: 1 of 1 timeout_connect: no answer",
        "! aks to eks/shop: tcp: 1 of 1 refused: nobody listens",
    ]
