"""``meshkit check``: judge the federation by the catalogue."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from meshkit.cli import console
from meshkit.cli.options import Clusters, FederationName, Namespace

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def check(
    clusters: Clusters = None,
    *,
    federation: FederationName = "",
    namespace: Namespace = "",
    output: Annotated[
        Literal["table", "json", "junit"], typer.Option("--output", "-o", help="Form of what is printed.")
    ] = "table",
) -> None:
    """Judge the federation by a catalogue of checks, each with a hint. Nothing is changed.

    Exit code 1 when a check fails or could not be made; warnings do not count.

    \b
    Examples:
      meshkit check
      meshkit check --output junit > checks.xml
    """
    from meshkit.checks import check as checks
    from meshkit.checks.catalogue import CATALOGUE
    from meshkit.checks.observe import observe
    from meshkit.cli import known
    from meshkit.federation.drift import drift
    from meshkit.report import checks as report

    with known.opened(federation, clusters or (), namespace) as context:
        results = checks.run(observe(context, lambda dc: drift(context, dc)), CATALOGUE)
    if output == "json":
        console.print_json(report.as_json(results))
    elif output == "junit":
        typer.echo(report.as_junit(results))
    else:
        typer.echo(report.as_text(results))
    if any(result.verdict in ("fail", "skip") for result in results):
        raise typer.Exit(1)
