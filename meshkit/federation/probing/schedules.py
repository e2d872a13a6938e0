"""Probes that go on: a Helm release of its own in every cluster, so that a later federate leaves the schedule alone.

What comes round in under five minutes is the agent's own loop; the rest are CronJobs, which keep no process for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from typing import Any

from meshkit.backends.base import Manifest, Ref
from meshkit.consul import values
from meshkit.consul.holds import SCHEDULE, Hold
from meshkit.consul.names import AGENT_PORT, PROBE_RELEASE, SCHEDULE_RELEASE
from meshkit.errors import MeshkitError, UsageError
from meshkit.federation import agent, charts, releases, trial
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.federation.probing import sources, targets
from meshkit.federation.releases import Wanted as Release
from meshkit.model import Datacenter
from meshkit.probes import expect
from meshkit.probes.ladder import MESH
from meshkit.probes.mechanisms.echo import EchoTarget
from meshkit.probes.probe import Probe, from_wire
from meshkit.probes.wanted import SERVICE, Wanted

TASK = "schedule"
AGENT_LIMIT_S = 300.0
"""From here on a CronJob, whose pod takes seconds to start."""

JOB_COUNT, JOB_INTERVAL_S = 20, 1.0
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0
MINUTES, HOURS = (5, 6, 10, 12, 15, 20, 30), (1, 2, 3, 4, 6, 8, 12)
"""What divides an hour, and a day: all that cron's fields can say evenly."""


@dataclass(frozen=True)
class Installed:
    """A datacenter's schedule as it stands in its cluster."""

    wanted: tuple[Wanted, ...]
    probes: tuple[Probe, ...]


def plan(context: Context, wanted: Sequence[Wanted]) -> tuple[Change, ...]:
    """What ``deploy`` would do; UsageError for what can't be scheduled."""
    resolved = _resolved(context, wanted)
    found = context.each(lambda dc: _difference(context, dc, _release(context, dc, wanted, resolved)))
    return tuple(change for change in found.values() if change)


def deploy(context: Context, wanted: Sequence[Wanted]) -> None:
    """Install the schedule everywhere, and return once every agent runs by it.

    A cluster that is away is reported after the others are done; running it again completes it.
    """
    resolved = _resolved(context, wanted)
    wished = {dc.name: _release(context, dc, wanted, resolved) for dc in context.federation.datacenters}
    primary = context.federation.primary

    def install(dc: Datacenter) -> None:
        release = wished[dc.name]
        holding = trial.succeeded(context, resolved.pairs, Hold(SCHEDULE)) if dc == primary else nullcontext()
        with holding:
            if release is None:
                context.helm(dc.name).uninstall(SCHEDULE_RELEASE, dc.namespace)
                return
            releases.ensure(context, TASK, dc, release)
            context.wait(TASK, dc.name, lambda: _not_in_use(context, dc), hint="meshkit check")

    context.each(install)


def installed(context: Context) -> dict[str, Installed]:
    """The schedule by datacenter; those without one, and those that can't be asked, are left out."""

    def ask(dc: Datacenter) -> Installed | None:
        try:
            found = _config_maps(context, dc)
        except MeshkitError:
            return None
        return _parsed(dc, *found)

    return {name: found for name, found in context.each(ask).items() if found is not None}


def of(context: Context, dc: Datacenter) -> Installed | None:
    """A datacenter's schedule, None without one; MeshkitError when it can't be read or is none of ours."""
    return _parsed(dc, *_config_maps(context, dc))


def remove(context: Context) -> bool:
    """Take the schedule away everywhere, with its intentions; False when there was none.

    A cluster that is away is reported after the others are done; running it again completes it.
    """
    primary = context.federation.primary

    def uninstall(dc: Datacenter) -> bool:
        there = context.helm(dc.name).release(SCHEDULE_RELEASE, dc.namespace) is not None
        context.helm(dc.name).uninstall(SCHEDULE_RELEASE, dc.namespace)
        if dc == primary:
            trial.remove(context, SCHEDULE)
        return there

    return any(context.each(uninstall).values())


def cron(every_s: float, name: str) -> str:
    """A crontab line for an interval, at a minute that the name decides, so that not all start at once.

    UsageError for an interval that doesn't divide an hour or a day: cron would make its steps uneven.
    """
    spread = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    minutes, hours = every_s / MINUTE_S, every_s / HOUR_S
    if minutes in MINUTES:
        first = spread % int(minutes)
        return f"{first}-59/{int(minutes)} * * * *"
    if hours in HOURS:
        return f"{spread % 60} {spread // 60 % int(hours)}-23/{int(hours)} * * *"
    if every_s == DAY_S:
        return f"{spread % 60} {spread // 60 % 24} * * *"
    possible = ", ".join([*(f"{n}m" for n in MINUTES), *(f"{n}h" for n in HOURS), "24h"])
    raise UsageError(f"{name}: a CronJob can't come round every {every_s:g} s evenly", hint=f"every: {possible}")


