"""Everything for a support bundle, of all clusters at the same time."""

from __future__ import annotations

import base64
import binascii
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import meshkit
from meshkit.backends.base import Manifest
from meshkit.checks import check
from meshkit.checks.catalogue import CATALOGUE
from meshkit.checks.observe import observe
from meshkit.errors import MeshkitError
from meshkit.events import Progress
from meshkit.federation.context import Context
from meshkit.federation.drift import drift
from meshkit.federation.probing import results
from meshkit.federation.support import clusters, consul, envoys
from meshkit.federation.tracing import doctor
from meshkit.model import Datacenter
from meshkit.support.document import Bundle, File, Gap
from meshkit.support.redaction import Redactor

T = TypeVar("T")
TASK = "support bundle"
LIBRARIES = ("kubernetes", "cryptography", "pyhelm3", "python-consul2", "dnspython", "scapy", "typer")
HELM_SECRET = "helm.sh/release.v1"  # noqa: S105 - the type of a Secret
"""A release's history, in which meshkit puts no secret and which is in no file: too large to look for."""


NO_SECRETS = frozenset({"namespace", "ca.crt"})
"""Beside the token in a service account's Secret; the namespace's name would be blanked everywhere."""


def gather(context: Context, since_s: float, unlisted: Mapping[str, str]) -> Bundle:
    """Look at all of it; a part that fails is a gap, and the others go on.

    ``unlisted`` is the datacenters whose Secrets are not known, and why: their texts are not read, since nobody could
    tell what to take out of them.
    """
    gaps = [
        Gap(f"clusters/{name}, consul/{name} and envoy/{name}", f"{why}; so its Secrets could not be looked for")
        for name, why in unlisted.items()
    ]
    context.observe(Progress(TASK, "status and checks"))
    state = _or_gap(gaps, "status", lambda: observe(context, lambda dc: drift(context, dc)))
    checks = check.run(state, CATALOGUE) if state else ()
    context.observe(Progress(TASK, "a trace of every path"))
    examination = _or_gap(gaps, "doctor", lambda: doctor.examine(context, state))
    context.observe(Progress(TASK, "results of probes"))
    outcome = _or_gap(gaps, "probes", lambda: results.collect(context, since_s))
    context.observe(Progress(TASK, "objects, events and logs"))
    listed = [dc for dc in context.federation.datacenters if dc.name not in unlisted]
    found = context.each(lambda dc: list(_of_datacenter(context, dc, since_s)), listed)
    parts = [_versions(), *(part for parts in found.values() for part in parts)]
    return Bundle(
        context.federation.name,
        context.clock.now(),
        since_s,
        state,
        checks,
        examination,
        outcome,
        tuple(part for part in parts if isinstance(part, File)),
        (*gaps, *(part for part in parts if isinstance(part, Gap))),
    )


def redactor(context: Context) -> tuple[Redactor, dict[str, str]]:
    """One that knows every secret of this machine and of the clusters' namespaces; which can't be listed, and why."""
    known = _held(context)
    unlisted: dict[str, str] = {}

    def secrets(dc: Datacenter) -> dict[str, str]:
        try:
            return _secrets(context, dc)
        except MeshkitError as error:
            unlisted[dc.name] = error.message
            return {}

    for found in context.each(secrets).values():
        known |= {name: value for name, value in found.items() if value not in known.values()}
    return Redactor(known), unlisted


def _held(context: Context) -> dict[str, str]:
    """What is in the state directory."""
    known: dict[str, str] = {}
    held = context.state.secrets()
    if held:
        known["gossip key"] = held.gossip.reveal()
        known |= {f"token {name}": token.reveal() for name, token in held.tokens.items()}
    with suppress(MeshkitError):  # its file is encrypted with a passphrase that was not given: nobody can have read it
        authority = context.state.authority()
        if authority:
            known["CA key"] = authority.dump(None).decode()
    for dc in context.federation.datacenters:
        pair = context.state.server_certificate(dc.name)
        if pair:
            known[f"server key of {dc.name}"] = pair[1].reveal()
    return known


def _secrets(context: Context, dc: Datacenter) -> dict[str, str]:
    """What is in a cluster's Secrets."""
    return {
        f"{dc.name} {secret['metadata']['name']}/{key}": text
        for secret in context.kube[dc.name].list("Secret", dc.namespace)
        if secret.get("type") != HELM_SECRET
        for key, text in _texts(secret)
    }


def _texts(secret: Manifest) -> Iterator[tuple[str, str]]:
    for key, encoded in (secret.get("data") or {}).items():
        if key in NO_SECRETS:
            continue
        try:
            yield key, base64.b64decode(encoded).decode()
        except (binascii.Error, UnicodeDecodeError):
            yield key, str(encoded)  # bytes are seen elsewhere as base64, if at all


def _of_datacenter(context: Context, dc: Datacenter, since_s: float) -> Iterable[File | Gap]:
    yield from clusters.gather(context, dc, since_s)
    yield from consul.gather(context, dc)
    yield from envoys.gather(context, dc)


def _versions() -> File:
    lines = [f"meshkit {meshkit.__version__}", f"Python {platform.python_version()}", platform.platform()]
    for name in LIBRARIES:
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return File("versions.txt", "meshkit and what it is made of", "".join(f"{line}\n" for line in lines))


def _or_gap(gaps: list[Gap], place: str, look: Callable[[], T]) -> T | None:
    try:
        return look()
    except MeshkitError as error:
        gaps.append(Gap(place, error.message))
        return None
