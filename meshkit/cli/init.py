"""``meshkit init``: a mesh.yaml to start from, on standard output."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def init(
    clusters: Annotated[
        list[str],
        typer.Argument(
            metavar="CLUSTER...",
            help="CONTEXT or NAME=CONTEXT, or a part that fits one context alone; the first becomes primary.",
        ),
    ],
) -> None:
    """Print a commented mesh.yaml for these clusters.

    Nothing is contacted and nothing is written: the text goes to standard output, ready for `meshkit federate -f`.

    Example: meshkit init aks prod=arn:aws:eks:eu-west-1:1234:cluster/prod > mesh.yaml
    """
    from meshkit import config
    from meshkit.cli import contexts

    typer.echo(config.template(contexts.expanded(clusters)), nl=False)
