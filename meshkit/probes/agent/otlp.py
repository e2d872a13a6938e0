"""Metrics for those without Prometheus: OTLP over HTTP as JSON (opentelemetry-proto 1.x, metrics/v1).

Cumulative with the agent's start as start time, so an export that fails loses nothing: the next one says it all. So
tries are few, and nothing queues up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from time import sleep, time
from typing import Any

from meshkit.errors import UnreachableError
from meshkit.probes.agent.fetch import Answer, request
from meshkit.probes.agent.metrics import BOUNDS, Family, Histogram, Labels

CUMULATIVE = 2
"""AGGREGATION_TEMPORALITY_CUMULATIVE."""

TIMEOUT_S = 10.0
TRIES = 3
FIRST_WAIT_S, MOST_WAIT_S = 1.0, 10.0
AGAIN = frozenset({429, 502, 503, 504})
"""Statuses that the specification lets be tried again."""

Wait = Callable[[float], object]


def document(families: Iterable[Family], started_at: float, now: float, resource: Labels) -> dict[str, Any]:
    """An ExportMetricsServiceRequest."""
    times = {"startTimeUnixNano": str(int(started_at * 1e9)), "timeUnixNano": str(int(now * 1e9))}
    metrics = [_metric(family, times) for family in families if family.points]
    scope = {"scope": {"name": "meshkit.probes"}, "metrics": metrics}
    return {"resourceMetrics": [{"resource": {"attributes": _attributes(resource)}, "scopeMetrics": [scope]}]}


def export(
    endpoint: str, families: Iterable[Family], started_at: float, resource: Labels, *, wait: Wait = sleep
) -> None:
    """Send them; UnreachableError when the collector did not take them after a few tries."""
    body = json.dumps(document(families, started_at, time(), resource), separators=(",", ":")).encode()
    pause = FIRST_WAIT_S
    said = ""
    for attempt in range(TRIES):
        if attempt:
            wait(pause)
            pause = min(pause * 2, MOST_WAIT_S)
        try:
            answer = _post(endpoint, body)
        except UnreachableError as error:
            said = error.message
            continue
        if answer.status in range(200, 300):
            return
        said = f"HTTP {answer.status}"
        if answer.status not in AGAIN:
            break
        after = answer.headers.get("Retry-After", "")
        pause = min(float(after), MOST_WAIT_S) if after.isdigit() else pause
    raise UnreachableError(f"the collector does not take metrics: {said}")


def _post(endpoint: str, body: bytes) -> Answer:
    url = f"{endpoint.rstrip('/')}/v1/metrics"
    return request(url, "POST", body=body, headers={"Content-Type": "application/json"}, timeout_s=TIMEOUT_S)


def _metric(family: Family, times: dict[str, str]) -> dict[str, Any]:
    unit = "s" if family.name.endswith("_seconds") else "1"
    metric: dict[str, Any] = {"name": family.name, "description": family.help, "unit": unit}
    if family.kind == "histogram":
        points = [_histogram(value) | times | {"attributes": _attributes(labels)} for labels, value in family.points]
        return metric | {"histogram": {"aggregationTemporality": CUMULATIVE, "dataPoints": points}}
    points = [_number(value) | times | {"attributes": _attributes(labels)} for labels, value in family.points]
    if family.kind == "counter":
        return metric | {"sum": {"aggregationTemporality": CUMULATIVE, "isMonotonic": True, "dataPoints": points}}
    return metric | {"gauge": {"dataPoints": points}}


def _histogram(value: Histogram) -> dict[str, Any]:
    """64-bit integers are texts in the JSON form of protobuf."""
    return {
        "count": str(sum(value.counts)),
        "sum": value.total,
        "bucketCounts": [str(count) for count in value.counts],
        "explicitBounds": list(BOUNDS),
    }


def _number(value: float) -> dict[str, Any]:
    return {"asInt": str(value)} if isinstance(value, int) else {"asDouble": value}


def _attributes(labels: Labels) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in labels]
