"""``meshkit probe`` as it is typed: what each call asks for, what it prints, and what a wrong one says beforehand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.federation import FakeFederation
from meshkit.cli import completion
from meshkit.config import probes
from meshkit.federation import runner
from meshkit.federation.probing import results, runs, schedules, targets
from meshkit.federation.probing.targets import Plan
from meshkit.probes import expect
from meshkit.probes.outcome import Outcome
from meshkit.probes.wanted import Wanted
from report.outcomes import outcome

Meshkit = Callable[..., Any]
COMMANDS = ("run", "matrix", "watch", "schedule", "schedule list", "results", "unschedule")


class Probing:
    """In place of the work: notes what it is asked, and answers with an outcome that is the same every time."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.answer: Outcome = outcome(conditions="reachable")
        self.paces: list[runs.Pace] = []
        self.scheduled: dict[str, tuple[Wanted, ...]] = {}
        self.removed = True
        self.interrupt = False

    def resolve(self, context: Any, wanted: Sequence[Wanted], seen: Any = None) -> Plan:
        del context, seen
        self.asked.append(("run", tuple(wanted)))
        return Plan({})

    def run(self, context: Any, plan: Plan, pace: runs.Pace, *, on_windows: runs.OnWindows) -> Outcome:
        del context, plan
        self.paces.append(pace)
        on_windows(self.answer.windows)
        if self.interrupt:
            raise KeyboardInterrupt
        return self.answer

    def installed(self, context: Any) -> dict[str, schedules.Installed]:
        del context
        return {name: schedules.Installed(wanted, ()) for name, wanted in self.scheduled.items()}

    def collect(self, context: Any, since_s: float) -> Outcome:
        del context
        self.asked.append(("results", since_s))
        return self.answer

    def deploy(self, context: Any, wanted: Sequence[Wanted]) -> None:
        del context
        self.asked.append(("schedule", tuple(wanted)))

    def remove(self, context: Any) -> bool:
        del context
        self.asked.append(("unschedule", None))
        return self.removed


