"""One run: every source probes at the same time, from inside its own cluster, and what they see becomes one outcome.

The request goes to the agent's container by exec, on stdin, and windows come back while it runs: no port is open for
this, and nothing stands in argv. A source that can't be asked is told in the outcome, and the others go on.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from meshkit.consul.holds import Hold
from meshkit.consul.names import probe_service
from meshkit.errors import MeshkitError, UnreachableError
from meshkit.events import Note
from meshkit.federation import trial
from meshkit.federation.context import Context
from meshkit.federation.probing import sources
from meshkit.federation.probing.targets import Plan, datacenter
from meshkit.probes import expect, peers
from meshkit.probes.outcome import Outcome
from meshkit.probes.probe import Probe, Series
from meshkit.probes.summary import Summary, merged
from meshkit.probes.wanted import LOCAL

IDENTITY = "/identity"
WITHOUT = "no intentions for the time of the run, so the mesh may refuse"
GRACE_S = 15.0
"""Beyond the last probe's own deadline: starting the agent's program, and the way there and back."""

WINDOW_S = 1.0

LOOK_S = 0.25
"""How often a run looks whether it was interrupted."""

NOT_PERMITTED = "not_permitted"

OnWindows = Callable[[Sequence[Summary]], None]


@dataclass(frozen=True)
class Pace:
    """How long a run is: so many probes of each series, or for a time in seconds; without either until stopped.

    ``grace_s`` is how long beyond that a source may take before it counts as missing, None for ``GRACE_S``.
    """

    count: int | None = None
    for_s: float | None = None
    window_s: float = WINDOW_S
    grace_s: float | None = None


@dataclass
class _Collected:
    """What has come so far, from all sources' threads."""

    on_windows: OnWindows
    windows: list[Summary] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, summaries: Sequence[Summary]) -> None:
        with self.lock:
            self.windows.extend(summaries)
            self.on_windows(summaries)


def run(context: Context, plan: Plan, pace: Pace, *, on_windows: OnWindows = lambda _: None) -> Outcome:
    """Probe as planned; ``on_windows`` is called about once a window and source, from several threads in turn."""
    began = time.time()
    notes = list(plan.notes)
    with _trials(context, plan, pace, notes):
        windows, missing = collect(context, plan, pace, on_windows=on_windows)
    return outcome(
        context.federation.name,
        windows,
        expectations(plan),
        began=began,
        missing=missing,
        floors=plan.floors,
        notes=notes,
    )


def collect(
    context: Context, plan: Plan, pace: Pace, *, on_windows: OnWindows = lambda _: None
) -> tuple[Sequence[Summary], Mapping[str, str]]:
    """The windows of all sources, and why the others sent none; nothing is judged, and no intention written."""
    collected, stop = _Collected(on_windows), threading.Event()
    with ThreadPoolExecutor(max(1, len(plan.probes))) as pool:
        running = [
            pool.submit(_probe, context, plan, pace, source, probes, collected, stop)
            for source, probes in plan.probes.items()
        ]
        try:
            _until_ended(running)
        except BaseException:
            stop.set()
            raise
    return collected.windows, collected.missing


def _until_ended(running: Sequence[Future[None]]) -> None:
    """Return once all have, or at once with what one raises: a bug, since what may fail is told in the outcome.

    It looks up now and then, since a signal that another thread was given does not end a wait for a lock.
    """
    pending: set[Future[None]] = set(running)
    while pending:
        ended, pending = wait(pending, LOOK_S, FIRST_EXCEPTION)
        for future in ended:
            future.result()


def expectations(plan: Plan) -> dict[Series, tuple[str, ...]]:
    """What is wanted of each series."""
    return {probe.series: probe.expect for probes in plan.probes.values() for probe in probes}


def outcome(  # noqa: PLR0913 - the parts that an outcome is made of
    federation: str,
    windows: Sequence[Summary],
    wanted: Mapping[Series, Sequence[str]],
    *,
    began: float,
    missing: Mapping[str, str],
    floors: Mapping[tuple[str, str], float],
    notes: Sequence[str] = (),
) -> Outcome:
    """Judge what was seen: each series by what is wanted of it, agents and targets by each other."""
    summaries = merged(windows)
    verdicts = [
        verdict
        for series, texts in wanted.items()
        if series.source not in missing
        for text in texts
        for verdict in expect.judge(summaries.get(series, Summary(series, began, 0.0)), expect.parse(text))
    ]
    unwell = peers.sick(summaries.values())
    return Outcome(
        federation,
        began,
        time.time(),
        tuple(windows),
        tuple(verdicts),
        peers.judge(summaries.values(), unwell),
        unwell,
        dict(missing),
        dict(floors),
        (*notes, *_permissions(summaries.values())),
    )


