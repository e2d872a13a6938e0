"""A CronJob's run: probes once, stores its windows beside those of before, and judges."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from meshkit.probes.agent import config
from meshkit.probes.agent.ring import append
from meshkit.probes.agent.segments import lines_of
from meshkit.probes.agent.store import KEY
from meshkit.probes.probe import Series
from meshkit.probes.summary import Summary
from probes import responders
from probes.agent.agents import Agent, probe
from probes.agent.servers import FakeKubernetes

NAME = "mesh-probe-results-job-nightly"


def _job(agent: Agent, probes: list[dict[str, Any]], name: str = "nightly", **changes: Any) -> tuple[int, str]:
    """Exit code and what it said."""
    settings = {key: agent.settings[key] for key in ("source", "kubernetes")} | {"probes": probes, "count": 3} | changes
    path = agent.folder / "job.json"
    path.write_text(json.dumps(settings))
    argv = [sys.executable, "-m", "meshkit.probes.agent", "job", "--config", str(path), "--name", name]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


def _lines(kubernetes: FakeKubernetes, name: str = NAME) -> list[dict[str, Any]]:
    content = base64.b64decode(kubernetes.maps[name]["binaryData"][KEY])
    return [json.loads(line) for line in lines_of(content, 1 << 24)]


def test_each_run_adds_its_windows(agent: Agent, kubernetes: FakeKubernetes, target: int) -> None:
    for runs in (1, 2):
        assert _job(agent, [probe("p", target)])[0] == 0
        assert [line["reasons"] for line in _lines(kubernetes)] == [{"ok": 3}] * runs
    assert kubernetes.maps[NAME]["metadata"]["labels"] == {"app": "mesh-probe", "component": "results"}


@pytest.mark.parametrize(
    ("expect", "up", "code"),
    [
        pytest.param([], True, 0, id="reachable is expected when nothing is said"),
        pytest.param([], False, 1, id="and it is not"),
        pytest.param(["refused"], False, 0, id="a refusal that is wanted"),
        pytest.param(["refused"], True, 1, id="a refusal that did not come"),
        pytest.param(["reachable,p99<1us"], True, 1, id="too slow"),
    ],
)
def test_the_exit_code_says_whether_expectations_hold_and_results_are_stored_either_way(  # noqa: PLR0913, PLR0917, fixtures and a table's columns
    agent: Agent,
    kubernetes: FakeKubernetes,
    target: int,
    expect: list[str],
    up: bool,  # noqa: FBT001, a table's column
    code: int,
) -> None:
    wire = probe("p", target if up else responders.closed_port()) | {"expect": expect}
    got, said = _job(agent, [wire])
    assert got == code
    assert sum(_lines(kubernetes)[0]["reasons"].values()) == 3
    assert all(json.loads(line)["event"] == "verdict" for line in said.splitlines())


@pytest.mark.parametrize(
    ("probes", "name"),
    [
        pytest.param([], "nightly", id="no probes"),
        pytest.param([{"id": "x"}], "nightly", id="a probe that is none"),
        pytest.param([{"expect": ["fast"]}], "nightly", id="an expectation that is none"),
        pytest.param([{}], "../other", id="a name that is none"),
        pytest.param([{}], "-", id="a name of a hyphen"),
    ],
)
def test_a_job_that_is_wrong_sends_nothing_and_says_why(
    agent: Agent, kubernetes: FakeKubernetes, target: int, probes: list[dict[str, Any]], name: str
) -> None:
    wires = [entry if "id" in entry else probe("p", target) | entry for entry in probes]
    code, said = _job(agent, wires, name)
    assert code == 2
    assert len(said.splitlines()) == 1
    assert json.loads(said)["event"] == "failed"
    assert kubernetes.asked == []


def test_a_conflict_is_resolved(agent: Agent, kubernetes: FakeKubernetes, target: int) -> None:
    _job(agent, [probe("p", target)])
    seen: list[str] = []

    def meanwhile(method: str, _path: str) -> None:
        if method == "PUT" and not seen:
            seen.append(method)
            kubernetes.set(NAME, kubernetes.maps[NAME])

    kubernetes.fault = meanwhile
    assert _job(agent, [probe("p", target)])[0] == 0
    assert len(_lines(kubernetes)) == 2
    assert seen


def test_an_api_server_that_is_away_is_one_line_and_exit_code_1(
    agent: Agent, kubernetes: FakeKubernetes, target: int
) -> None:
    kubernetes.fault = lambda _method, _path: (503, b"")
    code, said = _job(agent, [probe("p", target)])
    assert code == 1
    assert json.loads(said.splitlines()[-1])["event"] == "failed"


def test_years_of_runs_stay_within_size_and_hold_the_newest(tmp_path: Path) -> None:
    given = config.Kubernetes("consul", segment_bytes=4096, server="https://localhost", service_account=str(tmp_path))
    item: dict[str, Any] = {}
    for run in range(1, 2001):
        summary = Summary(Series("aks", "eks", "web", "mesh"), run * 3600.0, 1.5, {"ok": run % 7, "reset": run % 11})
        item = append(item, NAME, given, [summary])
        assert len(base64.b64decode(item["binaryData"][KEY])) <= 4096
    lines = [json.loads(line) for line in lines_of(base64.b64decode(item["binaryData"][KEY]), 1 << 24)]
    begins = [line["begin"] for line in lines]
    assert begins == [3600.0 * run for run in range(2001 - len(begins), 2001)]
    assert len(begins) > 30


def test_whose_the_configmap_is_stays_with_it() -> None:
    """Helm refuses to install over one that does not bear its marks."""
    given = config.Kubernetes("consul")
    labels, annotations = {"app.kubernetes.io/managed-by": "Helm"}, {"meta.helm.sh/release-name": "mesh-probe-schedule"}
    item = {"metadata": {"labels": labels, "annotations": annotations, "resourceVersion": "7", "uid": "u"}}
    summary = Summary(Series("aks", "eks", "web", "mesh"), 0.0, 1.0, {"ok": 1})
    metadata = append(item, NAME, given, [summary])["metadata"]
    assert metadata["labels"] == labels | {"app": "mesh-probe", "component": "results"}
    assert (metadata["annotations"], metadata["resourceVersion"]) == (annotations, "7")
