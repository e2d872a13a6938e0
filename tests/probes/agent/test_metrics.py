"""Metrics: what is counted, how it is written for Prometheus and for OpenTelemetry, and what it may cost."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import UnreachableError
from meshkit.probes.agent import exposition, otlp
from meshkit.probes.agent.metrics import BOUNDS, Family, Histogram, Metrics
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')


def sample(seconds: float = 0.07, reason: str = "ok", **more: Any) -> Sample:
    """One with two phases."""
    phases = {"connect": seconds, "tls": seconds} if reason == "ok" else {}
    return Sample("p", 0.0, reason, phases=phases, rtt_s=seconds if phases else None, rtt_source="kernel", **more)


def _lines(metrics: Metrics) -> dict[str, float]:
    text = exposition.text(metrics.families())
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            assert LINE.fullmatch(line), line
            name, _, value = line.rpartition(" ")
            assert name not in found
            found[name] = float(value)
    return found


def _value(metrics: Metrics, begin: str) -> float | None:
    return next((value for name, value in _lines(metrics).items() if name.startswith(begin)), None)


def test_where_a_refusal_is_expected_it_is_the_success_and_to_pass_is_the_failure() -> None:
    metrics = Metrics("aks", 10_000)
    series = Series("aks", "eks", "web", "mesh")
    metrics.keep([series], {series})
    metrics.add(series, sample(reason="denied"))
    assert _value(metrics, "probe_success") == 1
    metrics.add(series, sample())
    assert _value(metrics, "probe_success") == 0
    results = {name.partition("result=")[2]: n for name, n in _lines(metrics).items() if "probes_total" in name}
    assert results == {'"success",reason="denied"}': 1, '"failure",reason="ok"}': 1}
    metrics.keep([series])
    assert _value(metrics, "probe_success") is None


def test_a_fault_of_the_prober_is_counted_and_says_nothing_of_the_target() -> None:
    metrics = Metrics("aks", 10_000)
    series = Series("aks", "eks", "web", "mesh")
    metrics.add(series, sample(reason="no_identity"))
    assert _value(metrics, "probe_success") is None
    assert _value(metrics, "meshkit_probes_total") == 1


def test_a_sample_is_counted_by_result_reason_phase_and_clock() -> None:
    metrics = Metrics("aks", 10_000)
    series = Series("aks", "eks", "web", "mesh")
    metrics.add(series, sample(0.07))
    metrics.add(series, sample(0.3, retransmits=2))
    metrics.add(series, sample(reason="timeout_tls"))
    metrics.skipped(series, 3)
    labels = 'src_cluster="aks",dst_cluster="eks",service="web",probe="mesh"'
    lines = _lines(metrics)
    assert lines[f'meshkit_probes_total{{{labels},result="success",reason="ok"}}'] == 2
    assert lines[f'meshkit_probes_total{{{labels},result="failure",reason="timeout_tls"}}'] == 1
    assert lines[f'meshkit_probe_duration_seconds_count{{{labels},phase="tls"}}'] == 2
    assert lines[f'meshkit_probe_duration_seconds_bucket{{{labels},phase="tls",le="0.08"}}'] == 1
    assert lines[f'meshkit_probe_duration_seconds_bucket{{{labels},phase="tls",le="+Inf"}}'] == 2
    assert lines[f'meshkit_probe_rtt_seconds_sum{{{labels},source="kernel"}}'] == pytest.approx(0.37)
    assert lines[f"meshkit_packets_resent_total{{{labels}}}"] == 2
    assert lines[f"meshkit_probes_skipped_total{{{labels}}}"] == 3
    assert lines[f"probe_success{{{labels}}}"] == 0
    assert not any("timeout_tls" in name and "duration" in name for name in lines)  # a phase not reached is not 0


def test_certificates_have_both_ends_so_that_a_share_of_life_can_be_asked_for() -> None:
    metrics = Metrics("aks", 10_000)
    metrics.add(Series("aks", "eks", "web", "gateway"), sample(facts={"not_before": 1e9, "not_after": 2e9}))
    metrics.certify(Series("aks", "aks", "mesh-probe-aks", "identity"), (3e9, 4e9))
    metrics.keep([])
    lines = _lines(metrics)
    assert [v for n, v in lines.items() if "cert_not_before" in n] == [3e9]
    assert [v for n, v in lines.items() if "cert_not_after" in n] == [4e9]
    assert not any(name.startswith("probe_success") for name in lines)


@given(st.text(max_size=20), st.floats(min_value=0, max_value=1e6))
def test_any_label_and_number_is_valid_exposition(service: str, value: float) -> None:
    metrics = Metrics("aks", 10_000)
    metrics.add(Series("aks", "eks", service.replace("\r", ""), 'a"\\\n%d{}'), sample(value or 0.1))
    text = exposition.text(metrics.families())
    assert all(line.startswith("#") or LINE.fullmatch(line) for line in text.split("\n")[:-1])


@given(st.lists(st.floats(min_value=0, max_value=100), max_size=50))
def test_buckets_are_cumulative_and_a_bound_belongs_to_its_bucket(values: list[float]) -> None:
    histogram = Histogram()
    for value in [*values, *BOUNDS]:
        histogram.add(value)
    text = exposition.text([Family("h", "histogram", "Help.", [((("a", "b"),), histogram)])])
    found = {m[1]: int(m[2]) for m in re.finditer(r'le="([^"]+)"\} (\d+)', text)}
    for bound in BOUNDS:
        assert found[str(bound)] == sum(value <= bound for value in [*values, *BOUNDS])
    assert found["+Inf"] == len(values) + len(BOUNDS)


def test_pairs_come_before_services_when_the_budget_is_short_and_the_rest_is_counted() -> None:
    metrics = Metrics("aks", 1000)
    for number in range(100):
        metrics.add(Series("aks", "eks", f"service-{number:03}", "checkout"), sample())
    for rung in ("network", "gateway", "rpc", "mesh"):
        metrics.add(Series("aks", "zks", "gateway", rung), sample())
    lines = _lines(metrics)
    assert len(lines) <= 1000 + 30
    shown = {name for name in lines if name.startswith("probe_success")}
    assert sum('dst_cluster="zks"' in name for name in shown) == 4
    assert lines['meshkit_series_left_out{src_cluster="aks"}'] == 104 - len(shown) > 0


def test_a_thousand_histograms_are_written_within_50_ms() -> None:
    metrics = Metrics("aks", 50_000)
    for number in range(334):
        metrics.add(Series("aks", "eks", f"service-{number}", "mesh"), sample())
    spent = []
    for _ in range(7):
        begin = time.thread_time()  # of this thread alone: others share the machine
        text = exposition.text(metrics.families())
        spent.append(time.thread_time() - begin)
    assert text.count('le="+Inf"') >= 1000
    assert min(spent) < 0.05


def test_otlp_is_the_same_numbers_cumulative_since_the_start() -> None:
    metrics = Metrics("aks", 10_000)
    metrics.add(Series("aks", "eks", "web", "mesh"), sample(0.07))
    document = otlp.document(metrics.families(), 100.0, 160.0, (("service.name", "agent"),))
    (resource,) = json.loads(json.dumps(document))["resourceMetrics"]
    assert resource["resource"]["attributes"] == [{"key": "service.name", "value": {"stringValue": "agent"}}]
    found = {metric["name"]: metric for metric in resource["scopeMetrics"][0]["metrics"]}
    total = found["meshkit_probes_total"]["sum"]
    assert (total["aggregationTemporality"], total["isMonotonic"]) == (2, True)
    (point,) = total["dataPoints"]
    assert (point["asInt"], point["startTimeUnixNano"], point["timeUnixNano"]) == ("1", "100000000000", "160000000000")
    histogram = found["meshkit_probe_rtt_seconds"]["histogram"]["dataPoints"][0]
    assert histogram["explicitBounds"] == list(BOUNDS)
    assert len(histogram["bucketCounts"]) == len(BOUNDS) + 1
    assert sum(map(int, histogram["bucketCounts"])) == int(histogram["count"]) == 1
    assert histogram["sum"] == pytest.approx(0.07)


@contextmanager
def collector(*statuses: int) -> Iterator[tuple[str, list[Any]]]:
    """A collector that answers with these, one after the other, and the bodies that it got."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(statuses[min(len(got), len(statuses)) - 1])
            self.send_header("Retry-After", "7")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, the name is http.server's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("statuses", "asked", "fails"),
    [
        pytest.param((200,), 1, False, id="taken"),
        pytest.param((503, 200), 2, False, id="taken at the second time"),
        pytest.param((429, 503, 502), 3, True, id="never taken: tries are few"),
        pytest.param((400,), 1, True, id="refused for good"),
    ],
)
def test_an_export_is_tried_a_few_times_when_that_can_help(
    statuses: tuple[int, ...],
    asked: int,
    fails: bool,  # noqa: FBT001, a table's column
) -> None:
    waits: list[float] = []
    metrics = Metrics("aks", 10_000)
    with collector(*statuses) as (url, got):
        if fails:
            with pytest.raises(UnreachableError, match="does not take metrics"):
                otlp.export(url, metrics.families(), 1.0, (), wait=waits.append)
        else:
            otlp.export(f"{url}/", metrics.families(), 1.0, (), wait=waits.append)
    assert (len(got), len(waits)) == (asked, asked - 1)
    assert {path for path, _ in got} == {"/v1/metrics"}
    assert waits[:1] == [7.0] * (asked > 1)


def test_no_number_is_written_that_is_none() -> None:
    metrics = Metrics("aks", 10_000)
    metrics.add(Series("aks", "eks", "web", "mesh"), sample())
    assert all(math.isfinite(value) for value in _lines(metrics).values())
