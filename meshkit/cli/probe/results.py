"""``meshkit probe results``: what the schedule's probes have seen, from all clusters."""

from __future__ import annotations

from typing import Annotated

import typer

from meshkit.cli.options import Contexts, FederationName, Namespace
from meshkit.cli.probe.options import Expect, File, Output

SHORTEST_S, LONGEST_S = 60.0, 366 * 86400.0


def results(  # noqa: PLR0913 - one parameter per option
    *,
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back, as 30m, 24h or 7d.")] = "24h",
    expect: Expect = None,
    output: Output = "table",
    file: File = None,
    federation: FederationName = "",
    context: Contexts = None,
    namespace: Namespace = "",
) -> None:
    """Collect what scheduled probes have seen from all clusters. Nothing is changed.

    Exit code 1 when an expectation does not hold or a datacenter can not be asked; its results are there still, and
    nothing of them is lost while it is cut off.

    \b
    Examples:
      meshkit probe results
      meshkit probe results --since 7d --output html --file week.html
      meshkit probe results --since 1h --expect 'p99<120ms, loss<0.1%' --output junit
    """
    from meshkit.cli import known
    from meshkit.cli.probe import output as outputs
    from meshkit.config import duration
    from meshkit.federation.probing import results as collected

    since_s = duration.option("--since", since, SHORTEST_S, LONGEST_S)
    wanted = outputs.conditions(expect or ())
    outputs.check_file(file)
    with known.opened(federation, context or (), namespace) as opened:
        outcome = collected.collect(opened, since_s)
    outputs.show(outputs.judged(outcome, wanted), output, file, ladder=True)
