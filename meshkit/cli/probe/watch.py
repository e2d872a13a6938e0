"""``meshkit probe watch``: how the links are doing right now, until q or Ctrl-C."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import Annotated

import typer

from meshkit.cli.options import Contexts, FederationName, Namespace
from meshkit.cli.probe.options import From, Rate, Timeout, To
from meshkit.cli.probe.run import Destination, Mechanism, Rungs, Source, Target


def watch(  # noqa: PLR0913 - one parameter per option
    source: Source = "",
    destination: Destination = "",
    *,
    from_: From = None,
    to: To = None,
    mechanism: Mechanism = "",
    target: Target = None,
    rung: Rungs = None,
    interval: Annotated[str, typer.Option(metavar="TIME", help="From one probe to the next, as 200ms or 1s; 1s.")] = "",
    rate: Rate = None,
    timeout: Timeout = "",
    federation: FederationName = "",
    context: Contexts = None,
    namespace: Namespace = "",
) -> None:
    """Probe until q or Ctrl-C, and show pairs, how they have been lately, and what failed last.

    On a terminal it is one view that is drawn anew; in a log it is one line per series and second.

    \b
    Examples:
      meshkit probe watch
      meshkit probe watch aks eks --rung network --interval 100ms
      meshkit probe watch aks eks/backend
    """
    from meshkit.cli import known
    from meshkit.cli.probe import request, screen
    from meshkit.events import ignore
    from meshkit.federation.probing import runs, targets
    from meshkit.probes.outcome import Outcome

    timing = request.pace(None, interval or ("" if rate else "1s"), "", rate, timeout, mechanism=mechanism)
    words = request.Words(source, destination, from_ or (), to or (), mechanism, rung or (), target or ())
    found, held = known.find(federation, context or (), namespace)
    wanted = request.wanted(words, [dc.name for dc in found.datacenters], timing)
    now = time.time()
    with (
        suppress(KeyboardInterrupt),
        known.connected(found, held) as opened,
        screen.quit_key(),
        screen.showing(Outcome(found.name, now, now, ())) as show,
    ):
        quietly = replace(opened, observe=ignore)  # narration would write across the view
        runs.run(quietly, targets.resolve(quietly, (wanted,)), runs.Pace(), on_windows=show)
