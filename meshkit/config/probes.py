"""probes.yaml, and what a command line asks for, to what is wanted: through one form and one set of rules.

The rules know the federation's datacenters, so that an unknown one is found here, with its line, and so that the whole
schedule can be held against what an agent and its ConfigMap bear.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from meshkit.config import file, probe_budget, probe_schema
from meshkit.config.duration import shown as shown_time
from meshkit.config.forms import shown, unknown
from meshkit.config.probe_schema import KINDS, MECHANISMS
from meshkit.config.problem import Problem, Where, as_error
from meshkit.probes import mechanisms
from meshkit.probes.ladder import RUNGS
from meshkit.probes.probe import DEFAULT_TIMEOUT_S
from meshkit.probes.reasons import one_line
from meshkit.probes.wanted import LADDER, LOCAL, SERVICE, Wanted

DEFAULT = Wanted(LADDER)
"""What is scheduled without a file: the whole ladder between all datacenters every 10 s."""

AGENT_LIMIT_S = 300.0
"""From here on a CronJob makes the probes, below it the agent's own loop."""

SHORTEST_PATH_S = 30.0

_MINUTE_S, _MINUTES_OF_AN_HOUR, _HOURS_OF_A_DAY = 60, 60, 24
WITHOUT_CERTIFICATE = frozenset({"tcp", "udp", "icmp", "path", "dns"})
_EXAMPLE = "meshkit probe schedule --help has an example"


def load(path: Path | str, datacenters: Sequence[str]) -> tuple[Wanted, ...]:
    """What a probes.yaml asks for, ``-`` for standard input; UsageError names file, line and key."""
    name, read = file.read(path, _EXAMPLE)
    wanted, problems = _checked(read.data, datacenters, lasting=True)
    problems = [*read.problems, *problems]
    if problems:
        raise as_error(name, sorted(problems, key=read.line), lambda p: file.shown(name, read, p), _EXAMPLE)
    return wanted


def from_arguments(
    entry: Mapping[str, Any], datacenters: Sequence[str], every_s: float, timeout_s: float, hint: str
) -> Wanted:
    """One entry that options describe, by the same rules, to be run now: at any pace, and from ``local`` too."""
    wanted, problems = _checked({"probes": [dict(entry)]}, datacenters, lasting=False)
    if not problems:
        wanted = (replace(wanted[0], every_s=every_s, timeout_s=timeout_s),)
        problems += probe_budget.problems(wanted, datacenters)
    if problems:
        raise as_error("arguments", problems, _shown_as_option, hint)
    return wanted[0]


def _checked(data: Any, datacenters: Sequence[str], *, lasting: bool) -> tuple[tuple[Wanted, ...], list[Problem]]:
    form, problems = probe_schema.parse(data)
    problems += _rules(data, datacenters, lasting=lasting)
    if problems:
        return (), problems
    wanted: list[Wanted] = []
    for place, entry in enumerate(form.probes):
        where = ("probes", str(place))
        try:
            wanted.append(_wanted(entry))
        except (ValueError, TypeError) as error:
            kind = next(name for name in MECHANISMS if name in entry.model_fields_set)
            problems.append(Problem((*where, kind), one_line(str(error))))
        else:
            problems += _wanted_rules(wanted[-1], where, lasting=lasting)
    if lasting and not problems:
        problems += probe_budget.problems(wanted, datacenters)
    return tuple(wanted), problems


def _rules(data: Any, datacenters: Sequence[str], *, lasting: bool) -> Iterator[Problem]:
    """What a form alone does not decide. ``data`` may be of any shape."""
    entries = data.get("probes") if isinstance(data, Mapping) else None
    names: dict[str, int] = {}
    for place, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, Mapping):
            continue
        where = ("probes", str(place))
        yield from _kind_rules(entry, where, lasting=lasting)
        name = entry.get("name")
        if isinstance(name, str):
            if name in names:
                yield Problem((*where, "name"), f"entry {names[name]} has this name already")
            names.setdefault(name, place)
            if name in RUNGS and LADDER not in entry:
                yield Problem((*where, "name"), f"{name} is a rung of the ladder", f"for example {name}-of-mine")
        for key in ("from", "to"):
            yield from _place_rules(entry.get(key), (*where, key), datacenters, lasting=lasting)


