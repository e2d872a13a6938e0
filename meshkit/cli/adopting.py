"""``meshkit federate --adopt``: Consul installations that exist become one federation, or it is said why not."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import typer

from meshkit.cli import console, contexts, wiring
from meshkit.cli.options import confirm, read_passphrase
from meshkit.config import consul_chart
from meshkit.config.consul_chart import Chart
from meshkit.config.problem import Problem
from meshkit.errors import CombinedError, MeshkitError, UsageError
from meshkit.federation import lock, releases, runner, settle
from meshkit.federation.adopt import compare, installation, judge, take_over
from meshkit.federation.adopt.installation import Installation
from meshkit.federation.adopt.take_over import Source
from meshkit.federation.context import Context
from meshkit.federation.state import State
from meshkit.federation.steps import preflight, trust
from meshkit.model import LIGHT_CHART, OFFICIAL_CHART, Datacenter, Federation
from meshkit.report import adopt as report
from meshkit.report import plan

FEWEST = 2


@dataclass(frozen=True)
class Options:
    """The command line's; ``name`` is the federation's, ``chart`` the keys of mesh.yaml about the chart."""

    name: str
    primary: str
    chart: Mapping[str, str]
    passphrase_file: Path | None
    timeout_s: float
    output: str
    dry_run: bool
    yes: bool


def adopt(clusters: Sequence[str], options: Options) -> None:
    """Look at all of them, show how they differ, and take them over once that is agreed to."""
    named = [contexts.whole(cluster.rpartition("=")[2]) for cluster in clusters]
    if len(named) < FEWEST or len(set(named)) < len(named):
        raise UsageError("--adopt takes two contexts or more, each once", hint="meshkit federate --adopt aks eks")
    source = _chart(options.chart)
    state = State(options.name, read_passphrase(options.passphrase_file, os.environ))
    found = _look(named, state, options)
    identity = state.identity()
    begun = identity.federation if identity and take_over.is_begun(identity.federation, found) else None
    leader = take_over.primary_of(found, options.primary, begun)
    problems = tuple(judge.problems(found, leader, identity.id if identity and begun else ""))
    if problems:
        _refuse(named, found, problems, options)
    take_over.refuse_other(state, found)
    described = take_over.describe(found, options.name, leader, source)
    federation = begun or described
    with console.narrator() as observe, wiring.connect(federation, state, observe, options.timeout_s) as opened:
        context = settle.settled(opened)
        preflight.examine(context, expected=True)
        _show(named, found, federation, options)
        if options.dry_run:
            return
        confirm(f"make these {len(found)} installations federation {options.name}?", yes=options.yes)
        _take_over(context, found, options)


def _chart(given: Mapping[str, str]) -> Source:
    """Where the official chart comes from, and in which version; empty for its repository and that of the clusters."""
    problem = next(consul_chart.problems(given, Path.cwd()), None)
    found = Chart() if problem else consul_chart.chosen(given, Path.cwd())
    if found.kind == LIGHT_CHART:
        problem = Problem(("chart",), "only the official chart's installations can be adopted", "leave out --chart")
    if problem:
        raise UsageError(problem.text, hint=problem.hint)
    return Source(found.path, found.version, given["chartRepo"])


def _look(named: Sequence[str], state: State, options: Options) -> tuple[Installation, ...]:
    """Every cluster's installation; datacenters have the contexts' names as long as no other is known."""
    looked_at = Federation(
        options.name,
        tuple(Datacenter(context, context, primary=place == 0) for place, context in enumerate(named)),
        OFFICIAL_CHART,
    )
    with console.narrator() as observe, wiring.connect(looked_at, state, observe, options.timeout_s) as context:
        found = context.each(lambda dc: installation.find(context.kube[dc.name], context.helm(dc.name)))
    return tuple(found[name] for name in named)


def _take_over(context: Context, found: Sequence[Installation], options: Options) -> None:
    """State and markers first, then the steps of every federation."""
    with lock.held(context.state, context.state.identity()):
        take_over.fill(context.state, found, context.federation)
        trust.mark(context)
        results = runner.run(context)
    addresses = releases.addresses(context) or {}
    if options.output == "json":
        console.print_json(plan.result_as_json(context.federation, results, addresses))
    else:
        typer.echo(plan.result_as_text(context.federation, results, addresses))


def _refuse(
    named: Sequence[str], found: Sequence[Installation], problems: tuple[MeshkitError, ...], options: Options
) -> NoReturn:
    """The differences, and every reason."""
    if options.output == "json":
        console.print_json(report.as_json(named, compare.rows(found), problems, ()))
    else:
        typer.echo(_table(named, found), err=not options.dry_run)
    raise CombinedError("these can't become one federation; nothing was changed", problems)


def _show(named: Sequence[str], found: Sequence[Installation], federation: Federation, options: Options) -> None:
    """The table and what follows: the data of a dry run, else what comes before the question."""
    consequences = take_over.consequences(found, federation)
    if options.output == "json" and options.dry_run:
        console.print_json(report.as_json(named, compare.rows(found), (), consequences))
        return
    for text in (_table(named, found), *report.as_text(federation, consequences)):
        typer.echo(text, err=not options.dry_run)


def _table(named: Sequence[str], found: Sequence[Installation]) -> str:
    return console.table(*report.as_table(named, compare.rows(found)))
