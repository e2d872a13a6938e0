"""An outcome in the form that was asked for, and the exit code that it comes to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import typer

from meshkit.cli import console
from meshkit.cli.probe.options import Form
from meshkit.errors import MeshkitError, UsageError
from meshkit.probes import expect as expectations
from meshkit.probes.expect import Condition
from meshkit.probes.outcome import Outcome
from meshkit.probes.reasons import OK, REASONS, one_line


def conditions(texts: Sequence[str]) -> tuple[Condition, ...]:
    """What ``--expect`` says; UsageError with the part that is no expectation."""
    try:
        return tuple(condition for text in texts for condition in expectations.parse(text))
    except ValueError as error:
        raise UsageError(f"--expect: {error}", hint="--expect 'p99<120ms, loss<0.1%'") from None


def judged(outcome: Outcome, wanted: Sequence[Condition]) -> Outcome:
    """The outcome with a verdict on each condition for every series, beside those that it has already."""
    verdicts = (verdict for summary in outcome.summaries.values() for verdict in expectations.judge(summary, wanted))
    return replace(outcome, verdicts=(*outcome.verdicts, *verdicts))


def check_file(file: Path | None) -> None:
    """UsageError when the file can't be written, before any work is done for it; nothing is created yet."""
    if file is None:
        return
    writable = os.access(file, os.W_OK) if file.exists() else os.access(file.parent, os.W_OK | os.X_OK)
    if file.is_dir() or not writable:
        raise UsageError(f"--file: {file} can't be written", hint="the folder must exist, and be yours to write to")


def show(outcome: Outcome, form: Form, file: Path | None, *, ladder: bool) -> None:
    """Print or write it; then exit code 1 when something is not as it should be."""
    text = rendered(outcome, form, ladder=ladder)
    if file is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        try:
            file.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise MeshkitError(f"{file} can't be written: {error.strerror}", hint="--file another one") from error
        console.say(f"{file} is written")
    if form != "table" or file is not None:
        _say_unmet(outcome)
    if not outcome.holds:
        raise typer.Exit(1)


def rendered(outcome: Outcome, form: Form, *, ladder: bool) -> str:
    """The whole text."""
    from meshkit.report import probes as report

    if form == "json":
        return json.dumps(report.as_json(outcome), indent=2, ensure_ascii=False)
    if form == "junit":
        return report.as_junit(outcome)
    if form == "html":
        return report.as_html(outcome)
    if form == "csv":
        return report.as_csv(outcome)
    tables = [console.table(*table) for table in report.as_tables(outcome, ladder=ladder)]
    return "\n".join([*tables, *failures(outcome), *report.remarks(outcome)])


def failures(outcome: Outcome) -> Iterator[str]:
    """Why series failed, one line each; not those with an expectation, which are spoken of there, nor consequences."""
    judged_ones = {verdict.summary.series for verdict in outcome.verdicts}
    consequences = {(each.source, each.destination, rung) for each in outcome.ladders for rung in each.consequences}
    for series, summary in outcome.summaries.items():
        follows = (series.source, series.destination, series.probe) in consequences
        if summary.failed and series not in judged_ones and not follows:
            counts = ", ".join(
                f"{n} of {summary.sent} {reason}" for reason, n in sorted(summary.reasons.items()) if reason != OK
            )
            said = one_line(summary.fault) or "; ".join(REASONS[r] for r in summary.reasons if r in REASONS and r != OK)
            yield f"! {one_line(str(series))}: {counts}: {said}"


def _say_unmet(outcome: Outcome) -> None:
    """What is not as wanted, one line each, for whoever does not read the document."""
    from meshkit.report import probes as report

    for line in report.remarks(outcome):
        if line.startswith("✘"):
            console.say(line)
