"""``meshkit federate --adopt``: Consul installations that exist become one federation, or it is said why not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from meshkit.cli import console, contexts, wiring
from meshkit.cli.options import confirm, read_passphrase
from meshkit.errors import CombinedError, UsageError
from meshkit.federation import lock, releases, runner, settle
from meshkit.federation.adopt import compare, installation, judge, take_over
from meshkit.federation.adopt.installation import Installation
from meshkit.federation.state import State
from meshkit.model import OFFICIAL_CHART, Datacenter, Federation
from meshkit.report import adopt as report
from meshkit.report import plan

FEWEST = 2


@dataclass(frozen=True)
class Options:
    """The command line's; ``name`` is the federation's."""

    name: str
    primary: str
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
    state = State(options.name, read_passphrase(options.passphrase_file, os.environ))
    found = _look(named, state, options)
    leader = take_over.primary_of(found, options.primary)
    identity = state.identity()
    problems = list(judge.problems(found, leader, identity.id if identity else ""))
    if not problems:
        take_over.refuse_other(state, found)
    federation = take_over.describe(found, options.name, leader)
    consequences = [] if problems else take_over.consequences(found, federation)
    if options.output == "json" and (options.dry_run or problems):
        console.print_json(report.as_json(named, compare.rows(found), problems, consequences))
    else:
        _show(named, found, federation, consequences, to_stdout=options.dry_run)
    if problems:
        raise CombinedError("these can't become one federation; nothing was changed", tuple(problems))
    if not options.dry_run:
        confirm(f"make these {len(found)} installations federation {options.name}?", yes=options.yes)
        _take_over(found, federation, state, options)


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


def _take_over(found: Sequence[Installation], federation: Federation, state: State, options: Options) -> None:
    """State and markers first, then the steps of every federation."""
    shown = state.identity()
    with (
        console.narrator() as observe,
        wiring.connect(federation, state, observe, options.timeout_s) as opened,
        lock.held(state, shown),
    ):
        context = settle.settled(opened)
        take_over.fill(state, found, context.federation)
        take_over.mark(context)
        results = runner.run(context)
        addresses = releases.addresses(context) or {}
    if options.output == "json":
        console.print_json(plan.result_as_json(context.federation, results, addresses))
    else:
        typer.echo(plan.result_as_text(context.federation, results, addresses))


def _show(
    named: Sequence[str],
    found: Sequence[Installation],
    federation: Federation,
    consequences: Sequence[str],
    *,
    to_stdout: bool,
) -> None:
    """The table and what follows: the data of a dry run, else what comes before the question."""
    say = partial(typer.echo, err=not to_stdout)
    say(console.table(*report.as_table(named, compare.rows(found))))
    for line in report.as_text(federation, consequences) if consequences else ():
        say(line)
