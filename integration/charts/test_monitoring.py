"""What the mesh-probe chart renders for Prometheus and Grafana, and that none of it is there unasked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from charts.rendering import Values, find, meshkit_values, refusal, render, with_value

SWITCHES = ("serviceMonitor", "prometheusRule", "dashboard")


def monitored(**thresholds: object) -> Values:
    """Everything asked for."""
    values = meshkit_values("mesh-probe")
    for switch in SWITCHES:
        values = with_value(values, f"monitoring.{switch}.enabled", value=True)
    return with_value(values, "monitoring.thresholds", thresholds)


def test_no_custom_resource_is_rendered_unasked() -> None:
    """A cluster without the Prometheus operator would refuse the release; annotations do for the others."""
    manifests = render("mesh-probe", meshkit_values("mesh-probe"))

    assert {m["kind"] for m in manifests} & {"ServiceMonitor", "PrometheusRule"} == set()
    pod = find(manifests, "Deployment", "mesh-probe")["spec"]["template"]["metadata"]
    assert pod["annotations"]["prometheus.io/port"] == "9100"


def test_a_service_monitor_takes_the_place_of_the_annotations() -> None:
    """Else an agent would be scraped twice."""
    manifests = render("mesh-probe", monitored())

    (endpoint,) = find(manifests, "ServiceMonitor", "mesh-probe")["spec"]["endpoints"]
    assert endpoint == {"port": "agent", "path": "/metrics", "interval": "30s"}
    service = find(manifests, "Service", "mesh-probe")
    assert "agent" in [port["name"] for port in service["spec"]["ports"]]
    selector = find(manifests, "ServiceMonitor", "mesh-probe")["spec"]["selector"]["matchLabels"]
    assert selector.items() <= service["metadata"]["labels"].items()
    pod = find(manifests, "Deployment", "mesh-probe")["spec"]["template"]["metadata"]
    assert "prometheus.io/scrape" not in pod["annotations"]


def test_rules_carry_the_user_s_thresholds() -> None:
    manifests = render("mesh-probe", monitored(down="3s", loss=0.25, window="20s", latencySeconds=0.12))

    rules = {
        rule["alert"]: rule
        for group in find(manifests, "PrometheusRule", "mesh-probe")["spec"]["groups"]
        for rule in group["rules"]
    }
    assert len(rules) == 8
    assert {rule["for"] for rule in rules.values()} == {"3s"}
    assert "[20s])) > 0.25" in rules["MeshProbeLoss"]["expr"]
    assert rules["MeshProbeSlow"]["expr"].endswith("> 0.12")
    assert "{{ $labels.src_cluster }}" in rules["MeshProbePairDown"]["annotations"]["summary"]


def test_the_dashboard_is_the_chart_s_file() -> None:
    found = find(render("mesh-probe", monitored()), "ConfigMap", "mesh-probe-dashboard")

    file = Path(__file__).parents[2] / "charts" / "mesh-probe" / "files" / "dashboard.json"
    assert json.loads(found["data"]["mesh-probe.json"]) == json.loads(file.read_text())
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize("off", ["agent.enabled", "monitoring.enabled"])
def test_one_switch_turns_it_all_off(off: str) -> None:
    manifests = render("mesh-probe", with_value(monitored(), off, value=False))

    assert {m["kind"] for m in manifests} & {"ServiceMonitor", "PrometheusRule"} == set()
    assert "dashboard" not in yaml.safe_dump([m["metadata"]["name"] for m in manifests])
    assert "prometheus.io" not in json.dumps(manifests)


@pytest.mark.parametrize(
    ("key", "value"),
    [("down", "soon"), ("loss", 2), ("latencySeconds", 0), ("window", "5"), ("latency", 1)],
    ids=["no duration", "more than all", "no time at all", "a duration without a unit", "a mistyped key"],
)
def test_a_threshold_that_makes_no_sense_is_refused_by_name(key: str, value: object) -> None:
    assert key in refusal("mesh-probe", monitored(**{key: value}))
