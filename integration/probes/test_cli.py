"""``meshkit probe`` on real clusters, as a user types it: what is measured is what the lab's link has."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters import DELAY_S, FIRST, SECOND, Lab
from federation.mesh import SETTLED_S, Mesh

from meshkit.lab.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.slow]

RTT_S = 2 * DELAY_S
SLACK_S = 0.015
"""Two busy cores; the accuracy of the measurement itself is bench-probes' business."""


def ladders(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(ladder["from"], ladder["to"]): ladder for ladder in document["ladders"]}


@pytest.fixture(scope="module")
def federated(lab: Lab) -> Mesh:
    """Both clusters as one healthy federation."""
    mesh = Mesh(lab)
    mesh.federate()
    return mesh


@pytest.fixture(scope="module")
def matrix(federated: Mesh) -> dict[str, Any]:
    """The matrix as JSON."""
    return dict(json.loads(federated.meshkit("probe", "matrix", "--count", "10", "-o", "json").stdout))


def test_the_matrix_has_every_ordered_pair_and_rung(matrix: dict[str, Any]) -> None:
    """All of them pass."""
    found = ladders(matrix)
    assert set(found) == {(FIRST, SECOND), (SECOND, FIRST)}
    for ladder in found.values():
        assert ladder["rungs"] == {"network": True, "gateway": True, "rpc": True, "mesh": True}
        assert ladder["broken"] == ""


def test_the_network_rung_is_the_links_round_trip(matrix: dict[str, Any]) -> None:
    """Twice the one-way delay that the lab's WAN has."""
    for ladder in ladders(matrix).values():
        assert RTT_S <= ladder["network_s"] <= RTT_S + SLACK_S


def test_an_expectation_that_holds_is_exit_code_0(federated: Mesh) -> None:
    """And one that does not is 1, with what was seen."""
    call = ("probe", "run", FIRST, SECOND, "--rung", "network", "--count", "10", "--expect")
    assert federated.meshkit(*call, "p50<1s, reachable").returncode == 0
    failed = federated.lab.meshkit(*call, "p50<1ms", check=False)
    assert failed.returncode == 1
    assert f"✘ {FIRST} to {SECOND}" in failed.stdout
    assert "p50<1ms does not hold: 7" in failed.stdout


def test_csv_and_html_are_written(federated: Mesh, tmp_path: Path) -> None:
    """Each a file of its own."""
    file = tmp_path / "report.html"
    call = ("probe", "run", FIRST, SECOND, "--rung", "network", "--count", "5")
    federated.meshkit(*call, "--output", "html", "--file", str(file))
    assert "<html" in file.read_text()
    rows = list(csv.DictReader(io.StringIO(federated.meshkit(*call, "--output", "csv").stdout)))
    assert {row["from"] for row in rows} == {FIRST}
    assert sum(int(row["sent"]) for row in rows) == 5


@pytest.fixture
def scheduled(federated: Mesh, tmp_path: Path) -> Iterator[Mesh]:
    """A schedule from a file, ended afterwards."""
    file = tmp_path / "probes.yaml"
    file.write_text("probes:\n- {name: links, ladder: [network], every: 200ms, timeout: 1s, expect: p99<1s}\n")
    federated.meshkit("probe", "schedule", "-f", str(file), "--yes")
    yield federated
    federated.meshkit("probe", "unschedule", "--yes")


def test_a_schedule_is_listed_and_unscheduled(scheduled: Mesh) -> None:
    """As it was given."""
    assert "links" in scheduled.meshkit("probe", "schedule", "list").stdout


def test_what_the_schedule_has_seen_is_collected(scheduled: Mesh) -> None:
    """From both clusters, as soon as the agents have a window."""

    def networks() -> set[tuple[str, str]]:
        collected = scheduled.meshkit("probe", "results", "--since", "10m", "-o", "json", check=False)
        series = json.loads(collected.stdout)["series"]
        return {(one["from"], one["to"]) for one in series if one["probe"] == "network" and one["sent"]}

    wait_until(lambda: len(networks()) == 2, SETTLED_S, "both agents have results")


def test_a_wrong_call_is_refused_before_anything_is_asked(federated: Mesh) -> None:
    """With what may have been meant."""
    failed = federated.lab.meshkit("probe", "run", f"{FIRST}x", SECOND, check=False)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert f"did you mean {FIRST}?" in failed.stderr