def _kind_rules(entry: Mapping[str, Any], where: Where, *, lasting: bool) -> Iterator[Problem]:
    """One thing to probe, and ``as`` only where it can be."""
    kinds = [kind for kind in KINDS if kind in entry]
    if not kinds:
        yield Problem(where, f"it does not say what to probe: one of {', '.join(KINDS)}")
    elif len(kinds) > 1:
        yield Problem((*where, kinds[1]), f"it has {kinds[0]} already, and an entry probes one thing")
    if "as" in entry and SERVICE not in entry:
        yield Problem((*where, "as"), "only the probe of a service is made as another service")
    elif "as" in entry and lasting:
        text = "an agent keeps no certificate of another service"
        yield Problem((*where, "as"), text, "leave it out, or once: meshkit probe run aks/frontend eks/backend")


def _place_rules(given: Any, where: Where, datacenters: Sequence[str], *, lasting: bool) -> Iterator[Problem]:
    for name in given if isinstance(given, list) else [given]:
        if not isinstance(name, str) or name in datacenters:
            continue
        if name == LOCAL and where[-1] == "from":
            if lasting:
                text = "local is not allowed on a schedule, which runs in the clusters"
                yield Problem(where, text, "once, from this machine: meshkit probe run --from local")
        else:
            yield Problem(where, f"{shown(name)}: {unknown(name, datacenters, 'datacenter')}")


def _wanted(entry: Any) -> Wanted:
    """The form as what is wanted; ValueError when the mechanism does not take these values together."""
    given = entry.model_fields_set
    kind = next(kind for kind in KINDS if kind in given)
    target: dict[str, Any] = {}
    if kind == SERVICE:
        target = {"service": entry.service} | ({"as": entry.as_} if entry.as_ else {})
    elif kind != LADDER:
        below = getattr(entry, kind)
        target = {name: getattr(below, name) for name in type(below).model_fields if name in below.model_fields_set}
        made = {name: tuple(value) if isinstance(value, list) else value for name, value in target.items()}
        mechanisms.kind(kind)(**made)
    return Wanted(
        name=entry.name,
        kind=kind,
        sources=tuple(entry.from_),
        destinations=tuple(entry.to),
        rungs=tuple(rung for rung in RUNGS if rung in entry.ladder) if kind == LADDER else tuple(RUNGS),
        target=target,
        every_s=entry.every,
        timeout_s=entry.timeout,
        expect=entry.expect,
    )


def _wanted_rules(wanted: Wanted, where: Where, *, lasting: bool) -> Iterator[Problem]:
    """What two keys of an entry decide together."""
    if wanted.kind != "dns" and any(text.startswith("resolves") for text in wanted.expect):
        yield Problem((*where, "expect"), "only a dns probe resolves to something")
    if wanted.kind in WITHOUT_CERTIFICATE and any(text.startswith("certificate") for text in wanted.expect):
        yield Problem((*where, "expect"), f"a {wanted.kind} probe sees no certificate")
    if wanted.kind in MECHANISMS and len(wanted.destinations) > 1:
        yield Problem((*where, "to"), "a target is in one place, and to is its label", "name one datacenter, or none")
    if wanted.kind == LADDER and len(wanted.sources) == 1 and wanted.sources == wanted.destinations:
        yield Problem((*where, "to"), "the ladder needs two datacenters", "leave out from or to for all the others")
    if lasting:
        yield from _time_rules(wanted, where)


def _time_rules(wanted: Wanted, where: Where) -> Iterator[Problem]:
    longest_s = max(wanted.every_s, DEFAULT_TIMEOUT_S)
    if wanted.timeout_s > longest_s:
        text = f"longer than from one probe to the next, expected {shown_time(longest_s)} at most"
        yield Problem((*where, "timeout"), text)
    if wanted.kind == "path" and wanted.every_s < SHORTEST_PATH_S:
        text = f"a trace sends dozens of packets, expected {shown_time(SHORTEST_PATH_S)} at least"
        yield Problem((*where, "every"), text, "routers answer only so many a second")
    if wanted.every_s >= AGENT_LIMIT_S and not _fits_cron(wanted.every_s):
        text = f"from {shown_time(AGENT_LIMIT_S)} on it is a CronJob, which needs a time that divides an hour or a day"
        yield Problem((*where, "every"), text, "5m, 10m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h or 24h")


def _fits_cron(every_s: float) -> bool:
    minutes = every_s / _MINUTE_S
    if minutes < _MINUTES_OF_AN_HOUR:
        return _MINUTES_OF_AN_HOUR % minutes == 0
    return _HOURS_OF_A_DAY % (minutes / _MINUTES_OF_AN_HOUR) == 0


def _shown_as_option(problem: Problem) -> str:
    """A place below an entry as the option that gave it."""
    inner = problem.where[2:]
    if not inner:
        return problem.text
    option = f"--target {inner[1]}" if len(inner) > 1 else f"--{inner[0]}"
    return f"{option}: {problem.text}"
