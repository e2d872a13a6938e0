"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from meshkit.errors import UsageError

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
Clusters = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CONTEXT]...", help="Contexts of the federation, on a machine that did not make it; else not needed."
    ),
]


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
