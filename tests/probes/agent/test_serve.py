"""A whole agent, its keeper and its prober, against real servers on loopback and what can befall it."""

from __future__ import annotations

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from meshkit.probes.agent.segments import lines_of
from probes import responders
from probes.agent.agents import Agent, probe, until
from probes.agent.servers import FakeKubernetes, serving


def _stored(kubernetes: FakeKubernetes) -> int:
    """Samples that the cluster's ConfigMaps hold."""
    total = 0
    for name, item in list(kubernetes.maps.items()):
        if name.startswith("mesh-probe-results-"):
            lines = lines_of(base64.b64decode(item["binaryData"]["results.gz"]), 1 << 24)
            total += sum(sum(json.loads(line)["reasons"].values()) for line in lines)
    return total


def test_what_is_scheduled_is_probed_measured_stored_and_served(
    agent: Agent, kubernetes: FakeKubernetes, target: int
) -> None:
    kubernetes.schedule([probe("up", target), probe("down", responders.closed_port(), service="other")])
    with agent.running():
        until(lambda: _stored(kubernetes) > 10, "results are stored in the cluster")
        windows = agent.ask("/results")["windows"]
        assert {(w["series"]["service"], reason) for w in windows for reason in w["reasons"]} == {
            ("gateway", "ok"),
            ("other", "refused"),
        }
        assert all(0 < w["width_s"] < 2 for w in windows)
        assert (agent.metric("meshkit_probes_total", 'service="gateway"', 'reason="ok"') or 0) >= 5
        assert (agent.metric("meshkit_probes_total", 'service="other"', 'reason="refused"') or 0) >= 5
        assert agent.metric("probe_success", 'service="gateway"') == 1
        assert agent.metric("probe_success", 'service="other"') == 0
        assert agent.metric("meshkit_probe_rtt_seconds_count", 'service="other"') is None
        assert agent.metric("meshkit_probe_standing", 'service="gateway"', 'standing="up"') == 1
        assert agent.metric("meshkit_probe_standing", 'service="other"', 'standing="unknown"') == 1
        assert agent.metric("meshkit_agent_sick") == 0
        assert agent.get("/health")[0] == 200
        assert agent.end() == 0


def test_no_answer_names_an_address_and_results_honour_since(
    agent: Agent, kubernetes: FakeKubernetes, target: int
) -> None:
    kubernetes.schedule([probe("up", target)])
    with agent.running():
        until(lambda: agent.sent() > 5, "samples")
        assert b"127.0.0.1" not in agent.get("/metrics")[1]
        until(lambda: agent.ask("/results?since=99999999999")["windows"], "the open window, which has no end yet")
        assert agent.get("/results?since=yesterday")[0] == 400
        assert agent.get("/nothing")[0] == 404


def test_a_changed_schedule_takes_effect_and_unchanged_probes_go_on(
    agent: Agent, kubernetes: FakeKubernetes, target: int
) -> None:
    kept = probe("kept", target, interval_s=0.02)
    kubernetes.schedule([kept, probe("old", target, service="old")])
    with agent.running():
        until(lambda: agent.sent("old") and agent.sent() > 20, "both are probed")
        child, sent = agent.ask("/health")["prober"]["pid"], agent.sent()
        kubernetes.schedule([kept, probe("new", target, service="new")])
        until(lambda: agent.metric("meshkit_probes_total", 'service="new"'), "the new one is probed")
        assert agent.metric("meshkit_probes_total", 'service="old"') is None
        before = agent.metric("meshkit_probes_total", 'service="gateway"') or 0
        assert before >= sent, "it does not begin anew"
        until(lambda: (agent.metric("meshkit_probes_total", 'service="gateway"') or 0) > before + 10, "it goes on")
        assert agent.ask("/health")["prober"]["pid"] == child
        kubernetes.maps.clear()
        until(lambda: agent.ask("/health")["schedule"]["probes"] == 0, "without a schedule nothing is probed")
        assert agent.get("/health")[0] == 200


