"""``meshkit trace`` as it is typed: output, exit codes, pages of causes, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fakes import evidence as seen
from fakes.federation import FakeFederation
from meshkit.cli import completion
from meshkit.federation import runner
from meshkit.federation.tracing import gather
from meshkit.trace.evidence import Evidence, Rule

Meshkit = Callable[..., Any]
ENDS = ("eks/frontend", "aks/backend")
DENY = {"rule": Rule("deny", "frontend", "backend")}


@pytest.fixture
def mesh(world: FakeFederation) -> FakeFederation:
    """A federation that works."""
    runner.run(world.context())
    return world


@pytest.fixture
def evidence(monkeypatch: pytest.MonkeyPatch, mesh: FakeFederation) -> list[Evidence]:
    """What the trace sees: the one element."""
    del mesh
    held = [seen.healthy()]
    monkeypatch.setattr(gather.Trace, "__call__", lambda _: held[0])
    return held


def test_a_path_that_works(meshkit: Meshkit, evidence: list[Evidence]) -> None:
    """Exit code 0, a line per hop, and what was tried."""
    assert evidence
    result = meshkit("trace", *ENDS)

    assert result.code == 0, result.err
    assert result.out.splitlines()[0] == "eks/frontend to aks/backend"
    assert "nothing found wrong" in result.out


@pytest.mark.parametrize("form", ["table", "json", "html"])
def test_a_broken_path(meshkit: Meshkit, evidence: list[Evidence], form: str) -> None:
    """Exit code 1 in every form, with the code in it."""
    evidence[0] = seen.closed(seen.with_views(evidence[0], DENY, DENY))
    result = meshkit("trace", *ENDS, "--output", form)

    assert result.code == 1
    assert "intention_deny" in result.out
    if form == "json":
        assert json.loads(result.out)["first_broken"] == "remote sidecar"


def test_what_only_harms_is_no_failure(meshkit: Meshkit, evidence: list[Evidence]) -> None:
    """The request passed."""
    evidence[0] = seen.with_source(evidence[0], gateway_desired=2)
    result = meshkit("trace", *ENDS)

    assert result.code == 0
    assert "gateway_degraded" in result.out


def test_nothing_known_is_a_failure(meshkit: Meshkit, evidence: list[Evidence]) -> None:
    """The request did not pass, and no cause is named."""
    evidence[0] = replace(seen.closed(evidence[0]))
    result = meshkit("trace", *ENDS)

    assert result.code == 1
    assert "no known cause explains why" in result.out


def test_a_real_trace_of_what_is_not_there(meshkit: Meshkit, mesh: FakeFederation) -> None:
    """Over clusters in memory: nobody is registered."""
    for cluster in mesh.clusters.values():
        cluster.agents.answers = lambda: iter([])
    result = meshkit("trace", *ENDS, "--output", "json")

    assert result.code == 1, result.err
    assert json.loads(result.out)["cause"]["code"] == "source_not_registered"


def test_a_page(meshkit: Meshkit) -> None:
    """Needs no federation."""
    result = meshkit("trace", "--explain", "intention_deny")

    assert result.code == 0
    assert result.out.startswith("intention_deny: an intention denies exactly this")


@pytest.mark.parametrize(
    ("arguments", "words", "hint"),
    [
        (("--explain", "intention_denied"), "no cause is called intention_denied", "did you mean intention_deny?"),
        (("--explain", "x"), "no cause is called x", "there are "),
        ((), "a trace goes from one service to another", "meshkit trace eks/frontend aks/backend"),
        (("eks/frontend",), "a trace goes from one service to another", "meshkit trace"),
        ((*ENDS, "--path", "healthz"), "'healthz' is not the path of a request", "such as /healthz"),
        ((*ENDS, "--path", "/a\r\nX: y"), "is not the path of a request", "such as /healthz"),
        ((*ENDS, "--path", "/a b"), "is not the path of a request", "such as /healthz"),
        (("frontend", "aks/backend"), "'frontend' is not DATACENTER/SERVICE", "aks/backend"),
        (("gcp/frontend", "aks/backend"), "no datacenter gcp", "there are aks, eks"),
    ],
)
@pytest.mark.usefixtures("mesh")
def test_what_is_refused(meshkit: Meshkit, arguments: tuple[str, ...], words: str, hint: str) -> None:
    """With exit code 2 and a hint."""
    result = meshkit("trace", *arguments)

    assert result.code == 2
    assert words in result.err
    assert hint in result.err


@pytest.mark.usefixtures("mesh")
def test_completion() -> None:
    """Datacenters up to the slash, the probe's service after it, and codes."""
    assert completion.parties("e") == ["eks/"]
    assert completion.parties("eks/m") == ["eks/mesh-probe-eks"]
    assert completion.parties("gcp/") == []
    assert completion.causes("intention_d") == ["intention_deny", "intention_deny_wildcard"]


@pytest.mark.parametrize("form", ["table", "json"])
def test_doctor(meshkit: Meshkit, mesh: FakeFederation, form: str) -> None:
    """Exit code 1 while something breaks a path; worst first, each with its remedy."""
    for cluster in mesh.clusters.values():
        cluster.agents.answers = lambda: iter([])
    result = meshkit("doctor", "--output", form)

    assert result.code == 1, result.err
    if form == "json":
        found = json.loads(result.out)
        assert found["well"] is False
        assert found["ailments"][0]["weight"] == "breaks"
        assert all(ailment["remedy"] for ailment in found["ailments"])
    else:
        assert result.out.startswith("✘")
        assert "2 paths traced" in result.out


@pytest.mark.parametrize("ends", [("frontend", "aks/backend"), ("eks/frontend", "aks/../backend")])
def test_ends_are_read_before_any_cluster_is_asked(meshkit: Meshkit, ends: tuple[str, str]) -> None:
    """No federation is known here, and that is not what is said."""
    result = meshkit("trace", *ends)

    assert result.code == 2
    assert "is not DATACENTER/SERVICE" in result.err
