"""Schedules in real clusters: agents take them up as they run, and what was measured outlives whatever fails."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clusters import FIRST, SECOND
from federation.mesh import NAMESPACE, Mesh, settles, writes
from probes.seen import Seen, Series, probe

from meshkit.lab import command
from meshkit.probes.ladder import RUNGS

pytestmark = [pytest.mark.lab, pytest.mark.slow]

BOTH = ((FIRST, SECOND), (SECOND, FIRST))
SERIES = {(*pair, rung) for pair in BOTH for rung in RUNGS}
SINCE = ("--since", "2h")
"""Longer than all tests together, so that nothing grows old between two looks; earlier tests' series are in it too."""

EVERY_SECOND = "{name: links, ladder: all, every: 1s, timeout: 900ms}"
EVERY_5_MINUTES = "{name: slow, ladder: all, every: 5m}"
CRON_JOB, JOB, JOB_COUNT = "mesh-probe-slow", "slow-now", 20
AGENT = b"python3\0/agent/agent.zip\0serve\0"
API_SERVER = "kube-apiserver"
AWAY_S = 40.0
"""Longest that ``results`` may take while a cluster does not answer."""

Windows = dict[tuple[Series, str], int]
"""Series and begin of a window to its number of samples."""


@pytest.fixture(scope="module")
def scheduled(federated: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Both clusters probe each other's whole ladder every second."""
    _schedule(federated, tmp_path_factory.mktemp("loop"), EVERY_SECOND)
    yield federated
    federated.meshkit("probe", "unschedule", "--yes", check=False)  # the last test has taken the federation apart


@pytest.fixture
def whole(scheduled: Mesh) -> Iterator[Mesh]:
    """The same for a test that cuts the link."""
    yield scheduled
    scheduled.meshkit("lab", "heal", *scheduled.names)


def test_agents_take_up_a_schedule_without_a_restart(scheduled: Mesh) -> None:
    """All eight series come in from both clusters; nothing was started anew for it."""
    settles(lambda: set(results(scheduled).series) >= SERIES, "all series of both clusters")
    assert [_restarts(scheduled, name) for name in scheduled.names] == [0, 0]
    assert results(scheduled).document["missing"] == {}


def test_a_deleted_pod_loses_nothing(scheduled: Mesh) -> None:
    """Every window that was seen is there afterwards, with all its samples, the open one too."""
    before = windows(_with_all(scheduled))
    gone = _pods(scheduled, FIRST)

    scheduled.kubectl(FIRST, "delete", *gone, "--wait=false")

    settles(
        lambda: _pods(scheduled, FIRST) not in ([], gone) and _goes_on(scheduled, before), "a new agent that probes"
    )
    after = windows(results(scheduled))
    assert {key: sent for key, sent in before.items() if after.get(key, 0) < sent} == {}


def test_a_killed_agent_loses_the_open_window_at_most(scheduled: Mesh) -> None:
    """SIGKILL, as when memory runs out: what was closed is on the pod's disk."""
    settles(lambda: bool(_closed(_with_all(scheduled))), "a window that is over")
    before = _closed(results(scheduled))
    restarts = _restarts(scheduled, FIRST)

    os.kill(_process(FIRST, AGENT), signal.SIGKILL)

    settles(lambda: _restarts(scheduled, FIRST) > restarts and _goes_on(scheduled, before), "the agent back")
    after = windows(results(scheduled))
    assert {key: sent for key, sent in before.items() if after.get(key, 0) < sent} == {}


def test_both_sides_of_a_cut_link_keep_what_they_saw(whole: Mesh) -> None:
    """Failures with their reason, beside all that was measured before, and again what passes afterwards."""
    before = _with_all(whole)
    whole.meshkit("lab", "cut", *whole.names)
    networks = [(*pair, "network") for pair in BOTH]

    def named() -> bool:
        seen = results(whole)
        return all(seen.reasons(*series).get("timeout_connect", 0) >= 3 for series in networks)

    settles(named, "failures on both sides")
    whole.meshkit("lab", "heal", *whole.names)
    healed = results(whole)
    settles(lambda: _more_pass(results(whole), healed, networks), "probes that pass again")

    after = results(whole)
    assert all(after.reasons(*series)["timeout_connect"] >= 3 for series in networks)
    assert {series for series in SERIES if after.sent[series] < before.sent[series]} == set()


def test_a_cluster_whose_api_server_hangs_is_missing_and_goes_on(scheduled: Mesh) -> None:
    """The other's results are shown meanwhile, and afterwards there are all of its own from that time."""
    before = _with_all(scheduled)
    with _stopped(_process(SECOND, API_SERVER.encode())):
        began = time.monotonic()
        seen = probe(scheduled, "results", *SINCE)
        into = probe(scheduled, "run", FIRST, SECOND, "--rung", "network", "--count", "3")
        away_s = time.monotonic() - began

    assert seen.code == 1
    assert seen.took_s < AWAY_S
    assert list(seen.document["missing"]) == [SECOND]
    assert f"{SECOND} could not be asked: " in seen.said
    assert {source for source, _, _ in seen.series} == {FIRST}
    assert (into.code, into.reasons(FIRST, SECOND, "network")) == (0, {"ok": 3}), "it is probed all the same"
    assert [note.count(SECOND) for note in into.document["notes"]] == [1]
    after = _with_all(scheduled)
    network = (SECOND, FIRST, "network")
    assert after.sent[network] - before.sent[network] >= away_s - 3, "one a second, also while nobody could ask"


def test_every_5_minutes_is_a_cronjob_that_never_ends_for_good(scheduled: Mesh, tmp_path: Path) -> None:
    """It has what keeps a CronJob alive and single; a job of it climbs the ladder; unschedule leaves results alone."""
    _schedule(scheduled, tmp_path, EVERY_5_MINUTES)
    spec = scheduled.lab.get(FIRST, "-n", NAMESPACE, "cronjob", CRON_JOB)["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] < 300
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (1, 3)

    before = results(scheduled)
    scheduled.kubectl(FIRST, "create", "job", JOB, f"--from=cronjob/{CRON_JOB}")
    settles(lambda: _ended(scheduled) != "", "a job that ends")
    assert _ended(scheduled) == "Complete", scheduled.kubectl(FIRST, "logs", f"job/{JOB}")
    assert _passed_since(before, results(scheduled)) == dict.fromkeys(RUNGS, JOB_COUNT)

    scheduled.meshkit("probe", "unschedule", "--yes")
    for name in scheduled.names:
        left = scheduled.kubectl(name, "get", "cronjob,role,rolebinding,serviceaccount,secret,configmap", "-o", "name")
        assert [one for one in left.split() if "mesh-probe-schedule" in one or CRON_JOB in one] == []
    assert [entry for entry in scheduled.intentions() if entry[0] != "*"] == []
    assert _passed_since(before, results(scheduled)) == dict.fromkeys(RUNGS, JOB_COUNT), "results stay"
    assert writes(scheduled.federate("--dry-run")) == []


def test_destroy_takes_schedule_and_results_along(scheduled: Mesh, tmp_path: Path) -> None:
    """No object in either cluster has a name of ours any more."""
    _schedule(scheduled, tmp_path, EVERY_5_MINUTES)

    scheduled.meshkit("destroy", "--yes")

    kinds = "all,configmap,secret,serviceaccount,role,rolebinding,networkpolicy,persistentvolumeclaim,namespace"
    for name in scheduled.names:
        there = scheduled.lab.kubectl(name, "get", kinds, "-A", "-o", "name").split()
        assert [one for one in there if any(word in one for word in ("probe", "consul", "meshkit"))] == []


def results(mesh: Mesh) -> Seen:
    """What ``meshkit probe results`` collects now."""
    return probe(mesh, "results", *SINCE)


def windows(seen: Seen, source: str = FIRST) -> Windows:
    """Those of one cluster."""
    return {
        (series, one["began"]): int(one["sent"])
        for series, found in seen.series.items()
        if series[0] == source
        for one in found["windows"]
    }


def _closed(seen: Seen, source: str = FIRST) -> Windows:
    """Without the newest, which may still be open."""
    found = windows(seen, source)
    newest = max(began for _, began in found)
    return {key: sent for key, sent in found.items() if key[1] != newest}


def _schedule(mesh: Mesh, place: Path, *entries: str) -> None:
    file = place / "probes.yaml"
    file.write_text("".join(["probes:\n", *(f"- {entry}\n" for entry in entries)]))
    mesh.meshkit("probe", "schedule", "-f", str(file), "--yes")


def _with_all(mesh: Mesh) -> Seen:
    """Results as soon as they have every series."""
    found: list[Seen] = []

    def complete() -> bool:
        found.append(results(mesh))
        return set(found[-1].series) >= SERIES

    settles(complete, "all series of both clusters")
    return found[-1]


def _goes_on(mesh: Mesh, before: Windows) -> bool:
    """Whether the first cluster has windows that begin later than these."""
    newest = max(began for _, began in before)
    return any(began > newest for _, began in windows(results(mesh)))


def _more_pass(now: Seen, then: Seen, series: list[Series]) -> bool:
    return all(now.reasons(*one).get("ok", 0) > then.reasons(*one).get("ok", 0) for one in series)


def _passed_since(then: Seen, now: Seen) -> dict[str, int]:
    """How many samples more of each rung have passed; the agents' own loop has ended, so they are the job's."""
    passed = [
        {rung: one["reasons"].get("ok", 0) for (*pair, rung), one in seen.series.items() if pair == [FIRST, SECOND]}
        for seen in (then, now)
    ]
    return {rung: count - passed[0].get(rung, 0) for rung, count in passed[1].items()}


def _ended(mesh: Mesh) -> str:
    """How the job ended, empty while it runs."""
    conditions: list[dict[str, Any]] = mesh.lab.get(FIRST, "-n", NAMESPACE, "job", JOB)["status"].get("conditions", [])
    return next((c["type"] for c in conditions if c["status"] == "True" and c["type"] in {"Complete", "Failed"}), "")


def _pods(mesh: Mesh, name: str) -> list[str]:
    return mesh.kubectl(name, "get", "pods", "-l", "app=mesh-probe,release=mesh-probe", "-o", "name").split()


def _restarts(mesh: Mesh, name: str) -> int:
    (pod,) = _pods(mesh, name)
    (agent,) = (
        state
        for state in mesh.lab.get(name, "-n", NAMESPACE, pod)["status"]["containerStatuses"]
        if state["name"] == "agent"
    )
    return int(agent["restartCount"])


def _process(cluster: str, begin: bytes) -> int:
    """The one process of a cluster whose program or command line begins like this, as this machine numbers it."""
    (found,) = (pid for pid in command.processes(cluster) if _is(pid, begin))
    return found


def _is(pid: int, begin: bytes) -> bool:
    try:
        words = (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False  # it has just ended
    return words.startswith(begin) or words.partition(b"\0")[0].rpartition(b"/")[2] == begin


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    """A process that hangs: it takes connections, and answers none."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