def test_a_killed_prober_is_started_again_and_counted(agent: Agent, kubernetes: FakeKubernetes, target: int) -> None:
    kubernetes.schedule([probe("up", target)])
    with agent.running():
        until(lambda: agent.sent() > 5, "samples")
        os.kill(agent.ask("/health")["prober"]["pid"], signal.SIGKILL)
        until(lambda: agent.metric("meshkit_prober_restarts_total") == 1, "it is started again")
        before = agent.sent()
        until(lambda: agent.sent() > before, "it probes again, by the same schedule")
        assert any(event["event"] == "prober_ended" and event["status"] == -9 for event in agent.events)


def test_the_prober_ends_with_its_keeper(agent: Agent, kubernetes: FakeKubernetes, target: int) -> None:
    kubernetes.schedule([probe("up", target)])
    with agent.running():
        until(lambda: agent.sent() > 5, "samples")
        child = agent.ask("/health")["prober"]["pid"]
        agent.end(signal.SIGKILL)
        until(lambda: not Path(f"/proc/{child}").exists() or _is_zombie(child), "the prober has ended")


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_what_was_seen_survives_a_kill(agent: Agent, kubernetes: FakeKubernetes, target: int) -> None:
    kubernetes.schedule([probe("up", target)], window_s=0.5)
    with agent.running():
        until(lambda: _closed(agent) > 5, "a window is kept")
        before = _closed(agent)
        agent.end(signal.SIGKILL)
    with agent.running():
        assert _closed(agent) >= before


def _closed(agent: Agent) -> int:
    """Samples in windows that have ended, by their own width."""
    answer = agent.ask("/results")
    ended = [w for w in answer["windows"] if w["begin"] + w["width_s"] < answer["now"] - 0.01]
    return sum(sum(w["reasons"].values()) for w in ended)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param((500, b"{}"), id="internal errors"),
        pytest.param((503, b"<html>"), id="unavailable"),
        pytest.param((200, b"<html>it works</html>"), id="garbage"),
        pytest.param((200, b"[]"), id="JSON that is no object"),
        pytest.param((200, b'{"items": 3}'), id="an object that is no list"),
        pytest.param((401, b"{}"), id="a token that has expired"),
    ],
)
def test_while_the_api_server_is_out_of_order_probing_goes_on_and_nothing_is_lost(
    agent: Agent, kubernetes: FakeKubernetes, target: int, fault: tuple[int, bytes]
) -> None:
    kubernetes.schedule([probe("up", target)], window_s=0.5)
    healthy = kubernetes.fault
    with agent.running():
        until(lambda: _stored(kubernetes) > 5, "results are stored")
        kubernetes.fault = lambda _method, _path: fault
        until(lambda: "flush" in agent.ask("/health")["failures"], "the failure is told")
        before = agent.sent()
        until(lambda: agent.sent() > before + 10, "probing goes on")
        missed = _closed(agent)
        kubernetes.fault = healthy
        until(lambda: _stored(kubernetes) >= missed, "what was missed is stored")
        until(lambda: not agent.ask("/health")["failures"], "all is well")
        assert agent.ask("/health")["schedule"]["probes"] == 1


def test_an_agent_that_starts_without_api_server_probes_by_its_copy(
    agent: Agent, kubernetes: FakeKubernetes, target: int
) -> None:
    kubernetes.schedule([probe("up", target)])
    with agent.running():
        until(lambda: agent.sent() > 5, "samples")
        agent.end()
    kubernetes.fault = lambda _method, _path: (503, b"")
    with agent.running():
        before = agent.sent()
        until(lambda: agent.sent() > before + 5, "it probes")


