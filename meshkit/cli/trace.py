"""``meshkit trace``: which hop of a path is broken, and what to do."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from meshkit.cli import completion, console
from meshkit.cli.options import Contexts, FederationName, Namespace
from meshkit.errors import UsageError

if TYPE_CHECKING:
    from meshkit.trace.diagnosis import Diagnosis

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def trace(  # noqa: PLR0913 - one parameter per option
    source: Annotated[
        str,
        typer.Argument(metavar="[SRC]", help="DATACENTER/SERVICE that connects.", autocompletion=completion.parties),
    ] = "",
    destination: Annotated[
        str,
        typer.Argument(metavar="[DST]", help="DATACENTER/SERVICE connected to.", autocompletion=completion.parties),
    ] = "",
    *,
    path: Annotated[str, typer.Option(metavar="PATH", help="Path of the tagged request.")] = "/",
    by_name: Annotated[
        bool, typer.Option("--by-name", help="The source asks DNS for the destination: that must work too.")
    ] = False,
    explain: Annotated[
        str,
        typer.Option(metavar="CODE", help="Print the page of a cause and end.", autocompletion=completion.causes),
    ] = "",
    contexts: Contexts = None,
    federation: FederationName = "",
    namespace: Namespace = "",
    output: Annotated[
        Literal["table", "json", "html"], typer.Option("--output", "-o", help="Form of what is printed.")
    ] = "table",
) -> None:
    """Name the first broken hop between two services, the evidence and the remedy. Nothing is changed.

    One request, tagged meshkit-trace-..., goes from the source's pod through the mesh to the destination. All
    clusters, proxies and gateways are looked at meanwhile; what can't be seen is told.

    Exit code 1 when the path is broken or the reason of that is not known; what only harms it does not count.

    \b
    Examples:
      meshkit trace eks/frontend aks/backend
      meshkit trace eks/frontend aks/backend --path /healthz --output html > trace.html
      meshkit trace --explain intention_deny
    """
    if explain:
        typer.echo(_page(explain))
        return
    if not source or not destination:
        raise UsageError("a trace goes from one service to another", hint="meshkit trace eks/frontend aks/backend")
    if not path.startswith("/") or any(not c.isprintable() or c == " " for c in path):
        raise UsageError(f"{path!r} is not the path of a request", hint="such as /healthz")
    from meshkit.cli import known
    from meshkit.federation.tracing import route
    from meshkit.federation.tracing.gather import Trace
    from meshkit.trace.diagnosis import diagnose

    for text in (source, destination):
        route.written(text)  # before any cluster is asked
    found, held = known.find(federation, contexts or (), namespace, partial=True)
    way = route.parse(found, source, destination)
    with known.connected(found, held) as context:
        diagnosis = diagnose(Trace(context, way, path, by_name)())
    _print(diagnosis, output)
    if diagnosis.verdict in ("broken", "unknown"):
        raise typer.Exit(1)


def _page(code: str) -> str:
    from meshkit.trace import causes, pages

    cause = causes.by_code(code)
    if cause is None:
        codes = [known.code for known in causes.CATALOGUE]
        near = difflib.get_close_matches(code, codes, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(codes))}"
        raise UsageError(f"no cause is called {code}", hint=hint)
    return pages.page(cause)


def _print(diagnosis: Diagnosis, output: str) -> None:
    from meshkit.report.trace import document, page, text

    if output == "json":
        console.print_json(document.as_json(diagnosis))
    elif output == "html":
        typer.echo(page.as_html(diagnosis))
    else:
        typer.echo(text.as_text(diagnosis))
