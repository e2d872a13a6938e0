"""What the agents have kept, from all clusters: nothing is lost while a cloud is cut off, only seen later.

An agent answers through its API server. Where it does not run, what it stored is read from the cluster, and so are
always the results of CronJobs, which are stored apart.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from meshkit.consul.names import AGENT_PORT
from meshkit.errors import MeshkitError, UnreachableError
from meshkit.federation.agent import RESULTS_SELECTOR
from meshkit.federation.context import Context
from meshkit.federation.probing import runs, schedules, sources
from meshkit.federation.probing.surroundings import floors
from meshkit.model import Datacenter
from meshkit.probes.agent import segments
from meshkit.probes.outcome import Outcome
from meshkit.probes.probe import Series
from meshkit.probes.summary import Summary

JOB = "-results-job-"
LONGEST_RESULTS = 64 << 20
"""What one stored ConfigMap may grow to when it is unpacked."""


def collect(context: Context, since_s: float) -> Outcome:
    """Every window that ended within the last ``since_s`` seconds, judged by the schedule's expectations."""
    since = time.time() - since_s
    missing: dict[str, str] = {}
    notes: list[str] = []
    lock = threading.Lock()

    def gather(dc: Datacenter) -> list[Summary]:
        try:
            found, note = _of(context, dc, since)
        except MeshkitError as error:
            with lock:
                missing[dc.name] = error.message.removeprefix(f"{dc.name}: ")
            return []
        if note:
            with lock:
                notes.append(note)
        return found

    windows = [summary for found in context.each(gather).values() for summary in found]
    wanted = {series: texts for series, texts in _wanted(context).items() if series.source not in missing}
    return runs.outcome(
        context.federation.name,
        windows,
        wanted,
        began=min((summary.begin for summary in windows), default=since),
        missing=missing,
        floors=floors(context),
        notes=notes,
    )


def _wanted(context: Context) -> dict[Series, tuple[str, ...]]:
    return {probe.series: probe.expect for dc in schedules.installed(context).values() for probe in dc.probes}


def _of(context: Context, dc: Datacenter, since: float) -> tuple[list[Summary], str]:
    """A cluster's windows, each once, and a remark."""
    stored = _stored(context, dc, since)
    jobs = [summary for name, summaries in stored.items() if JOB in name for summary in summaries]
    try:
        return [*_asked(context, dc, since), *jobs], ""
    except UnreachableError as error:
        kept = [summary for name, summaries in stored.items() if JOB not in name for summary in summaries]
        return [*kept, *jobs], f"{dc.name}: as stored in the cluster: {error.message.removeprefix(f'{dc.name}: ')}"


def _asked(context: Context, dc: Datacenter, since: float) -> list[Summary]:
    pod = sources.agent_pod(context, dc)
    path = f"/results?since={since:.3f}"
    status, body = context.kube[dc.name].pod_get(pod, dc.namespace, AGENT_PORT, path)
    if status != HTTPStatus.OK:
        raise UnreachableError(f"{dc.name}: its agent answers {status}")
    try:
        return list(_summaries(json.loads(body)["windows"], since))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreachableError(f"{dc.name}: its agent's answer is cut off or none of its own") from error


def _stored(context: Context, dc: Datacenter, since: float) -> dict[str, list[Summary]]:
    """By ConfigMap; one that can't be read is empty, as if it had been overwritten."""
    found = context.kube[dc.name].list("ConfigMap", dc.namespace, selector=RESULTS_SELECTOR)
    return {item["metadata"]["name"]: list(_summaries(_lines(item), since)) for item in found}


def _lines(config_map: Mapping[str, Any]) -> Iterator[Any]:
    packed = (config_map.get("binaryData") or {}).get("results.gz", "")
    for line in segments.lines_of(base64.b64decode(packed), LONGEST_RESULTS):
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _summaries(wires: Iterable[Any], since: float) -> Iterator[Summary]:
    for wire in wires:
        try:
            summary = Summary.from_wire(wire)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if summary.begin + summary.width_s >= since:
            yield summary