def test_another_writer_of_a_segment_is_a_conflict_that_is_resolved(
    agent: Agent, kubernetes: FakeKubernetes, target: int
) -> None:
    kubernetes.schedule([probe("up", target)], window_s=0.5)
    with agent.running():
        until(lambda: _stored(kubernetes) > 5, "results are stored")
        with kubernetes.lock:
            for name in [name for name in kubernetes.maps if name.startswith("mesh-probe-results-")]:
                kubernetes.set(name, kubernetes.maps[name])  # another version
        before = _stored(kubernetes)
        until(lambda: _stored(kubernetes) > before + 5, "results are stored again")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="malformed JSON"),
        pytest.param("[]", id="no object"),
        pytest.param('{"probes": 3}', id="no list"),
        pytest.param('{"probes": [], "window_s": 0}', id="windows of no width"),
        pytest.param("[" * 100_000, id="nested too deep"),
    ],
)
def test_a_schedule_that_is_none_leaves_the_last_good_one(
    agent: Agent, kubernetes: FakeKubernetes, target: int, text: str
) -> None:
    kubernetes.schedule([probe("up", target)])
    with agent.running():
        until(lambda: agent.sent() > 5, "samples")
        kubernetes.set("mesh-probe-schedule", {"data": {"probes.json": text}})
        until(lambda: agent.ask("/health")["schedule"]["error"], "it is told")
        before = agent.sent()
        until(lambda: agent.sent() > before + 5, "the last good one goes on")


def test_a_probe_that_is_none_is_named_and_the_rest_runs(agent: Agent, kubernetes: FakeKubernetes, target: int) -> None:
    bad: dict[str, Any] = probe("bad", target) | {"mechanism": "quic"}
    kubernetes.schedule([bad, probe("up", target)])
    with agent.running():
        until(lambda: agent.sent() > 5, "the good one is probed")
        assert "there is no mechanism quic" in agent.ask("/health")["schedule"]["rejected"]["bad"]
        assert agent.metric("meshkit_schedule_rejected_probes") == 1


def test_a_renewed_service_account_token_is_used(agent: Agent, kubernetes: FakeKubernetes, target: int) -> None:
    with agent.running():
        kubernetes.tokens = {"renewed"}
        until(lambda: "schedule" in agent.ask("/health")["failures"], "the old token is refused")
        agent.token.write_text("renewed")
        kubernetes.schedule([probe("up", target)])
        until(lambda: agent.sent() > 5, "the schedule is read with the new one")


def test_an_api_server_that_is_gone_and_comes_back_gets_what_it_missed(tmp_path: Path, target: int) -> None:
    folder = tmp_path / "away"
    folder.mkdir()
    kubernetes = FakeKubernetes()
    kubernetes.schedule([probe("up", target)], window_s=0.5)
    with serving(kubernetes, folder):
        agent = Agent(tmp_path, kubernetes)
    with agent.running():
        until(lambda: "schedule" in agent.ask("/health")["failures"], "nobody listens")
        with serving(kubernetes, folder):
            until(lambda: _stored(kubernetes) > 5, "results are stored")


def test_scrapes_and_results_under_load_lose_no_sample(agent: Agent, kubernetes: FakeKubernetes, target: int) -> None:
    """That they make none late is measured by scripts/bench-probes, which has a machine to itself."""
    kubernetes.schedule([probe(f"p{n}", target, interval_s=1.0, service=f"s{n}") for n in range(400)], window_s=5)
    with agent.running():
        until(lambda: (agent.metric("meshkit_probes_total") or 0) > 400, "every target was probed")
        sent = agent.metric("meshkit_probes_total") or 0
        while (agent.metric("meshkit_probes_total") or 0) < sent + 800:
            assert agent.get("/results")[0] == 200
        assert agent.metric("meshkit_samples_dropped_total") == 0


def test_what_is_to_be_refused_is_no_target_that_is_down(agent: Agent, kubernetes: FakeKubernetes, target: int) -> None:
    refused = {"expect": ["refused"]}
    kubernetes.schedule(
        [
            probe("closed", responders.closed_port(), service="closed") | refused,
            probe("open", target, service="open") | refused,
            probe("plain", target, service="plain"),
        ]
    )
    with agent.running():
        until(lambda: agent.metric("probe_success", 'service="closed"') == 1, "the refusal is what is expected")
        until(lambda: agent.metric("probe_success", 'service="open"') == 0, "what passes is the failure")
        until(lambda: agent.metric("meshkit_probe_standing", 'service="plain"', 'standing="up"') == 1, "it is judged")
        assert agent.metric("meshkit_probe_standing", 'service="closed"', 'standing="unknown"') is None
