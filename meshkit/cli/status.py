"""``meshkit status``: the federation as it stands."""

from __future__ import annotations

import typer

from meshkit.cli import console
from meshkit.cli.options import Clusters, FederationName, Namespace, Output

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def status(
    clusters: Clusters = None,
    *,
    federation: FederationName = "",
    namespace: Namespace = "",
    output: Output = "table",
) -> None:
    """Show datacenters, servers, gateways, certificates, drift and the links between datacenters.

    Exit code 1 when something is not healthy; meshkit check then says what to do.

    \b
    Examples:
      meshkit status
      meshkit status --output json | jq .healthy
      meshkit status aks eks        (on a machine that did not make the federation)
    """
    from meshkit.checks.observe import observe
    from meshkit.cli import known
    from meshkit.federation.drift import drift
    from meshkit.report import status as report

    with known.opened(federation, clusters or (), namespace) as context:
        seen = observe(context, lambda dc: drift(context, dc))
    if output == "json":
        console.print_json(report.as_json(seen))
    else:
        for table in report.as_tables(seen):
            console.print_table(*table)
        for line in report.remarks(seen):
            typer.echo(line)
    if not seen.healthy:
        raise typer.Exit(1)
