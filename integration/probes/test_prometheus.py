"""A link that is cut is told by a real Prometheus, from the agents' own metrics, and so is its healing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from federation.mesh import NAMESPACE, Mesh, settles
from probes.scraper import Prometheus, prometheus

from charts.rendering import find, meshkit_values, render, with_value

pytestmark = pytest.mark.lab

DOWN = "MeshProbePairDown"


@pytest.fixture
def watched(federated: Mesh, schedule: Callable[[str, dict[str, Any]], None], tmp_path: Path) -> Iterator[Prometheus]:
    """Both clusters probe each other's gateway twice a second, and a Prometheus evaluates rules in a hurry."""
    for source in federated.names:
        schedule(source, {"windowSeconds": 1, "probes": list(_probes(federated, source))})
    rules = [group for source in federated.names for group in _rules(source)]
    with prometheus(federated, {"groups": rules}, tmp_path) as running:
        settles(lambda: set(running.up().values()) == {"up"}, "both agents scraped")
        settles(
            lambda: running.values("min by (src_cluster) (probe_success)") == dict.fromkeys(federated.names, 1.0),
            "probes that pass",
        )
        yield running
    federated.meshkit("lab", "heal", *federated.names)


def test_a_cut_link_fires_and_a_healed_one_resolves(federated: Mesh, watched: Prometheus) -> None:
    """In both directions; what a NetworkPolicy or certificate has to do with it would fail earlier."""
    first, second = federated.names
    both = {(first, second, "network"), (second, first, "network")}
    assert watched.firing(DOWN) == set()

    federated.meshkit("lab", "cut", first, second)
    settles(lambda: watched.firing(DOWN) == both, "the alert in both directions")

    federated.meshkit("lab", "heal", first, second)
    settles(lambda: watched.firing(DOWN) == set(), "no alert")
    assert watched.firing("MeshProbeAbsent") == set()


def test_the_round_trip_is_the_link_s(federated: Mesh, watched: Prometheus) -> None:
    """35 ms one way: the median that Prometheus computes from the histogram's buckets is within one of them."""
    query = "histogram_quantile(0.5, sum by (src_cluster, le) (meshkit_probe_rtt_seconds_bucket))"

    settles(lambda: len(watched.values(query)) == len(federated.names), "round trips of both")

    assert all(0.06 <= value <= 0.08 for value in watched.values(query).values()), watched.values(query)


def _rules(source: str) -> Iterator[dict[str, Any]]:
    """The groups of a cluster's own PrometheusRule, with seconds in the place of minutes."""
    values = with_value(meshkit_values("mesh-probe"), "datacenter", source)
    values = with_value(values, "monitoring.prometheusRule.enabled", value=True)
    values = with_value(values, "monitoring.thresholds", {"down": "3s", "window": "10s"})
    for group in find(render("mesh-probe", values), "PrometheusRule", "mesh-probe")["spec"]["groups"]:
        yield group | {"name": f"{group['name']} {source}"}


def _probes(mesh: Mesh, source: str) -> Iterator[dict[str, Any]]:
    """TCP to each other datacenter's gateway."""
    for other in mesh.names:
        if other != source:
            service = mesh.lab.get(other, "-n", NAMESPACE, "service", "meshkit-mesh-gateway")
            address = service["status"]["loadBalancer"]["ingress"][0]["ip"]
            yield {
                "id": f"{other}-network",
                "series": {
                    "source": source,
                    "destination": other,
                    "service": f"mesh-probe-{other}",
                    "probe": "network",
                },
                "mechanism": "tcp",
                "target": {"host": address, "port": service["spec"]["ports"][0]["port"]},
                "interval_s": 0.5,
                "timeout_s": 1.0,
                "expect": [],
            }
