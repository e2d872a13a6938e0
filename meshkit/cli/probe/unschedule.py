"""``meshkit probe unschedule``: no more probes by themselves."""

from __future__ import annotations

import typer

from meshkit.cli.options import Contexts, FederationName, Namespace, Yes, confirm


def unschedule(
    *,
    yes: Yes = False,
    federation: FederationName = "",
    context: Contexts = None,
    namespace: Namespace = "",
) -> None:
    """End the schedule in all clusters, and take away the intentions that it needed. Results stay.

    \b
    Example:
      meshkit probe unschedule
    """
    from meshkit.cli import known
    from meshkit.federation.probing import schedules

    found, held = known.find(federation, context or (), namespace)
    confirm(f"end the schedule in {', '.join(dc.name for dc in found.datacenters)}?", yes=yes)
    with known.connected(found, held) as opened:
        removed = schedules.remove(opened)
    typer.echo("nothing is scheduled any more" if removed else "nothing was scheduled")
