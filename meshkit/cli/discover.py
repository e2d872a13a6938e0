"""``meshkit discover``: the clusters that this machine knows, and which of them can join."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from meshkit.cli import console
from meshkit.cli.options import Output, Tags
from meshkit.errors import UsageError
from meshkit.model import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from meshkit.model import Candidate

app = typer.Typer(add_completion=False, rich_markup_mode=None)
TIMEOUT_S = 20.0


@app.command()
def discover(
    *,
    tag: Tags = None,
    namespace: Annotated[str, typer.Option(help="Namespace in which federations are looked for; consul.")] = "",
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="Longest wait for a cluster.")] = TIMEOUT_S,
    output: Output = "table",
) -> None:
    """List the contexts of all kubeconfigs with cloud, region and version, and whether they can join a federation.

    All clusters are asked at the same time; one that does not answer is one line. Nothing is changed, and nobody is
    asked to log in.

    Tags are labels: those that all nodes of a cluster have, those of its namespace kube-system, and cloud and region.
    Clusters that nobody may label get theirs in ~/.config/meshkit/tags.yaml, one line per context:
    "prod-eu: {env: prod}".

    \b
    Examples:
      meshkit discover
      meshkit discover --tag env=prod --tag region=eu-west-1
      meshkit discover --output json | jq -r '.[] | select(.can_join).context'
      kubectl label namespace kube-system env=prod       (a tag for everybody)
      KUBECONFIG=~/.kube/aks:~/.kube/eks meshkit discover
    """
    from meshkit.federation import inventory
    from meshkit.report import inventory as report

    found = inventory.each_once(taken(tag or (), namespace or DEFAULT_NAMESPACE, timeout))
    if output == "json":
        console.print_json(report.as_json(found))
        return
    console.print_table(*report.as_table(found))
    for line in report.remarks(found):
        typer.echo(line)


def taken(selectors: Sequence[str], namespace: str, timeout_s: float, chart: str = "") -> tuple[Candidate, ...]:
    """The clusters with these tags, or all; those that did not answer are among them, since nobody knows theirs.

    ``chart`` is the kind that is to be installed, empty where each cluster's platform decides.
    """
    from meshkit.backends.clock import SystemClock
    from meshkit.backends.kubeconfig_entries import entries
    from meshkit.cli import wiring
    from meshkit.cli.contexts import platform
    from meshkit.config import tags
    from meshkit.events import Progress
    from meshkit.federation.inventory import Inventory
    from meshkit.model import Candidate

    wanted, own, listed = tags.wanted(selectors), tags.load(), entries()
    if not listed:
        raise UsageError("there is no context in the kubeconfigs", hint="set KUBECONFIG to files that kubectl can use")
    bare = [Candidate(e.name, e.file, e.server, platform(e), tags=own.get(e.name, {})) for e in listed]
    inventory = Inventory(wiring.open_unasked, SystemClock(), namespace, own, timeout_s, chart)
    with console.narrator() as observe:
        observe(Progress("discover", f"asking {len(bare)} clusters"))
        found = inventory.take(bare)
    return tuple(each for each in found if tags.fits(each.tags, wanted) or (each.error and wanted))
