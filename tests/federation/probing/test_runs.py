"""Runs: the real agent program behind exec, all sources at once, and every way in which one can go wrong."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from fakes.consul import FakeConsul
from fakes.federation import FakeFederation
from meshkit.errors import ForbiddenError
from meshkit.events import Note
from meshkit.federation import trial
from meshkit.federation.probing import runs, targets
from meshkit.federation.probing.runs import Pace
from meshkit.federation.probing.targets import Plan
from meshkit.probes.mechanisms.tcp import TcpTarget
from meshkit.probes.probe import Probe, Series
from meshkit.probes.summary import Summary
from meshkit.probes.wanted import LOCAL, SERVICE, Wanted
from probes import responders

END = json.dumps({"end": {"started": 1, "skipped": 0, "latest_s": 0}}).encode()


def probe(source: str, port: int, *, timeout_s: float = 2.0, expect: tuple[str, ...] = ()) -> Probe:
    series = Series(source, "there", "service", "tcp")
    return Probe(f"p/{source}", series, TcpTarget("127.0.0.1", port), 0.05, timeout_s, expect)


def plan(port: int, *sources: str, expect: tuple[str, ...] = ()) -> Plan:
    return Plan({source: (probe(source, port, expect=expect),) for source in sources})


def test_every_source_probes_and_windows_come_while_it_runs(mesh: FakeFederation) -> None:
    seen: list[Summary] = []
    with responders.tcp(lambda connection: connection.recv(1)) as port:
        outcome = runs.run(mesh.context(), plan(port, "aks", "eks", LOCAL), Pace(count=3), on_windows=seen.extend)
    assert {series.source: summary.sent for series, summary in outcome.summaries.items()} == {
        "aks": 3,
        "eks": 3,
        LOCAL: 3,
    }
    assert outcome.missing == {}
    assert sorted(map(id, seen)) == sorted(map(id, outcome.windows))


def test_expectations_are_judged(mesh: FakeFederation) -> None:
    refused = plan(responders.closed_port(), "aks", expect=("reachable", "refused"))
    outcome = runs.run(mesh.context(), refused, Pace(count=2))
    assert [(verdict.condition, verdict.holds) for verdict in outcome.verdicts] == [
        ("reachable", False),
        ("refused", True),
    ]
    assert not outcome.holds


def test_a_cluster_that_is_away_is_missing_and_the_others_go_on(mesh: FakeFederation) -> None:
    mesh.clusters["eks"].faults.unreachable = True
    with responders.tcp(lambda connection: connection.recv(1)) as port:
        outcome = runs.run(mesh.context(), plan(port, "aks", "eks"), Pace(count=1))
    assert outcome.missing == {"eks": "the API server cannot be reached"}
    assert [series.source for series in outcome.summaries] == ["aks"]
    assert not outcome.holds


def _nothing() -> Iterator[bytes]:
    yield from ()


def _garbage() -> Iterator[bytes]:
    yield b"Killed"


def _error() -> Iterator[bytes]:
    yield b'{"error": "the request has no list of probes"}'


def _not_windows() -> Iterator[bytes]:
    yield b'{"windows": [{"series": 1}]}'


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        pytest.param(_nothing, "its agent ended before the run did", id="ends without its last line"),
        pytest.param(_garbage, "the agent's answer is not to be understood", id="garbage"),
        pytest.param(_not_windows, "the agent's answer is not to be understood", id="a summary that is none"),
        pytest.param(_error, "the request has no list of probes", id="the agent's own error"),
    ],
)
def test_an_agent_that_fails_is_told(mesh: FakeFederation, answers: object, reason: str) -> None:
    mesh.clusters["aks"].agents.answers = answers  # type: ignore[assignment]
    outcome = runs.run(mesh.context(), plan(1, "aks"), Pace(count=1))
    assert outcome.missing == {"aks": reason}


def test_exec_that_is_forbidden_is_told(mesh: FakeFederation) -> None:
    mesh.clusters["aks"].faults.forbid("create", "pods/exec")
    outcome = runs.run(mesh.context(), plan(1, "aks"), Pace(count=1))
    assert "cannot create resource pods/exec" in outcome.missing["aks"]


def test_a_local_program_that_dies_is_told(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    outcome = runs.run(mesh.context(), plan(1, LOCAL), Pace(count=1))
    assert outcome.missing == {LOCAL: "its agent ended before the run did"}


@pytest.mark.parametrize("source", ["aks", LOCAL])
def test_a_run_that_does_not_end_is_ended(mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setattr(runs, "GRACE_S", -6.0)  # of the 7 s that it takes at most
    with responders.tcp(lambda connection: connection.recv(1)) as port:
        outcome = runs.run(mesh.context(), plan(port, source), Pace(count=100))
    assert source in outcome.missing


def test_a_bug_in_one_source_does_not_vanish(mesh: FakeFederation) -> None:
    def broken() -> Iterator[bytes]:
        raise KeyError("CertPEM")
        yield b""

    mesh.clusters["aks"].agents.answers = broken
    with pytest.raises(KeyError):
        runs.run(mesh.context(), plan(1, "aks"), Pace(count=1))


def test_a_bug_in_one_source_ends_the_others(mesh: FakeFederation) -> None:
    def broken() -> Iterator[bytes]:
        raise KeyError("CertPEM")
        yield b""

    mesh.clusters["eks"].agents.answers = broken
    with responders.tcp(lambda connection: connection.recv(1)) as port, pytest.raises(KeyError):
        runs.run(mesh.context(), plan(port, "aks", "eks"), Pace())


def test_ctrl_c_ends_every_source_within_a_second(mesh: FakeFederation) -> None:
    """Its signal comes from outside, while the main thread waits and others probe without an end."""
    sent: list[float] = []

    def ctrl_c(_: object) -> None:
        if not sent:
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

    with responders.tcp(lambda connection: connection.recv(1)) as port, pytest.raises(KeyboardInterrupt):
        runs.run(mesh.context(), plan(port, "aks", "eks", LOCAL), Pace(window_s=0.1), on_windows=ctrl_c)
    assert time.monotonic() - sent[0] < 1.0


def test_an_interrupt_ends_every_source_and_takes_the_trials_away(mesh: FakeFederation) -> None:
    context = mesh.context()
    resolved = targets.resolve(context, (Wanted("clouds", rungs=("mesh",)),))

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with responders.tcp(lambda connection: connection.recv(1)) as port:
        both = Plan(plan(port, "aks", "eks").probes, resolved.pairs)
        with pytest.raises(KeyboardInterrupt):
            runs.run(context, both, Pace(for_s=600.0, window_s=0.1), on_windows=interrupt)
    consul = context.consul("aks")
    assert trial.users_entries(consul) == tuple(consul.config_entries("service-intentions"))


def test_trials_last_as_long_as_the_run(mesh: FakeFederation) -> None:
    context = mesh.context()
    during: list[int] = []
    before = len(context.consul("aks").config_entries("service-intentions"))

    def watching() -> Iterator[bytes]:
        during.append(len(context.consul("aks").config_entries("service-intentions")))
        yield END

    for cluster in mesh.clusters.values():
        cluster.agents.answers = watching
    resolved = targets.resolve(context, (Wanted("clouds", rungs=("mesh",)),))
    assert runs.run(context, resolved, Pace(count=1)).missing == {}
    assert during == [before + 2, before + 2]
    assert len(context.consul("aks").config_entries("service-intentions")) == before


def test_intentions_that_can_not_be_taken_away_do_not_cost_what_was_seen(mesh: FakeFederation) -> None:
    context = mesh.context()
    resolved = targets.resolve(context, (Wanted("clouds", rungs=("mesh",)),))

    def going_away() -> Iterator[bytes]:
        mesh.clusters["aks"].faults.unreachable = True
        yield END

    mesh.clusters["aks"].agents.answers = mesh.clusters["eks"].agents.answers = going_away
    outcome = runs.run(context, resolved, Pace(count=1))
    assert outcome.missing.keys() <= {"aks"}
    note = outcome.notes[-1]
    assert note.startswith("the intentions of this run are left, since aks: the API server cannot be reached")
    assert "UTC takes them away; at once: meshkit intentions --remove mesh-probe-aks mesh-probe-eks" in note

    mesh.clusters["aks"].faults.unreachable = False
    consul = context.consul("aks")
    assert len(consul.config_entries("service-intentions")) == 3
    mesh.clock.advance(3600.0)
    mesh.clusters["aks"].agents.answers = mesh.clusters["eks"].agents.answers = lambda: iter([END])
    runs.run(context, resolved, Pace(count=1))
    assert len(consul.config_entries("service-intentions")) == 1


def test_an_interrupt_tells_what_could_not_be_taken_away(mesh: FakeFederation) -> None:
    context = mesh.context()
    resolved = targets.resolve(context, (Wanted("clouds", rungs=("mesh",)),))

    def interrupt(_: object) -> None:
        mesh.clusters["aks"].faults.unreachable = True
        raise KeyboardInterrupt

    with responders.tcp(lambda connection: connection.recv(1)) as port:
        one = Plan(plan(port, "eks").probes, resolved.pairs)
        with pytest.raises(KeyboardInterrupt):
            runs.run(context, one, Pace(for_s=600.0, window_s=0.1), on_windows=interrupt)
    (note,) = [event for event in mesh.events if isinstance(event, Note)]
    assert note.text.startswith("the intentions of this run are left")


def test_intentions_that_can_not_be_written_are_told_and_the_run_goes_on(
    mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(self: FakeConsul, entry: object, **options: object) -> bool:
        del self, entry, options
        raise ForbiddenError("aks: consul: Permission denied")

    context = mesh.context()
    resolved = targets.resolve(context, (Wanted("clouds", rungs=("mesh",)),))
    monkeypatch.setattr(FakeConsul, "write_config_entry", forbidden)
    mesh.clusters["aks"].agents.answers = mesh.clusters["eks"].agents.answers = lambda: iter([END])
    outcome = runs.run(context, resolved, Pace(count=1))
    assert outcome.missing == {}
    assert outcome.notes[-1].endswith("so the mesh may refuse: aks: consul: Permission denied")


def test_two_runs_at_once_do_not_disturb_each_other(mesh: FakeFederation) -> None:
    """The first ends while the second goes on, whose way through the mesh stays allowed."""
    context = mesh.context()
    resolved = targets.resolve(context, (Wanted("clouds", sources=("aks",), rungs=("mesh",)),))
    during: list[int] = []

    def count() -> int:
        return len(context.consul("aks").config_entries("service-intentions"))

    def second() -> Iterator[bytes]:
        mesh.clusters["aks"].agents.answers = lambda: iter([END])
        runs.run(mesh.context(), resolved, Pace(count=1))
        during.append(count())
        yield END

    mesh.clusters["aks"].agents.answers = second
    before = count()
    runs.run(context, resolved, Pace(count=1))
    assert during == [before + 1]
    assert count() == before


def test_without_the_primary_the_others_still_probe(mesh: FakeFederation) -> None:
    context = mesh.context()
    resolved = targets.resolve(context, (Wanted("clouds", rungs=("mesh",)),))
    mesh.clusters["aks"].faults.unreachable = True
    for cluster in mesh.clusters.values():
        cluster.agents.answers = lambda: iter([END])
    outcome = runs.run(mesh.context(), resolved, Pace(count=1))
    assert list(outcome.missing) == ["aks"]


def test_a_primary_that_was_away_just_now_is_not_waited_for_again(mesh: FakeFederation) -> None:
    mesh.clusters["aks"].faults.unreachable = True
    context = mesh.context()
    resolved = targets.resolve(context, (Wanted("clouds", sources=("eks",), rungs=("mesh",)),))
    mesh.clusters["eks"].agents.answers = lambda: iter([END])
    before = mesh.clusters["aks"].faults.calls
    outcome = runs.run(context, resolved, Pace(count=1))
    assert mesh.clusters["aks"].faults.calls == before
    assert outcome.notes[-1].endswith("so the mesh may refuse: aks: the API server cannot be reached")


def test_another_services_key_goes_into_the_request_and_nowhere_else(mesh: FakeFederation) -> None:
    mesh.clusters["aks"].agents.answers = lambda: iter([END])
    wanted = Wanted("s", SERVICE, ("aks",), ("eks",), target={"service": "mesh-probe-eks", "as": "frontend"})
    context = mesh.context()
    outcome = runs.run(context, targets.resolve(context, (wanted,)), Pace(count=1))
    (request,) = mesh.clusters["aks"].agents.requests
    assert request["identities"]["frontend"]["key"] == "canary-key of frontend"
    assert "canary-key" not in repr(outcome) + repr(mesh.events)
