"""The schedule's chart: what the agent and its jobs read is what they take, and CronJobs that never end for good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from charts.rendering import find, meshkit_values, refusal, render, schedule_values, with_value
from meshkit.probes import probe
from meshkit.probes.agent import config

CHART = "mesh-probe-schedule"


def test_the_agent_s_schedule_is_as_written() -> None:
    """Probes come back from the ConfigMap as they were given, and what the user asked for stands beside them."""
    values = schedule_values("aks")

    data = find(render(CHART, values), "ConfigMap", "mesh-probe-schedule")["data"]

    held = json.loads(data["probes.json"])
    assert held["window_s"] == 60
    assert [probe.from_wire(entry) for entry in held["probes"]] == [probe.from_wire(e) for e in values["probes"]]
    assert data["wanted.json"] == values["wanted"]


def test_a_schedule_of_nothing_is_one() -> None:
    """No CronJob, no account, and an agent that probes nothing."""
    manifests = render(CHART, {"source": "aks"})

    assert [m["kind"] for m in manifests] == ["ConfigMap"]


def test_a_job_reads_its_own_configuration(tmp_path: Path) -> None:
    """The agent's own strict reader takes it."""
    manifests = render(CHART, schedule_values("aks"))
    path = tmp_path / "job.json"
    path.write_text(find(manifests, "ConfigMap", "mesh-probe-schedule-jobs")["data"]["nightly.json"])

    given = config.load(path, config.JobConfig)

    assert (given.source, given.count, len(given.probes)) == ("aks", 20, 1)
    assert given.identity == config.Identity(
        "https://consul-server-api:8501",
        "server.aks.consul",
        "/consul/tls/ca/ca.crt",
        "/secrets/token/value",
        "mesh-probe-aks",
    )


def test_the_agent_reads_its_own_configuration(tmp_path: Path) -> None:
    """The same for the long-running one of the mesh-probe chart; its port is none of an upstream."""
    path = tmp_path / "agent.json"
    path.write_text(
        find(render("mesh-probe", meshkit_values("mesh-probe")), "ConfigMap", "mesh-probe")["data"]["agent.json"]
    )

    given = config.load(path, config.Config)

    assert (given.source, given.federation, given.listen) == ("aks", "mesh", 9100)
    assert given.peers == {"eks": "http://127.0.0.1:9102/view"}


def test_a_cronjob_survives_missed_starts_and_runs_once_at_a_time() -> None:
    spec = find(render(CHART, schedule_values("aks")), "CronJob", "mesh-probe-nightly")["spec"]

    assert (spec["schedule"], spec["concurrencyPolicy"]) == ("0 3 * * *", "Forbid")
    assert spec["startingDeadlineSeconds"] == 200
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (1, 3)
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0


def test_a_job_may_write_its_own_results_and_nothing_else() -> None:
    manifests = render(CHART, schedule_values("aks"))

    (rule,) = find(manifests, "Role", "mesh-probe-schedule")["rules"]

    assert rule["resourceNames"] == ["mesh-probe-results-job-nightly"]
    assert rule["verbs"] == ["get", "update"]
    results = find(manifests, "ConfigMap", "mesh-probe-results-job-nightly")
    assert "binaryData" not in results
    assert results["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}, "they outlive the schedule"


def test_raw_sockets_are_for_uid_0_and_only_when_asked_for() -> None:
    for chart, kind, name, key in (
        (CHART, "CronJob", "mesh-probe-nightly", "netRaw"),
        ("mesh-probe", "Deployment", "mesh-probe", "agent.netRaw"),
    ):
        found = find(render(chart, with_value(meshkit_values(chart), key, value=True)), kind, name)["spec"]
        template = found["jobTemplate"]["spec"]["template"] if kind == "CronJob" else found["template"]
        (agent,) = (c for c in template["spec"]["containers"] if c["name"] == "agent")
        security = agent["securityContext"]
        assert security["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
        assert (security["runAsUser"], security["allowPrivilegeEscalation"]) == (0, False)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        pytest.param("jobs", [{"name": "Nightly"}], "jobs", id="a job's name that no object may have"),
        pytest.param("probes", [{"id": "x"}], "probes", id="a probe without a target"),
        pytest.param("archive", "", "archive (the ConfigMap with agent.zip)", id="no program"),
        pytest.param("aclToken.secretName", "", "aclToken.secretName", id="no token"),
        pytest.param("segmentBytes", 2_000_000, "segmentBytes", id="results larger than a ConfigMap"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: object, named: str) -> None:
    assert named in refusal(CHART, with_value(schedule_values("aks"), path, value))


def test_a_switched_off_agent_leaves_the_echo_alone() -> None:
    """No container, no account's rights, no Service, no route to it."""
    values = with_value(meshkit_values("mesh-probe"), "agent.enabled", value=False)

    manifests = render("mesh-probe", values)

    assert {m["kind"] for m in manifests} == {"ConfigMap", "Deployment", "NetworkPolicy", "Pod", "ServiceAccount"}
    pod = find(manifests, "Deployment", "mesh-probe")["spec"]["template"]["spec"]
    assert [c["name"] for c in pod["containers"]] == ["echo", "sidecar"]
    assert "sysctls" not in pod["securityContext"]
    assert "/view" not in json.dumps(manifests)
