"""``job``: probes once and stores the results, for a CronJob; the exit code says whether every expectation holds."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, time

from meshkit.errors import ConflictError, MeshkitError, NotFoundError, UsageError
from meshkit.probes import expect
from meshkit.probes.agent import config, leaf
from meshkit.probes.agent.kubernetes import Kubernetes
from meshkit.probes.agent.log import Log
from meshkit.probes.agent.ring import append
from meshkit.probes.engine import Engine
from meshkit.probes.io import Io
from meshkit.probes.probe import Probe, Series, from_wire
from meshkit.probes.sample import Sample
from meshkit.probes.summary import Summary

TRIES = 5


def run(given: config.JobConfig, name: str) -> int:
    """Probe, store, judge: 0 when all holds, 1 when an expectation does not."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,98}[a-z0-9])?", name):
        raise UsageError("the name is not one for a part of a ConfigMap's name", hint="use a-z, 0-9 and -")
    probes, conditions = _probes(given)
    log = Log()
    api = Kubernetes(given.kubernetes)
    if given.identity:
        try:
            leaf.fetch(given.identity)
        except MeshkitError as error:  # the probes that need it will say no_identity
            log.event("identity_failed", error=error.message)
    windows = observe(probes, given.count, Path(given.identity.directory) if given.identity else None)
    verdicts = [verdict for s in windows for verdict in expect.judge(s, conditions[s.series])]
    for verdict in verdicts:
        log.event(
            "verdict",
            series=str(verdict.summary.series),
            condition=verdict.condition,
            holds=verdict.holds,
            seen=verdict.seen,
        )
    _store(api, given.kubernetes, f"{given.kubernetes.results}-job-{name}", windows)
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def observe(probes: Sequence[Probe], count: int, identity: Path | None) -> list[Summary]:
    """Each probe ``count`` times; one window per series. SIGTERM ends it early, with what there is."""
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    begin, clock = time(), monotonic()
    summaries = {probe.series: Summary(probe.series, begin, 0.0) for probe in probes}

    def sink(probe: Probe, sample: Sample) -> None:
        summaries[probe.series].add(sample)

    def skip(probe: Probe, starts: int) -> None:
        summaries[probe.series].skipped += starts

    io = Io(identity)
    try:
        Engine(io, sink, skip=skip).run(probes, count=count, stop=lambda: bool(stopped))
    finally:
        io.close()
    for summary in summaries.values():
        summary.width_s = monotonic() - clock
    return list(summaries.values())


def _probes(given: config.JobConfig) -> tuple[list[Probe], dict[Series, tuple[expect.Condition, ...]]]:
    """The probes, and what each series is expected to be; all of it checked before anything is sent."""
    probes: list[Probe] = []
    conditions: dict[Series, tuple[expect.Condition, ...]] = {}
    try:
        for entry in given.probes:
            probe = from_wire(entry)
            probes.append(probe)
            for text in probe.expect or (expect.REACHABLE,):
                known = conditions.get(probe.series, ())
                new = [c for c in expect.parse(text) if c.text not in {k.text for k in known}]
                conditions[probe.series] = (*known, *new)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not probes:
        raise UsageError("the job has no probes")
    return probes, conditions


def _store(api: Kubernetes, given: config.Kubernetes, name: str, windows: Sequence[Summary]) -> None:
    """Add to the job's own ConfigMap; two runs at once lose nothing."""
    for attempt in range(TRIES):
        try:
            item = api.get(name)
        except NotFoundError:
            item = {}
        try:
            api.put(append(item, name, given, windows))
        except ConflictError:
            if attempt == TRIES - 1:
                raise
        else:
            return