def _resolved(context: Context, wanted: Sequence[Wanted]) -> targets.Plan:
    for entry in wanted:
        if entry.target.get("as") and entry.kind == SERVICE:
            raise UsageError(
                f"{entry.name}: agents have no certificate of {entry.target['as']} to keep",
                hint="leave out as, or probe it once: meshkit probe run",
            )
        if entry.every_s >= AGENT_LIMIT_S:
            cron(entry.every_s, entry.name)
    return targets.resolve(context, wanted)


def _release(context: Context, dc: Datacenter, wanted: Sequence[Wanted], resolved: targets.Plan) -> Release | None:
    """A datacenter's release as it should be, None when nothing is probed from there."""
    probes = resolved.probes.get(dc.name, ())
    if not probes:
        return None
    by_entry = {entry.name: [probe for probe in probes if resolved.entries[probe.id] == entry.name] for entry in wanted}
    loop = [probe.as_wire() for probe in probes if probe.interval_s < AGENT_LIMIT_S]
    jobs = [
        _job(entry, by_entry[entry.name]) for entry in wanted if entry.every_s >= AGENT_LIMIT_S and by_entry[entry.name]
    ]
    given = values.schedule_values(context.federation, dc, agent.archive_name())
    chosen = [asdict(entry) for entry in wanted if by_entry[entry.name]]
    raw = any(probe.target.mechanism == "path" for probe in probes)
    return Release(
        SCHEDULE_RELEASE,
        charts.schedule(),
        {**given, "probes": loop, "jobs": jobs, "wanted": json.dumps(chosen, sort_keys=True), "netRaw": raw},
    )


def _job(entry: Wanted, probes: Sequence[Probe]) -> dict[str, Any]:
    """A CronJob: a few probes each time, its own way into the mesh by the probe's Service."""
    there = [
        replace(probe, target=EchoTarget(PROBE_RELEASE, probe.target.port), interval_s=JOB_INTERVAL_S)
        if probe.series.probe == MESH and isinstance(probe.target, EchoTarget)
        else replace(probe, interval_s=JOB_INTERVAL_S)
        for probe in probes
    ]
    return {
        "name": entry.name,
        "schedule": cron(entry.every_s, entry.name),
        "count": JOB_COUNT,
        "probes": [probe.as_wire() for probe in there],
    }


def _difference(context: Context, dc: Datacenter, release: Release | None) -> Change | None:
    if release is not None:
        return releases.difference(context, dc, release)
    found = context.helm(dc.name).release(SCHEDULE_RELEASE, dc.namespace)
    return Change("delete", f"helm release {SCHEDULE_RELEASE}", dc.name) if found else None


def _not_in_use(context: Context, dc: Datacenter) -> str:
    """Why an agent does not run by the schedule that is in its cluster, empty when it does."""
    found = context.kube[dc.name].get(Ref("ConfigMap", SCHEDULE_RELEASE, dc.namespace))
    if found is None:
        return "its schedule is not there yet"
    digest = hashlib.sha256(found["data"]["probes.json"].encode()).hexdigest()
    pod = sources.agent_pod(context, dc)
    status, body = context.kube[dc.name].pod_get(pod, dc.namespace, AGENT_PORT, "/health")
    try:
        used = json.loads(body)["schedule"]
    except (ValueError, KeyError, TypeError):
        return f"its agent answers {status}"
    if not digest.startswith(used["digest"] or "-"):
        return "its agent has not read the schedule yet"
    if used["rejected"]:
        name, why = next(iter(used["rejected"].items()))
        return f"its agent refuses {name}: {why}"
    return "" if status == HTTPStatus.OK else f"its agent is not well: {status}"


def _config_maps(context: Context, dc: Datacenter) -> tuple[Manifest | None, Manifest | None]:
    """What the agent goes by, and what CronJobs do."""
    kube = context.kube[dc.name]
    return (
        kube.get(Ref("ConfigMap", SCHEDULE_RELEASE, dc.namespace)),
        kube.get(Ref("ConfigMap", f"{SCHEDULE_RELEASE}-jobs", dc.namespace)),
    )


def _parsed(dc: Datacenter, found: Manifest | None, jobs: Manifest | None) -> Installed | None:
    if found is None:
        return None
    data = found.get("data") or {}
    documents = [data.get("probes.json", "{}"), *((jobs or {}).get("data") or {}).values()]
    try:
        wanted = tuple(_wanted(entry) for entry in json.loads(data.get("wanted.json", "[]")))
        probes = tuple(from_wire(wire) for text in documents for wire in json.loads(text).get("probes", ()))
        for text in {text for probe in probes for text in probe.expect}:
            expect.parse(text)
    except (ValueError, TypeError, KeyError, AttributeError, MeshkitError) as error:
        raise MeshkitError(
            f"{dc.name}: its schedule was written by something else", hint="meshkit probe schedule -f probes.yaml"
        ) from error
    return Installed(wanted, probes)


def _wanted(entry: Mapping[str, Any]) -> Wanted:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return Wanted(**values)
