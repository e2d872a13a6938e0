"""``meshkit render``: what federate would install, as text or files for GitOps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from meshkit.cli import completion, console
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
    given,
    read_passphrase,
    refuse_beside_file,
)
from meshkit.errors import UsageError
from meshkit.model import DEFAULT_FEDERATION

if TYPE_CHECKING:
    from meshkit.cli.described import Described
    from meshkit.federation.context import Context
    from meshkit.federation.gitops.rendering import Rendering

app = typer.Typer(add_completion=False, rich_markup_mode=None)
TIMEOUT_S = 60.0
Form = Literal["values", "manifests", "argocd", "flux", "terraform"]


@app.command()
def render(  # noqa: PLR0913 - one parameter per option
    clusters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONTEXT | NAME=CONTEXT]...",
            help="Clusters as for federate; a federation that exists need not be named.",
            autocompletion=completion.contexts,
        ),
    ] = None,
    *,
    file: File = "",
    form: Annotated[
        Form | None, typer.Option("--as", help="One form; without it values, objects and names of Secrets.")
    ] = None,
    output_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a tree to commit, without Secrets.")
    ] = None,
    secrets: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the Secrets to private files; they are never printed.")
    ] = None,
    gateway_address: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=ADDRESS", help="A mesh gateway's address, if its cluster can't tell; repeat it."),
    ] = None,
    repo_url: Annotated[str, typer.Option(metavar="URL", help="Git repository of the tree, for argocd and flux.")] = "",
    repo_path: Annotated[str, typer.Option(metavar="FOLDER", help="Where in it the tree is; its top.")] = "",
    repo_branch: Annotated[str, typer.Option(metavar="BRANCH", help="The branch that is followed.")] = "main",
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
    passphrase_file: PassphraseFile = None,
    output: Output = "table",
) -> None:
    """Print what federate would install: Helm values, objects, names of Secrets; or a form for GitOps.

    No cluster is changed. --output-dir and --secrets make the CA and the secrets on this machine, if there are none
    yet: the same that federate --gitops puts into the clusters. Before that, ids say that they are not made yet.

    \b
    Examples:
      meshkit render
      meshkit render aks eks --gateway-address aks=203.0.113.1 --gateway-address eks=203.0.113.2
      meshkit render --as argocd --repo-url https://git.example/mesh.git --output-dir mesh
      meshkit render --as terraform --output-dir mesh
      meshkit render -f mesh.yaml --as values
      meshkit render --secrets ~/mesh-secrets
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
    refuse_beside_file(file, clusters, federation, given(options))
    if form in ("argocd", "flux") and not repo_url:
        raise UsageError(f"{form} gets charts from a git repository: which one?", hint="--repo-url URL")

    from meshkit.federation.gitops import files, write
    from meshkit.federation.gitops.repository import Repository

    if secrets:
        write.refuse_within(secrets, output_dir)
    found = _described(clusters or [], file, federation, options, read_passphrase(passphrase_file, os.environ))
    rendered = _rendered(found, _addresses(gateway_address or ()), make=bool(secrets or output_dir))
    repository = Repository(repo_url, repo_path, repo_branch)
    written = [*(write.write_secrets(secrets, rendered) if secrets else ())]
    if output_dir:
        written += write.write_tree(output_dir, files.tree(rendered, form, repository), files.charts(rendered))
    _show(files.printed(rendered, form, repository), written, rendered, output)


def _described(
    clusters: list[str], file: str, name: str, options: Mapping[str, Any], passphrase: bytes | None
) -> Described:
    """The federation of a file, of the clusters that are named, or the one that this machine knows."""
    from meshkit.cli import described, known

    if file:
        return described.from_file(file, passphrase)
    if clusters:
        return described.from_arguments(clusters, name or DEFAULT_FEDERATION, options, passphrase)
    federation, _ = known.find(name, ())
    listed = [f"{dc.name}={dc.context}" for dc in federation.datacenters]
    return described.from_arguments(listed, federation.name, options, passphrase)


def _rendered(found: Described, addresses: Mapping[str, str], *, make: bool) -> tuple[Rendering, ...]:
    """Every datacenter; ``make`` what belongs on this machine and is not there yet."""
    from meshkit.cli import wiring
    from meshkit.federation import settle
    from meshkit.federation.gitops import rendering

    with (
        console.narrator() as observe,
        wiring.connect(found.federation, found.state, observe, TIMEOUT_S) as opened,
    ):
        context = settle.settled(opened)
        rendered = rendering.gather(context, addresses)
        if make and any(one.secrets is None for one in rendered):
            _make(context)
            rendered = rendering.gather(context, addresses)
    return rendered


def _make(context: Context) -> None:
    """The CA and the secrets on this machine, as federate would make them."""
    from meshkit.federation.steps import trust

    with context.state.locked():
        trust.make(context)


def _show(texts: Mapping[str, str], written: Sequence[Path], rendered: Sequence[Rendering], output: str) -> None:
    """What was written, else the texts themselves."""
    if output == "json":
        console.print_json({"written": [str(path) for path in written], "files": {} if written else dict(texts)})
    elif written:
        typer.echo("\n".join(map(str, written)))
    else:
        typer.echo("---\n".join(f"# {path}\n{text}" for path, text in texts.items()), nl=False)
    if any(one.secrets is None for one in rendered):
        console.say("the CA is not made yet: ids and fingerprints in this are only their places")


def _addresses(given: Sequence[str]) -> dict[str, str]:
    """The addresses of ``NAME=ADDRESS``."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, address = text.partition("=")
        if not equals or not name or not address.strip():
            raise UsageError(f'--gateway-address "{text}": expected NAME=ADDRESS', hint="for example aks=203.0.113.1")
        if name in found:
            raise UsageError(f"--gateway-address: {name} is named twice", hint="name each datacenter once")
        found[name] = address
    return found
