"""Results: from agents, from what they stored where they are away, each window once, and nothing for ever lost."""

from __future__ import annotations

import base64
import gzip
import json
import time
from typing import Any

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.federation.probing import results, schedules
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary
from meshkit.probes.wanted import Wanted

LABELS = {"app": "mesh-probe", "component": "results"}


def window(source: str, *, ago_s: float = 60.0, probe: str = "network", reason: str = "ok") -> dict[str, Any]:
    summary = Summary(Series(source, "there", "service", probe), time.time() - ago_s, 10.0)
    summary.add(Sample("p", summary.begin, reason, phases={"connect": 0.07}, rtt_s=0.07, rtt_source="kernel"))
    return summary.as_wire()


def store(mesh: FakeFederation, dc: str, name: str, content: bytes) -> None:
    data = {"results.gz": base64.b64encode(content).decode()}
    metadata = {"name": name, "namespace": "consul", "labels": LABELS}
    mesh.clusters[dc].put({"kind": "ConfigMap", "metadata": metadata, "binaryData": data})


def packed(*windows: dict[str, Any]) -> bytes:
    return gzip.compress(b"".join(json.dumps(wire).encode() + b"\n" for wire in windows))


def answer(mesh: FakeFederation, dc: str, body: str, status: int = 200) -> None:
    mesh.clusters[dc].answer = lambda *_: (status, body)


def sent(mesh: FakeFederation, since_s: float = 3600.0) -> dict[str, int]:
    outcome = results.collect(mesh.context(), since_s)
    return {f"{series.source} {series.probe}": summary.sent for series, summary in outcome.summaries.items()}


def test_what_agents_answer_is_taken_and_not_counted_twice_as_stored(mesh: FakeFederation) -> None:
    for dc in ("aks", "eks"):
        answer(mesh, dc, json.dumps({"windows": [window(dc)]}))
        store(mesh, dc, "mesh-probe-results-0", packed(window(dc)))
    assert sent(mesh) == {"aks network": 1, "eks network": 1}


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, "no"), (200, '{"windows": nul'), (200, "[]"), (200, '{"windows": null}'), (200, "{}")],
)
def test_an_agent_that_does_not_answer_is_replaced_by_what_it_stored(
    mesh: FakeFederation, status: int, body: str
) -> None:
    answer(mesh, "eks", body, status)
    store(mesh, "eks", "mesh-probe-results-0", packed(window("eks"), window("eks", ago_s=90.0)))
    outcome = results.collect(mesh.context(), 3600.0)
    assert [summary.sent for summary in outcome.summaries.values()] == [2]
    assert any(note.startswith("eks: as stored in the cluster") for note in outcome.notes)
    assert outcome.missing == {}


def test_jobs_store_apart_and_are_always_read(mesh: FakeFederation) -> None:
    answer(mesh, "aks", json.dumps({"windows": [window("aks")]}))
    store(mesh, "aks", "mesh-probe-results-job-nightly", packed(window("aks", probe="nightly")))
    assert sent(mesh) == {"aks network": 1, "aks nightly": 1}


def test_a_cluster_that_is_away_is_missing_and_the_others_are_shown(mesh: FakeFederation) -> None:
    answer(mesh, "aks", json.dumps({"windows": [window("aks")]}))
    mesh.clusters["eks"].faults.unreachable = True
    outcome = results.collect(mesh.context(), 3600.0)
    assert list(outcome.missing) == ["eks"]
    assert [series.source for series in outcome.summaries] == ["aks"]
    assert not outcome.holds


def test_only_what_ended_since_then(mesh: FakeFederation) -> None:
    answer(mesh, "aks", json.dumps({"windows": [window("aks", ago_s=50.0), window("aks", ago_s=5000.0)]}))
    assert sent(mesh, since_s=3600.0) == {"aks network": 1}


