"""``meshkit federate``: bring the federation about, or show what that would change."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshkit.cli import console
from meshkit.cli.options import (
    Chart,
    ChartRepo,
    ChartVersion,
    File,
    Gateways,
    GatewaySourceRange,
    ImageRegistry,
    InternalGateways,
    NewFederation,
    NewNamespace,
    Output,
    PassphraseFile,
    Primary,
    Servers,
    Tags,
    Yes,
    confirm,
    contexts_completed,
    given,
    read_passphrase,
    refuse_beside_file,
)
from meshkit.errors import UsageError
from meshkit.events import Note
from meshkit.model import DEFAULT_FEDERATION, DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from meshkit.federation.context import Context
    from meshkit.federation.state import Identity

app = typer.Typer(add_completion=False, rich_markup_mode=None)
TIMEOUT_S = 600.0
Timeout = Annotated[float, typer.Option(metavar="SECONDS", min=1, help="Longest wait for one condition.")]


@app.command()
def federate(  # noqa: PLR0913 - one parameter per option
    clusters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONTEXT | NAME=CONTEXT]...",
            help="Clusters by kubeconfig context, or a part that fits one alone; NAME becomes the datacenter's name.",
            autocompletion=contexts_completed,
        ),
    ] = None,
    *,
    tag: Tags = None,
    file: File = "",
    primary: Primary = "",
    federation: NewFederation = "",
    namespace: NewNamespace = "",
    chart: Chart = "",
    chart_version: ChartVersion = "",
    chart_repo: ChartRepo = "",
    image_registry: ImageRegistry = "",
    servers: Servers = None,
    gateways: Gateways = None,
    internal_gateways: InternalGateways = None,
    gateway_source_range: GatewaySourceRange = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take over Consul installations that exist, or say why they can't be.")
    ] = False,
    gitops: Annotated[
        bool, typer.Option("--gitops", help="Install no release: wait for those that GitOps brings, and verify.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")] = False,
    yes: Yes = False,
    timeout: Timeout = TIMEOUT_S,
    passphrase_file: PassphraseFile = None,
    output: Output = "table",
) -> None:
    """Make one Consul service mesh of two or more clusters, and prove that it works.

    Every step looks first and does only what is missing, so the command can be run again at any time, also after
    it was killed. Clusters of an existing federation need not be named again: they stay.

    \b
    Examples:
      meshkit federate aks eks
      meshkit federate aks prod=arn:aws:eks:eu-west-1:1234:cluster/prod --servers 3 --gateways 2
      meshkit federate aks eks gke  (also when these only fit the contexts: EKS's ARN, GKE's gke_PROJECT_ZONE_NAME)
      meshkit federate aks eks --dry-run
      meshkit federate aks eks --gateway-source-range 203.0.113.0/24 --gateway-source-range 198.51.100.7/32
      meshkit federate --tag env=prod                    (shows the plan of what has this tag, and asks)
      meshkit federate gke          (joins the federation that aks and eks are in)
      meshkit init aks eks > mesh.yaml && meshkit federate -f mesh.yaml
      meshkit federate --adopt aks eks --dry-run   (installations of the official chart that exist already)
      meshkit federate --gitops aks eks            (Argo CD, Flux or Terraform installs: see meshkit render)
    """
    options: dict[str, Any] = {
        "primary": primary,
        "namespace": namespace,
        "chart": chart,
        "chart_version": chart_version,
        "chart_repo": chart_repo,
        "image_registry": image_registry,
        "servers": servers,
        "gateways": gateways,
        "gateway_internal": internal_gateways,
        "gateway_source_ranges": tuple(gateway_source_range or ()),
    }
    about_chart = {"chart": chart, "chartVersion": chart_version, "chartRepo": chart_repo}
    chosen = given(options) - {"primary"}
    if tag and (file or clusters):
        raise UsageError(
            "tags can't be mixed with clusters or a file", hint="meshkit discover shows what has which tags"
        )
    if adopt and (tag or file or gitops or chosen - {"chart", "chart_version", "chart_repo"}):
        raise UsageError("--adopt takes installations as they are", hint="leave out --tag, -f and what changes them")
    refuse_beside_file(file, clusters, federation, primary, chosen)
    name = federation or DEFAULT_FEDERATION
    if adopt:
        from meshkit.cli import adopting

        wanted = adopting.Options(
            name, primary, about_chart, passphrase_file, timeout, output, dry_run=dry_run, yes=yes
        )
        adopting.adopt(clusters or [], wanted)
        return

    from meshkit.cli import described, tagged, wiring
    from meshkit.federation import settle

    passphrase = read_passphrase(passphrase_file, os.environ)
    if tag:
        clusters = tagged.clusters(tag, namespace or DEFAULT_NAMESPACE, name, about_chart)
    if file:
        found = described.from_file(file, passphrase)
    else:
        found = described.from_arguments(clusters or [], name, options, passphrase)
    whole = replace(found.federation, gitops=gitops or found.federation.gitops)
    state, identity = found.state, found.identity
    with console.narrator() as observe, wiring.connect(whole, state, observe, timeout) as opened:
        context = settle.settled(opened)
        for dc in whole.datacenters:
            if dc.context not in found.named:
                observe(Note("is in the federation already and stays", dc.name))
        if tag and not dry_run:
            _agree(context, yes=yes)
        show = _plan(context, output) if dry_run else _run(context, identity, output)
    show()


def _agree(context: Context, *, yes: bool) -> None:
    """Show what clusters that nobody named one by one would get, and go on when the user agrees."""
    from meshkit.federation import runner
    from meshkit.report import plan

    found = [(step.name, changes) for step, changes in runner.plan(context)]
    console.say(plan.as_text(context.federation, found))
    confirm(f"federate these {len(context.federation.datacenters)} clusters?", yes=yes)


def _plan(context: Context, output: str) -> Callable[[], None]:
    """Look; what to print is printed when the narration has ended."""
    from meshkit.federation import runner
    from meshkit.report import plan

    found = [(step.name, changes) for step, changes in runner.plan(context)]
    if output == "json":
        return partial(console.print_json, plan.as_json(context.federation, found))
    return partial(typer.echo, plan.as_text(context.federation, found))


def _run(context: Context, shown: Identity | None, output: str) -> Callable[[], None]:
    """Do it; what to print is printed when the narration has ended."""
    from meshkit.federation import lock, releases, runner
    from meshkit.report import plan

    with lock.held(context.state, shown):
        results = runner.run(context)
    addresses = releases.addresses(context) or {}
    if output == "json":
        return partial(console.print_json, plan.result_as_json(context.federation, results, addresses))
    return partial(typer.echo, plan.result_as_text(context.federation, results, addresses))
