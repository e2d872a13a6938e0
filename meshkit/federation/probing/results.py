"""What the agents have kept, from all clusters: nothing is lost while a cloud is cut off, only seen later.

An agent answers through its API server. Where it does not run, what it stored is read from the cluster, and so are
always the results of CronJobs, which are stored apart.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from meshkit.consul.names import AGENT_PORT
from meshkit.errors import MeshkitError, UnreachableError
from meshkit.federation.agent import RESULTS_SELECTOR
from meshkit.federation.context import Context
from meshkit.federation.probing import regions, runs, schedules, sources, surroundings
from meshkit.model import Datacenter
from meshkit.probes.agent import segments
from meshkit.probes.outcome import Outcome
from meshkit.probes.probe import Series
from meshkit.probes.summary import Summary

JOB = "-results-job-"
LONGEST_RESULTS = 64 << 20
"""What one stored ConfigMap may grow to when it is unpacked."""


@dataclass
class _Gathered:
    """One cluster's part: its windows, each once, what they should be, and remarks."""

    windows: list[Summary] = field(default_factory=list)
    wanted: dict[Series, tuple[str, ...]] = field(default_factory=dict)
    missing: str = ""
    region: str = ""
    notes: list[str] = field(default_factory=list)


def collect(context: Context, since_s: float) -> Outcome:
    """Every window that ended within the last ``since_s`` seconds, judged by the schedule's expectations."""
    since = time.time() - since_s
    gathered = context.each(lambda dc: _gathered(context, dc, since))
    windows = [summary for part in gathered.values() for summary in part.windows]
    return runs.outcome(
        context.federation.name,
        windows,
        {series: texts for part in gathered.values() for series, texts in part.wanted.items()},
        began=min((summary.begin for summary in windows), default=since),
        missing={name: part.missing for name, part in gathered.items() if part.missing},
        floors=regions.floors({name: part.region for name, part in gathered.items() if part.region}),
        notes=[note for part in gathered.values() for note in part.notes],
    )


def _gathered(context: Context, dc: Datacenter, since: float) -> _Gathered:
    part = _Gathered()
    try:
        part.windows = _windows(context, dc, since, part.notes)
    except MeshkitError as error:
        part.missing = _reason(dc, error)
        return part
    with suppress(MeshkitError):  # then light in fibre is not known, and not shown
        part.region = surroundings.region(context, dc)
    try:
        found = schedules.of(context, dc)
    except MeshkitError as error:
        part.notes.append(f"{dc.name}: nothing is expected of what it sees: {_reason(dc, error)}")
    else:
        part.wanted = {probe.series: probe.expect for probe in (found.probes if found else ())}
    return part


def _windows(context: Context, dc: Datacenter, since: float, notes: list[str]) -> list[Summary]:
    stored = _stored(context, dc, since, notes)
    jobs = [summary for name, summaries in stored.items() if JOB in name for summary in summaries]
    try:
        return [*_asked(context, dc, since), *jobs]
    except UnreachableError as error:
        notes.append(f"{dc.name}: as stored in the cluster: {_reason(dc, error)}")
        return [*(summary for name, summaries in stored.items() if JOB not in name for summary in summaries), *jobs]


def _reason(dc: Datacenter, error: MeshkitError) -> str:
    return error.message.removeprefix(f"{dc.name}: ")


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


def _stored(context: Context, dc: Datacenter, since: float, notes: list[str]) -> dict[str, list[Summary]]:
    """By ConfigMap; one that can't be read is empty, as if it had been overwritten, and there is a remark."""
    stored: dict[str, list[Summary]] = {}
    for item in context.kube[dc.name].list("ConfigMap", dc.namespace, selector=RESULTS_SELECTOR):
        name, packed = item["metadata"]["name"], (item.get("binaryData") or {}).get("results.gz", "")
        lines = _lines(packed)
        if packed and not lines:
            notes.append(f"{dc.name}: what is stored in configmap/{name} can't be read")
        stored[name] = list(_summaries(lines, since))
    return stored


def _lines(packed: str) -> list[Any]:
    """What a store holds, up to where it is damaged."""
    lines: list[Any] = []
    with suppress(binascii.Error):
        for line in segments.lines_of(base64.b64decode(packed), LONGEST_RESULTS):
            with suppress(ValueError):
                lines.append(json.loads(line))
    return lines


def _summaries(wires: Iterable[Any], since: float) -> Iterator[Summary]:
    for wire in wires:
        try:
            summary = Summary.from_wire(wire)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if summary.begin + summary.width_s >= since:
            yield summary