def test_a_store_that_was_written_by_something_else_is_noted_and_hides_nothing(mesh: FakeFederation) -> None:
    answer(mesh, "aks", json.dumps({"windows": [window("aks")]}))
    answer(mesh, "eks", "", 503)
    store(mesh, "eks", "mesh-probe-results-1", packed(window("eks")))
    for name, data in (("mesh-probe-results-2", {"results.gz": "x"}), ("mesh-probe-results-3", {"results.gz": "eA=="})):
        metadata = {"name": name, "namespace": "consul", "labels": LABELS}
        mesh.clusters["eks"].put({"kind": "ConfigMap", "metadata": metadata, "binaryData": data})
    outcome = results.collect(mesh.context(), 3600.0)
    assert {series.source for series in outcome.summaries} == {"aks", "eks"}
    for place in (2, 3):
        assert f"eks: what is stored in configmap/mesh-probe-results-{place} can't be read" in outcome.notes
    assert outcome.missing == {}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"wanted.json": "{"}, id="no JSON"),
        pytest.param({"probes.json": "[]"}, id="another shape"),
        pytest.param({"probes.json": '{"probes": [{"id": 1}]}'}, id="no probe"),
        pytest.param({"expect": "p98 is low"}, id="an expectation that is none"),
    ],
)
def test_a_schedule_by_something_else_takes_only_that_clusters_expectations(
    mesh: FakeFederation, data: dict[str, str]
) -> None:
    schedules.deploy(mesh.context(), (Wanted("clouds", rungs=("network",), expect=("loss<1%",)),))
    ref = Ref("ConfigMap", schedules.SCHEDULE_RELEASE, "consul")
    if "expect" in data:
        found = mesh.clusters["eks"].get(ref)
        assert found
        data = {"probes.json": found["data"]["probes.json"].replace("loss<1%", data["expect"])}
    mesh.clusters["eks"].patch(ref, {"data": data})
    for dc, other in (("aks", "eks"), ("eks", "aks")):
        series = {"source": dc, "destination": other, "service": f"mesh-probe-{other}", "probe": "network"}
        answer(mesh, dc, json.dumps({"windows": [window(dc) | {"series": series}]}))
    outcome = results.collect(mesh.context(), 3600.0)
    assert {series.source for series in outcome.summaries} == {"aks", "eks"}
    assert [verdict.summary.series.source for verdict in outcome.verdicts] == ["aks"]
    note = "eks: nothing is expected of what it sees: its schedule was written by something else"
    assert note in outcome.notes


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not gzip", id="not compressed"),
        pytest.param(gzip.compress(b'{"series": 1}\n[]\nnull\n{"x\n'), id="lines of something else"),
    ],
)
def test_a_damaged_store_hides_nothing_else(mesh: FakeFederation, content: bytes) -> None:
    answer(mesh, "eks", "", 503)
    store(mesh, "eks", "mesh-probe-results-0", content)
    store(mesh, "eks", "mesh-probe-results-1", packed(window("eks")))
    assert sent(mesh) == {"eks network": 1}


def test_half_of_a_store_is_better_than_nothing(mesh: FakeFederation) -> None:
    answer(mesh, "eks", "", 503)
    many = packed(*(window("eks", ago_s=60.0 + n) for n in range(200)))
    store(mesh, "eks", "mesh-probe-results-0", many[: len(many) // 2])
    assert 0 < sent(mesh)["eks network"] < 200


def test_the_schedules_expectations_are_judged(mesh: FakeFederation) -> None:
    wanted = Wanted("clouds", rungs=("network",), sources=("aks",), expect=("p99<1ms",))
    schedules.deploy(mesh.context(), (wanted,))
    (probe,) = schedules.installed(mesh.context())["aks"].probes
    seen = window("aks") | {
        "series": {"source": "aks", "destination": "eks", "service": "mesh-probe-eks", "probe": "network"}
    }
    assert Series(**seen["series"]) == probe.series
    answer(mesh, "aks", json.dumps({"windows": [seen]}))
    (verdict,) = results.collect(mesh.context(), 3600.0).verdicts
    assert (verdict.condition, verdict.holds, verdict.seen) == ("p99<1ms", False, "70.0 ms")


def test_without_an_agent_there_is_what_was_stored(mesh: FakeFederation) -> None:
    mesh.clusters["eks"].remove(Ref("Deployment", "mesh-probe", "consul"))
    store(mesh, "eks", "mesh-probe-results-0", packed(window("eks")))
    assert sent(mesh) == {"eks network": 1}