def _permissions(summaries: Iterable[Summary]) -> Iterator[str]:
    """How sources get leave to send what they were not permitted to."""
    for source in sorted({summary.series.source for summary in summaries if NOT_PERMITTED in summary.reasons}):
        remedy = (
            "root may"
            if source == LOCAL
            else "probe: {agent: {netRaw: true}} below it in mesh.yaml, and meshkit federate -f, allow them"
        )
        yield f"{source} is not permitted to send such packets: {remedy}"


@contextmanager
def _trials(context: Context, plan: Plan, pace: Pace, notes: list[str]) -> Iterator[None]:
    """Intentions from probe to probe for as long as the run is, where the user's own decide nothing.

    Without the primary none can be written: the run goes on, and what is denied is seen as denied. When they can't be
    taken away, what was seen is not lost for it.
    """
    if not plan.pairs:
        yield
        return
    primary = context.federation.primary.name
    if primary in plan.away:
        notes.append(f"{WITHOUT}: {plan.away[primary]}")
        yield
        return
    longest = max(_longest_s(pace, probes) for probes in plan.probes.values())
    hold = trial.for_run(context, longest)
    try:
        pairs = trial.undecided(trial.users_entries(context.consul(primary)), plan.pairs)
    except MeshkitError as error:
        notes.append(f"{WITHOUT}: {error.message}")
        yield
        return
    try:
        trial.allow(context, pairs, hold)
    except MeshkitError as error:
        notes.append(f"{WITHOUT}: {error.message}")
    try:
        yield
    except BaseException:
        for note in _let_go(context, plan, hold):
            context.observe(Note(note))
        raise
    notes += _let_go(context, plan, hold)


def _let_go(context: Context, plan: Plan, hold: Hold) -> list[str]:
    """Take the run's intentions away; what is to be known when that fails."""
    try:
        trial.remove(context, hold.holder)
    except MeshkitError as error:
        source, destination = plan.pairs[0]
        at_once = f"meshkit intentions --remove {probe_service(source.name)} {probe_service(destination.name)}"
        left = f"the intentions of this run are left, since {error.message}"
        return [f"{left}: any run or federate after {hold.until:%F %H:%M} UTC takes them away; at once: {at_once}"]
    return []


def _probe(  # noqa: PLR0913, PLR0917 - one thread's share of a run
    context: Context,
    plan: Plan,
    pace: Pace,
    source: str,
    probes: Sequence[Probe],
    collected: _Collected,
    stop: threading.Event,
) -> None:
    try:
        request = _request(context, plan, pace, source, probes)
        until = time.monotonic() + _longest_s(pace, probes)
        lines = sources.local if source == LOCAL else sources.inside(context, datacenter(context, source))
        ended = False
        for line in lines(json.dumps(request).encode() + b"\n", until, stop.is_set):
            ended = _take(source, line, collected) or ended
        if not ended and not stop.is_set():
            raise UnreachableError(f"{source}: its agent ended before the run did")
    except MeshkitError as error:
        with collected.lock:
            collected.missing[source] = error.message.removeprefix(f"{source}: ")


def _request(context: Context, plan: Plan, pace: Pace, source: str, probes: Sequence[Probe]) -> dict[str, Any]:
    request: dict[str, Any] = {
        "probes": [probe.as_wire() for probe in probes],
        "count": pace.count,
        "for_s": pace.for_s,
        "window_s": pace.window_s,
        "samples": False,
    }
    if source != LOCAL:
        request["identity_directory"] = IDENTITY
        request["identities"] = {
            name: _identity(context, source, name) for name in sorted(plan.identities.get(source, ()))
        }
    return request


def _identity(context: Context, source: str, service: str) -> dict[str, str]:
    """A service's certificate and key, made for this run and kept nowhere."""
    consul = context.consul(source)
    leaf, roots = consul.leaf(service), consul.ca_roots()
    return {
        "cert": leaf["CertPEM"],
        "key": leaf["PrivateKeyPEM"],
        "roots": "".join(root["RootCert"] for root in roots["Roots"]),
    }


def _longest_s(pace: Pace, probes: Sequence[Probe]) -> float:
    """When a run must have ended, in seconds from its start."""
    last = max((probe.timeout_s for probe in probes), default=0.0)
    last += GRACE_S if pace.grace_s is None else pace.grace_s
    if pace.for_s is not None:
        return pace.for_s + last
    if pace.count is not None:
        return pace.count * max((probe.interval_s for probe in probes), default=0.0) + last
    return float("inf")


def _take(source: str, line: bytes, collected: _Collected) -> bool:
    """One line of an agent's answers; True for the last."""
    try:
        answer = json.loads(line)
        ended = "end" in answer
        windows = [Summary.from_wire(wire) for wire in answer.get("windows", ())]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MeshkitError(f"{source}: the agent's answer is not to be understood") from error
    if "error" in answer:
        raise MeshkitError(f"{source}: {answer['error']}")
    if windows:
        collected.add(windows)
    return ended
