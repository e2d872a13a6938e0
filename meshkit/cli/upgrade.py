"""``meshkit upgrade``: another version of Consul, one datacenter after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshkit.cli import console
from meshkit.cli.options import FederationName, Output, Yes, confirm
from meshkit.errors import UsageError

if TYPE_CHECKING:
    from meshkit.federation.context import Context
    from meshkit.federation.upgrade.target import Target

app = typer.Typer(add_completion=False, rich_markup_mode=None)
TIMEOUT_S = 600.0


@app.command()
def upgrade(  # noqa: PLR0913 - one parameter per option
    *,
    consul_version: Annotated[str, typer.Option(metavar="VERSION", help="Consul's version, such as 1.22.7.")] = "",
    chart_version: Annotated[
        str, typer.Option(metavar="VERSION", help="Version of the official chart; else the newest that installs it.")
    ] = "",
    chart: Annotated[
        str, typer.Option(metavar="PATH", help="Folder or .tgz of the official chart, if it comes from no repository.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the way of each datacenter; write nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also when the federation is unwell, to mend it: proven only at the end.")
    ] = False,
    yes: Yes = False,
    federation: FederationName = "",
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=1, help="Longest wait for one condition.")] = (
        TIMEOUT_S
    ),
    output: Output = "table",
) -> None:
    """Bring Consul to another version: the primary first, and the next datacenter only when all is well.

    After each datacenter its servers, the WAN and a request both ways through the mesh are tried. The first that is
    unwell ends the upgrade, with the way back. Run again it goes on where it was. What Consul does not support is
    refused: more than two release series at once, and any series back.

    \b
    Examples:
      meshkit upgrade --consul-version 1.22.8 --dry-run
      meshkit upgrade --consul-version 1.22.8
      meshkit upgrade --chart-version 2.0.3 --yes
      meshkit upgrade --chart ./consul-1.9.12.tgz
    """
    from meshkit.cli import known
    from meshkit.federation import lock
    from meshkit.federation.upgrade import plan, roll
    from meshkit.report import upgrade as report

    with known.opened(federation, (), timeout_s=timeout) as context:
        shown = context.state.identity()
        target = _target(context, consul_version, chart_version, chart)
        moves = plan.plan(context, target)
        if not dry_run:
            if not all(move.is_there for move in moves):
                for line in report.as_text(context.federation, moves):
                    console.say(line)
                confirm(f"bring federation {context.federation.name} to Consul {target.consul}?", yes=yes)
            with lock.held(context.state, shown):
                if not force:
                    roll.prove_beforehand(context)
                roll.roll(context, moves, mending=force)
    if output == "json":
        console.print_json(report.as_json(context.federation, moves, done=not dry_run))
    elif dry_run:
        typer.echo("\n".join(report.as_text(context.federation, moves)))
    else:
        typer.echo(f"federation {context.federation.name} is at Consul {target.consul}")


def _target(context: Context, consul: str, version: str, path: str) -> Target:
    """The options' target; a chart from a path says its version itself."""
    from meshkit.config import consul_chart
    from meshkit.federation.upgrade import target

    federation = context.federation
    if not path:
        return target.resolve(context, consul, version, "")
    try:
        found = consul_chart.at(path, Path.cwd())
    except consul_chart.UnusableError as error:
        raise UsageError(f"--chart: {error}", hint="helm pull gets a chart as an archive") from error
    if version and version != found.version:
        raise UsageError(f"{path} has the version {found.version}, not {version}", hint="leave out --chart-version")
    if found.kind != federation.chart:
        raise UsageError(
            f"{path} is another kind of chart than the federation's, {federation.chart}",
            hint="another kind of chart needs meshkit destroy and a new federation",
        )
    return target.resolve(context, consul, found.version if federation.official else "", found.path)