@pytest.fixture
def probing(world: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> Probing:
    """A federation of aks and eks that works, whose probing is noted."""
    runner.run(world.context())
    made = Probing()
    monkeypatch.setattr(targets, "resolve", made.resolve)
    monkeypatch.setattr(runs, "run", made.run)
    monkeypatch.setattr(results, "collect", made.collect)
    monkeypatch.setattr(schedules, "deploy", made.deploy)
    monkeypatch.setattr(schedules, "installed", made.installed)
    monkeypatch.setattr(schedules, "remove", made.remove)
    return made


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(
    meshkit: Meshkit, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Every command explains itself with examples, on 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    result = meshkit("probe", *command.split(), "--help")
    assert (result.code, result.err) == (0, "")
    assert "Example" in result.out or not command
    shown = re.sub(r"^Usage: .*?meshkit ", "Usage: meshkit ", result.out)  # with python -m, its module stands before it
    golden(f"help-probe{'-' if command else ''}{command.replace(' ', '-')}.txt", shown)


def test_the_probes_yaml_in_the_help_is_valid(meshkit: Meshkit, tmp_path: Path) -> None:
    """Whoever copies it gets what it says."""
    lines = meshkit("probe", "schedule", "--help").out.partition("A probes.yaml:\n")[2].partition("\nOptions:")[0]
    file = tmp_path / "probes.yaml"
    file.write_text("\n".join(line[4:] for line in lines.splitlines()))
    assert [entry.name for entry in probes.load(file, ("aks", "eks"))] == ["clouds", "backend", "database"]


def test_run(meshkit: Meshkit, probing: Probing) -> None:
    """One entry, the pace, and a table."""
    result = meshkit("probe", "run", "aks", "eks", "--count", "3", "--interval", "100ms", "--expect", "p99<1s, loss<5%")
    assert result.code == 0, result.err
    expected = Wanted("ladder", "ladder", ("aks",), ("eks",), every_s=0.1, expect=("p99<1s", "loss<5%"))
    assert probing.asked == [("run", (expected,))]
    assert probing.paces == [runs.Pace(count=3)]
    assert result.out.startswith("FROM  TO   SERVICE")
    assert "light in fibre" in result.out


def test_run_for_a_time(meshkit: Meshkit, probing: Probing) -> None:
    """At a rate."""
    result = meshkit("probe", "run", "aks", "db.example:5432", "--for", "60s", "--rate", "50", "-o", "json")
    assert result.code == 0, result.err
    assert probing.asked == [
        (
            "run",
            (Wanted("db.example:5432", "tcp", ("aks",), target={"host": "db.example", "port": 5432}, every_s=0.02),),
        )
    ]
    assert probing.paces == [runs.Pace(for_s=60.0)]
    assert json.loads(result.out)["federation"] == "mesh"


def test_matrix_writes_a_report(meshkit: Meshkit, probing: Probing, tmp_path: Path) -> None:
    """The page is in the file, and standard output stays empty."""
    file = tmp_path / "report.html"
    result = meshkit("probe", "matrix", "--output", "html", "--file", str(file))
    assert (result.code, result.out) == (0, ""), result.err
    assert result.err.endswith(f"{file} is written\n")
    assert "<html" in file.read_text()
    (_, intentions), (_, ladder) = probing.asked
    assert [(entry.sources, entry.destinations, entry.expect) for entry in intentions] == [
        (("aks",), ("eks",), ("refused",)),
        (("eks",), ("aks",), ("refused",)),
    ]
    assert [entry.kind for entry in ladder] == ["ladder"]


def test_matrix_of_one_direction(meshkit: Meshkit, probing: Probing) -> None:
    """Intentions are tried where the ladder goes, and nowhere else."""
    assert meshkit("allow", "mesh-probe-aks", "mesh-probe-eks").code == 0
    assert meshkit("probe", "matrix", "--from", "aks").code == 0
    assert [(entry.sources, entry.expect) for entry in probing.asked[0][1]] == [(("aks",), ("reachable",))]


def test_matrix_of_something_else(meshkit: Meshkit, probing: Probing) -> None:
    """It is about datacenters."""
    result = meshkit("probe", "matrix", "--to", "db.example:5432")
    assert result.code == 2
    assert "the matrix is of datacenters" in result.err
    assert probing.asked == []


def test_watch_in_a_log(meshkit: Meshkit, probing: Probing) -> None:
    """Lines until Ctrl-C, which is how it is meant to end."""
    probing.interrupt = True
    result = meshkit("probe", "watch", "aks", "eks")
    assert (result.code, result.err) == (0, "")
    assert len(result.out.splitlines()) == len(probing.answer.windows)
    assert probing.paces == [runs.Pace()]
    assert probing.asked[0][1][0].every_s == 1.0


@pytest.mark.parametrize("command", ["run", "matrix", "results"])
def test_what_does_not_hold_is_exit_code_1(meshkit: Meshkit, probing: Probing, command: str) -> None:
    """With one line for each condition and series."""
    probing.answer = outcome(conditions="p50<1ms")
    result = meshkit("probe", command)
    assert result.code == 1
    unmet = [line for line in result.out.splitlines() if line.startswith("✘")]
    assert len(unmet) == len(probing.answer.verdicts) * (2 if command == "matrix" else 1)  # it makes two runs
    assert "p50<1ms does not hold: " in unmet[0]


@pytest.mark.parametrize(("lost", "code"), [(range(2), 1), (range(1), 0)], ids=["nothing came", "some came"])
def test_without_expectations_only_silence_is_exit_code_1(
    meshkit: Meshkit, probing: Probing, lost: range, code: int
) -> None:
    """As with ping: a script that asks for nothing still learns that nothing came through."""
    faults = {("aks", "eks", "network"): ("refused", "", lost)}
    probing.answer = replace(outcome(windows=2, faults=faults), verdicts=())
    assert meshkit("probe", "run").code == code


def test_results(meshkit: Meshkit, probing: Probing) -> None:
    """Judged by what is asked now, beside what the schedule expects."""
    result = meshkit("probe", "results", "--since", "7d", "--expect", "loss<0.001%, p50<1us", "-o", "json")
    assert probing.asked == [("results", 7 * 86400.0)]
    assert result.code == 1
    conditions = {entry["condition"] for entry in json.loads(result.out)["expectations"]}
    assert conditions == {"reachable", "loss<0.001%", "p50<1us"}
    assert "p50<1us does not hold" in result.err


PROBES = """\
probes:
  - {name: clouds, ladder: all, every: 10s, expect: "p99<120ms, loss<0.1%"}
  - {name: database, tcp: {host: db.example, port: 5432}, from: [eks], every: 5m}
"""


def test_schedule(meshkit: Meshkit, probing: Probing, tmp_path: Path) -> None:
    """The plan goes to stderr, so that it is seen also when standard output is kept."""
    file = tmp_path / "probes.yaml"
    file.write_text(PROBES)
    result = meshkit("probe", "schedule", "-f", str(file), "--yes")
    assert result.code == 0, result.err
    assert result.out == "2 entries are scheduled in aks, eks; next: meshkit probe results\n"
    assert [line.split() for line in result.err.splitlines()[:3]] == [
        ["NAME", "PROBES", "FROM", "TO", "EVERY", "BY", "EXPECT"],
        ["clouds", "ladder", "all", "all", "10s", "agent", "p99<120ms,", "loss<0.1%"],
        ["database", "tcp", "db.example:5432", "eks", "-", "5m", "CronJob", "-"],
    ]
    assert "aks: 4 series, 0.4 probes a second; eks: 5 series, 0.403 probes a second" in result.err
    assert probing.asked == [("schedule", probes.load(file, ("aks", "eks")))]


def test_schedule_without_a_file(meshkit: Meshkit, probing: Probing) -> None:
    """The ladder between all datacenters, every 10 s."""
    assert meshkit("probe", "schedule", "--yes").code == 0
    assert probing.asked == [("schedule", (Wanted("ladder"),))]


def test_schedule_list(meshkit: Meshkit, probing: Probing) -> None:
    """An entry once, with the datacenters that have it."""
    assert meshkit("probe", "schedule", "list").out == "nothing is scheduled; next: meshkit probe schedule\n"
    database = Wanted("database", "tcp", ("eks",), target={"host": "db.example", "port": 5432}, every_s=300.0)
    probing.scheduled = {"aks": (Wanted("ladder"),), "eks": (Wanted("ladder"), database)}
    lines = meshkit("probe", "schedule", "list").out.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["ladder", "ladder", "all", "all", "10s", "agent", "-", "aks,", "eks"],
        ["database", "tcp", "db.example:5432", "eks", "-", "5m", "CronJob", "-", "eks"],
    ]
    document = json.loads(meshkit("probe", "schedule", "list", "-o", "json").out)
    assert document["eks"][1]["target"] == {"host": "db.example", "port": 5432}
    del probing.scheduled["eks"]
    assert meshkit("probe", "schedule", "list").out.endswith("no schedule is in, or can be read from, eks\n")


def test_unschedule(meshkit: Meshkit, probing: Probing) -> None:
    """And again, when there is nothing left."""
    assert meshkit("probe", "unschedule", "--yes").out == "nothing is scheduled any more\n"
    probing.removed = False
    assert meshkit("probe", "unschedule", "-y").out == "nothing was scheduled\n"


def test_quiet_keeps_the_plan_to_itself(meshkit: Meshkit, probing: Probing) -> None:
    """Only results and errors."""
    assert meshkit("-q", "probe", "schedule", "--yes").err == ""
    assert len(probing.asked) == 1


WRONG: dict[str, tuple[str, str]] = {
    "an unknown datacenter": ("run ask eks", "ask: no such datacenter, did you mean aks?"),
    "an unknown mechanism": ("run aks a:1 --mechanism tpc", "tpc: no such mechanism, did you mean tcp?"),
    "two ends": ("run --count 3 --for 1m", "--count and --for both say when to end"),
    "an interval without a unit": ("matrix --interval 5", "--interval: '5' is not a time such as 200ms"),
    "an expectation that is none": ("run --expect fast", "--expect: 'fast' is not an expectation"),
    "an expectation of results that is none": ("results --expect fast", "--expect: 'fast' is not an expectation"),
    "an unknown form": ("run --output yaml", "'yaml' is not one of"),
    "a file that can't be written": ("matrix --file /nowhere/x.html", "--file: /nowhere/x.html can't be written"),
    "a time that is none": ("results --since yesterday", "--since: 'yesterday' is not a time"),
    "a time too short": ("results --since 1s", "--since: 1s is out of bounds"),
    "no such probes.yaml": ("schedule -f nowhere.yaml --yes", "nowhere.yaml: there is no such file"),
    "a schedule unasked": ("schedule", "this needs a yes, and there is no terminal to ask on"),
    "unschedule unasked": ("unschedule", "this needs a yes, and there is no terminal to ask on"),
    "options before a command's name": ("schedule --yes list", "options of a command stand after its name"),
    "an unknown federation": ("run --federation shop", "knows no federation shop"),
    "no command": ("", "missing command"),
    "an unknown command": ("rnu", "no such command 'rnu'"),
    "a secret": ("run aks --mechanism http --target url=https://u:p@a/", "this looks like a secret"),
}


@pytest.mark.parametrize(("call", "error"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_call_touches_nothing(meshkit: Meshkit, probing: Probing, call: str, error: str) -> None:
    """One line, a hint, exit code 2, and nothing was asked for."""
    result = meshkit("probe", *call.split())
    assert (result.code, result.out) == (2, ""), result.err
    assert error in result.err.lower() or error in result.err
    assert "meshkit: error: " in result.err
    assert "meshkit: hint: " in result.err
    assert probing.asked == []


def test_completion(probing: Probing) -> None:
    """Datacenters, this machine, mechanisms, rungs: whatever begins as typed."""
    del probing
    assert completion.sources("") == ["aks", "eks", "local"]
    assert completion.sources("l") == ["local"]
    assert completion.mechanisms("t") == ["tcp", "tls"]
    assert completion.mechanisms("e") == []
    assert completion.rungs("") == ["network", "gateway", "rpc", "mesh"]


def test_expectations_are_those_of_the_language() -> None:
    """What the help names can be written."""
    assert [condition.text for condition in expect.parse("p99<120ms, loss<0.1%")] == ["p99<120ms", "loss<0.1%"]
