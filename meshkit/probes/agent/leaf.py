"""The agent's mesh certificate, fetched from Consul's HTTPS API and renewed at half its life.

cert.pem, key.pem and roots.pem are written beside and renamed, each whole at any time; the prober takes the new ones
when certificate and key fit (``probes.identity``). What cannot be fetched is tried again; the old one serves until it
ends, and without any the probes that need it fail as ``no_identity``.
"""

from __future__ import annotations

import json
import os
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import quote

from meshkit.errors import ForbiddenError, UnreachableError
from meshkit.probes.agent import config
from meshkit.probes.agent.fetch import Trust, request
from meshkit.probes.identity import CERTIFICATE, KEY, ROOTS
from meshkit.probes.reasons import one_line

TIMEOUT_S = 10.0
FORBIDDEN = (401, 403)
OK = 200


@dataclass(frozen=True)
class Leaf:
    """A certificate as files hold it; validity in Unix seconds. The key is never shown."""

    serial: str
    not_before: float
    not_after: float

    @property
    def renew_at(self) -> float:
        """Half its life."""
        return (self.not_before + self.not_after) / 2


def fetch(given: config.Identity) -> Leaf:
    """Fetch the leaf and the roots, and write them; MeshkitError says what is in the way, without any secret."""
    wire, roots = _ask(given, f"/v1/agent/connect/ca/leaf/{quote(given.service, safe='')}"), _roots(given)
    try:
        certificate, key = str(wire["CertPEM"]), str(wire["PrivateKeyPEM"])
        leaf = Leaf(str(wire["SerialNumber"]), _when(wire["ValidAfter"]), _when(wire["ValidBefore"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UnreachableError("Consul's answer is no leaf certificate") from error
    if leaf.not_after <= time():
        raise UnreachableError("Consul gave a certificate that has ended")
    folder = Path(given.directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in ((ROOTS, roots), (KEY, key), (CERTIFICATE, certificate)):
            _write(folder / name, text)
    except OSError as error:
        raise UnreachableError(f"{folder} can't be written: {error.strerror}") from error
    return leaf


def _roots(given: config.Identity) -> str:
    wire = _ask(given, "/v1/agent/connect/ca/roots")
    try:
        return "\n".join(str(root["RootCert"]).strip() for root in wire["Roots"]) + "\n"
    except (KeyError, TypeError) as error:
        raise UnreachableError("Consul's answer holds no roots") from error


def _ask(given: config.Identity, path: str) -> dict[str, Any]:
    headers = {}
    try:
        trust = Trust(ssl.create_default_context(cafile=given.ca), given.server_name)
        if given.token_file:
            headers["X-Consul-Token"] = Path(given.token_file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a text"
        raise UnreachableError(one_line(f"CA or token of Consul can't be read: {why}")) from error
    answer = request(given.server.rstrip("/") + path, headers=headers, trust=trust, timeout_s=TIMEOUT_S)
    if answer.status in FORBIDDEN:
        raise ForbiddenError(f"Consul does not let this token have the identity of {given.service}")
    if answer.status != OK:
        raise UnreachableError(f"Consul answers with HTTP {answer.status}")
    try:
        wire = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise UnreachableError("Consul's answer is not JSON") from error
    if not isinstance(wire, dict):
        raise UnreachableError("Consul's answer is not an object")
    return wire


def _when(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for no one else to read."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    beside.replace(path)
