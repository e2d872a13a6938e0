"""Options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from meshkit.errors import UsageError


def contexts_completed(incomplete: str) -> list[str]:
    """See ``completion.contexts``, which is imported when a shell asks."""
    from meshkit.cli.completion import contexts

    return contexts(incomplete)


def _tags(incomplete: str) -> list[str]:
    from meshkit.cli.completion import tags

    return tags(incomplete)


Output = Annotated[Literal["table", "json"], typer.Option("--output", "-o", help="Form of what is printed.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--ca-passphrase-file",
        metavar="FILE",
        help="Passphrase of the CA key; else MESHKIT_CA_PASSPHRASE, else the key has none.",
    ),
]
FederationName = Annotated[
    str, typer.Option("--federation", metavar="NAME", help="Which one, when this machine knows several.")
]
Contexts = Annotated[
    list[str] | None,
    typer.Option("--context", metavar="CONTEXT", help="As with status, on a machine that did not make it; repeat it."),
]
Namespace = Annotated[str, typer.Option("--namespace", help="Namespace of the federation, with contexts; consul.")]
Clusters = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CONTEXT]...",
        help="Contexts of the federation, on a machine that did not make it; else not needed.",
        autocompletion=contexts_completed,
    ),
]


Tags = Annotated[
    list[str] | None,
    typer.Option(
        "--tag",
        metavar="NAME=VALUE",
        help="Clusters with this label or tag, see meshkit discover --help; repeat it.",
        autocompletion=_tags,
    ),
]
_CHART = "Consul chart: the official one, meshkit's own, or a folder or .tgz; light for lab clusters, else hashicorp."
_INTERNAL = "Load balancers within the clouds' networks, which then must be connected, or on the Internet; public."
File = Annotated[
    str, typer.Option("--file", "-f", metavar="FILE", help="A mesh.yaml that describes it all; - for stdin.")
]
Primary = Annotated[str, typer.Option(metavar="NAME", help="Primary datacenter; the first one named.")]
NewFederation = Annotated[str, typer.Option("--federation", metavar="NAME", help="Name of the federation; mesh.")]
NewNamespace = Annotated[str, typer.Option("--namespace", help="Namespace in every cluster; consul.")]
Chart = Annotated[str, typer.Option(metavar="hashicorp|light|PATH", help=_CHART)]
ChartVersion = Annotated[
    str, typer.Option(metavar="VERSION", help="Version of the official chart; upgrade changes it.")
]
ChartRepo = Annotated[str, typer.Option(metavar="URL", help="Its repository, https:// or oci://.")]
ImageRegistry = Annotated[
    str, typer.Option(metavar="HOST[/PATH]", help="Registry to take every image from, under its own name.")
]
Servers = Annotated[int | None, typer.Option(help="Consul servers per datacenter: 1, 3 or 5.")]
Gateways = Annotated[int | None, typer.Option(help="Mesh gateways per datacenter.")]
InternalGateways = Annotated[
    bool | None, typer.Option("--internal-gateways/--public-gateways", help=_INTERNAL, show_default=False)
]
GatewaySourceRange = Annotated[
    list[str] | None,
    typer.Option(metavar="CIDR", help="Who may reach the gateways' load balancers; everybody. Repeat it."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Source = Annotated[str, typer.Argument(metavar="SRC", help="Service that connects; '*' for every one.")]
Destination = Annotated[str, typer.Argument(metavar="DST", help="Service connected to; '*' for every one.")]


def given(options: Mapping[str, object]) -> frozenset[str]:
    """Names of the options that were given: False is a choice, an empty value is none."""
    return frozenset(name for name, value in options.items() if value not in (None, "", ()))


def refuse_beside_file(file: str, *others: object) -> None:
    """UsageError where a file that describes everything is given together with anything else."""
    if file and any(others):
        raise UsageError("a file and arguments can't be mixed", hint="put everything into the file, or leave out -f")


def confirm(question: str, *, yes: bool) -> None:
    """Go on when the user agrees; UsageError where nobody can be asked, and end when the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("this needs a yes, and there is no terminal to ask on", hint="--yes")
    typer.confirm(question, abort=True, err=True)


def read_passphrase(file: Path | None, environment: Mapping[str, str]) -> bytes | None:
    """The CA key's passphrase, None when there is none; never an argument, since arguments are seen by everyone."""
    if file is None:
        return environment.get("MESHKIT_CA_PASSPHRASE", "").encode() or None
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"the passphrase file {file} can't be read: {error.strerror}", hint="ls -l it") from error
    passphrase = content.removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase:
        raise UsageError(f"the passphrase file {file} is empty", hint="write the passphrase into its first line")
    return passphrase
