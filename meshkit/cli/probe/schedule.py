"""``meshkit probe schedule``: probes that go on by themselves, in every cluster of the federation."""

from __future__ import annotations

from typing import Annotated

import typer

from meshkit.cli import console
from meshkit.cli.options import Contexts, FederationName, Namespace, Output, Yes, confirm
from meshkit.errors import UsageError

app = typer.Typer(name="schedule", invoke_without_command=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def schedule(  # noqa: PLR0913 - one parameter per option
    call: typer.Context,
    *,
    file: Annotated[
        str,
        typer.Option("--file", "-f", metavar="FILE", help="A probes.yaml; - for stdin. Else the ladder, every 10s."),
    ] = "",
    yes: Yes = False,
    federation: FederationName = "",
    context: Contexts = None,
    namespace: Namespace = "",
) -> None:
    """Let the agents in all clusters probe on a schedule; it takes the place of the one before.

    Below 5 minutes the agents' own loop makes the probes, from 5 minutes on CronJobs do. Results stay in the clusters:
    meshkit probe results. What will be done is shown first.

    \b
    Examples:
      meshkit probe schedule                     (the ladder between all datacenters, every 10 s)
      meshkit probe schedule -f probes.yaml --yes
      meshkit probe schedule list

    \b
    A probes.yaml:
      probes:
        - name: clouds
          ladder: all                # or some of: [network, gateway, rpc, mesh]
          from: [aks]                # every datacenter when left out; so for to
          to: [eks]
          every: 10s
          timeout: 3s
          expect: p99<120ms, loss<0.1%
        - name: backend
          service: backend
          expect: reachable
        - name: database
          tcp: {host: db.internal.example, port: 5432}
          from: [eks]
          every: 5m
    """
    if call.invoked_subcommand:
        if file or yes or federation or context or namespace:
            raise UsageError("options of a command stand after its name", hint="meshkit probe schedule list --help")
        return
    from meshkit.cli import known
    from meshkit.cli.probe import plan
    from meshkit.config import probes
    from meshkit.federation.probing import schedules

    found, held = known.find(federation, context or (), namespace)
    names = [dc.name for dc in found.datacenters]
    wanted = probes.load(file, names) if file else (probes.DEFAULT,)
    console.say(console.table(plan.COLUMNS, plan.rows(wanted)))
    console.say(plan.load(wanted, names))
    confirm(f"schedule this in {', '.join(names)}?", yes=yes)
    with known.connected(found, held) as opened:
        schedules.deploy(opened, wanted)
    entries = "1 entry is" if len(wanted) == 1 else f"{len(wanted)} entries are"
    typer.echo(f"{entries} scheduled in {', '.join(names)}; next: meshkit probe results")


@app.command(name="list")
def list_(
    *,
    output: Output = "table",
    federation: FederationName = "",
    context: Contexts = None,
    namespace: Namespace = "",
) -> None:
    """Show what is scheduled, and where that differs from one cluster to another.

    \b
    Examples:
      meshkit probe schedule list
      meshkit probe schedule list --output json
    """
    from meshkit.cli import known
    from meshkit.cli.probe import plan
    from meshkit.federation.probing import schedules

    with known.opened(federation, context or (), namespace) as opened:
        found = schedules.installed(opened)
        missing = [dc.name for dc in opened.federation.datacenters if dc.name not in found]
    if output == "json":
        console.print_json({name: plan.as_json(one.wanted) for name, one in found.items()})
        return
    if not found:
        typer.echo("nothing is scheduled; next: meshkit probe schedule")
        return
    merged = plan.merged({name: one.wanted for name, one in found.items()})
    console.print_table((*plan.COLUMNS, "in"), [(*row, place) for row, place in merged])
    if missing:
        typer.echo(f"no schedule is in, or can be read from, {', '.join(missing)}")
