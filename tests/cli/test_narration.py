"""Narration: every event as a line, nothing repeated in a log, nothing left of the status line."""

from __future__ import annotations

import pytest

from meshkit.cli.narration import live, plain
from meshkit.events import Event, Failed, Finished, Note, Progress, Started

BRACKETS = Note("a [red]word[/red] and [0] in brackets")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        pytest.param(Started("datacenters", expected_s=20), "… datacenters (about 20.0 s)", id="long work"),
        pytest.param(Started("trust", expected_s=2), "", id="short work is not announced"),
        pytest.param(Started("trust"), "", id="nor is work of unknown length"),
        pytest.param(Progress("x", "0 of 1 servers ready", "eks"), "  eks: 0 of 1 servers ready", id="progress"),
        pytest.param(Finished("trust", 1.23, text="made"), "✔ trust          1.2 s  made", id="done"),
        pytest.param(Finished("trust", 0.04, changed=False), "= trust          0.0 s", id="there already"),
        pytest.param(Finished("build", 600.0), "✔ build         10 min", id="long work is told in minutes"),
        pytest.param(Failed("trust", "it broke", "eks"), "✘ eks: trust: it broke", id="failed"),
        pytest.param(Note("look", "eks"), "! eks: look", id="note"),
        pytest.param(BRACKETS, f"! {BRACKETS.text}", id="brackets are no markup"),
    ],
)
def test_in_a_log(capsys: pytest.CaptureFixture[str], event: Event, line: str) -> None:
    """One line per event on stderr, and nothing on stdout."""
    with plain() as observe:
        observe(event)
    printed = capsys.readouterr()
    assert printed.err == (f"{line}\n" if line else "")
    assert printed.out == ""


def test_a_condition_that_still_holds_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """A log shows a condition when it changes, per cluster."""
    with plain() as observe:
        for text, scope in (("a", "aks"), ("a", "eks"), ("a", "aks"), ("b", "aks"), ("a", "aks")):
            observe(Progress("task", text, scope))
    assert capsys.readouterr().err.splitlines() == ["  aks: a", "  eks: a", "  aks: b", "  aks: a"]


def test_long_lines_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """A log can be searched, so nothing is wrapped."""
    with plain() as observe:
        observe(Note("word " * 80))
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """What ended stays on the screen; what is under way is gone in the end."""
    with live(color=False) as observe:
        observe(Started("trust", expected_s=20))
        observe(Progress("trust", "waiting", "eks"))
        observe(BRACKETS)
        observe(Finished("trust", 1.0, "eks"))
        observe(Failed("trust", "it broke"))
    lines = [line.rstrip() for line in capsys.readouterr().err.splitlines()]
    assert f"! {BRACKETS.text}" in lines
    assert "✘ trust: it broke" in lines
    assert lines[-1] != ""
