"""``meshkit doctor``: everything in the federation that would break some path, worst first."""

from __future__ import annotations

import typer

from meshkit.cli import console
from meshkit.cli.options import Clusters, FederationName, Namespace, Output

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def doctor(
    clusters: Clusters = None,
    *,
    federation: FederationName = "",
    namespace: Namespace = "",
    output: Output = "table",
) -> None:
    """Find everything that would break some path, worst first. Nothing is changed.

    Traces every pair of datacenters between their probes, judges each service by its entries in the catalog, and makes
    all the checks of meshkit check. Exit code 1 when something breaks a path.

    \b
    Examples:
      meshkit doctor
      meshkit doctor --output json
    """
    from meshkit.cli import known
    from meshkit.federation.tracing.doctor import examine
    from meshkit.report.trace import examination

    with known.opened(federation, clusters or (), namespace, partial=True) as context:
        found = examine(context)
    if output == "json":
        console.print_json(examination.as_json(found))
    else:
        typer.echo(examination.as_text(found))
    if not found.well:
        raise typer.Exit(1)
