"""Alerting rules and the dashboard: Prometheus' own tools judge them, and they ask for metrics that there are."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any

import pytest
import yaml

from charts.rendering import CHARTS
from meshkit.probes.agent import exposition, views
from meshkit.probes.agent.metrics import Metrics
from meshkit.probes.outcome import Judgement
from meshkit.probes.probe import Series
from meshkit.probes.reasons import OK, OWN
from meshkit.probes.sample import Sample

CHART = CHARTS / "mesh-probe"
TESTS = Path(__file__).with_name("rules_test.yaml")
METRIC = re.compile(r"\b(?:meshkit|probe)_[a-z_]+\b")
SUFFIX = re.compile(r"_(?:bucket|sum|count)$")
OWN_LABELS = {"alertname", "severity"}
ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|://")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules as the chart renders them with its own thresholds."""
    text = (CHART / "files" / "rules.yaml").read_text().replace("@source@", "aks")
    thresholds = yaml.safe_load((CHART / "values.yaml").read_text())["monitoring"]["thresholds"]
    for name, value in thresholds.items():
        text = text.replace(f"@{name}@", str(value))
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(text)
    return path


def promtool(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_prometheus_takes_the_rules(rules: Path) -> None:
    done = promtool(rules.parent, "check", "rules", "--lint-fatal", rules.name)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 rules found" in done.stdout


def test_the_rules_fire_when_they_should_and_not_else(rules: Path) -> None:
    """``promtool test rules``; the cases are in rules_test.yaml."""
    (rules.parent / TESTS.name).write_text(TESTS.read_text())

    done = promtool(rules.parent, "test", "rules", TESTS.name)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_reasons_left_to_the_prober_are_all_of_its_own(rules: Path) -> None:
    named = re.findall(r'reason[!=]~"([^"]+)"', rules.read_text())

    assert len(named) == 4
    assert {frozenset(reasons.split("|")) for reasons in named} == {OWN}


def test_every_rule_has_a_case(rules: Path) -> None:
    """One that expects it to fire."""
    tested = {
        case["alertname"]
        for group in yaml.safe_load(TESTS.read_text())["tests"]
        for case in group["alert_rule_test"]
        if case.get("exp_alerts")
    }

    assert tested == {rule["alert"] for rule in _rules(rules)}


def test_no_threshold_is_left_unset(rules: Path) -> None:
    """A place that no value fills would be a rule that does not parse."""
    assert re.findall(r"@\w+@", rules.read_text()) == []


def test_rules_ask_for_metrics_that_the_agent_exposes(rules: Path) -> None:
    asked = {SUFFIX.sub("", name) for rule in _rules(rules) for name in METRIC.findall(rule["expr"])}

    assert asked - _exposed() == set()


def test_the_dashboard_asks_for_metrics_that_the_agent_exposes() -> None:
    """It is JSON, has a query in every panel, and each names what there is."""
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    asked = set()
    for panel in dashboard["panels"]:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            names = METRIC.findall(target["expr"])
            assert names, target["expr"]
            asked |= {SUFFIX.sub("", name) for name in names}
    for variable in dashboard["templating"]["list"]:
        asked |= set(METRIC.findall(json.dumps(variable.get("query", ""))))

    assert asked - _exposed() == set()


def test_the_dashboard_s_queries_are_ones_that_prometheus_parses(tmp_path: Path) -> None:
    """As recording rules, with Grafana's own variables filled in."""
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    queries = [target["expr"].replace("$__rate_interval", "5m") for p in dashboard["panels"] for target in p["targets"]]
    rules = [{"record": f"panel:{place}", "expr": query} for place, query in enumerate(queries)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    done = promtool(tmp_path, "check", "rules", "queries.yaml")

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pattern_of_metrics_knows_one() -> None:
    """The tests above would pass for ever with a pattern that matches nothing."""
    assert METRIC.findall('rate(meshkit_probes_total{result="x"}[5m])') == ["meshkit_probes_total"]


def test_no_label_of_a_metric_is_an_address() -> None:
    """Whatever a probe saw: addresses are in results, where nothing counts series by them."""
    text = exposition.text([*_metrics().families()])

    assert "aks" in text
    assert ADDRESS.search(text) is None


def _rules(path: Path) -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(path.read_text())["groups"]:
        yield from group["rules"]


def _metrics() -> Metrics:
    """One that has counted a success with all there is to tell."""
    metrics = Metrics("aks", 50_000)
    series = Series("aks", "eks", "mesh-probe-eks", "network")
    facts = {"not_before": time(), "not_after": time() + 60, "addresses": ["192.0.2.7"], "url": "https://192.0.2.7/"}
    with metrics.lock:
        metrics.add(
            series, Sample("id", time(), OK, phases={"connect": 0.1}, rtt_s=0.1, rtt_source="kernel", facts=facts)
        )
    return metrics


def _exposed() -> set[str]:
    """Names of all families that an agent has."""
    judgement = Judgement("eks", "mesh-probe-eks", "network", "up", ())
    families = [*_metrics().families(), *views.families("aks", [judgement], {})]
    pages = (Path(views.__file__).with_name("pages.py")).read_text()
    return {family.name for family in families} | set(re.findall(r'"(meshkit_[a-z_]+)"', pages))
