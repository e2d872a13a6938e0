"""TLS contexts: whom a probe trusts, and as whom it speaks.

An agent's own mesh certificate lies in a folder (cert.pem, key.pem, roots.pem) and is renewed by another process, which
renames each file into place: a context is made anew when a file is another one. While certificate and key do not
belong together yet, the previous context serves on. A one-off run as another service has its identity in memory only:
OpenSSL reads keys from files, so it gets one that no folder holds (memfd).
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meshkit.probes.reasons import Failed, one_line

MESH = "mesh"
CERTIFICATE, KEY, ROOTS = "cert.pem", "key.pem", "roots.pem"

NO_COMPRESSED_CERTIFICATES = 1 << 33
"""SSL_OP_NO_RX_CERTIFICATE_COMPRESSION of OpenSSL 3.2: what is presented is read as it comes. Older ones ignore it."""

HANDSHAKE, ALERT = 22, 21
CERTIFICATE_MESSAGE = 11
"""Content types and the handshake type of RFC 8446, appendix B."""


@dataclass(frozen=True)
class Identity:
    """A mesh certificate with its chain, its key, and the roots of its mesh, all PEM."""

    certificate: str
    key: str = field(repr=False)
    roots: str


class Session(ssl.SSLObject):
    """A TLS session that keeps what OpenSSL drops when it fails: the presented certificates, and the peer's alert."""

    presented = b""
    """The Certificate message, with its header."""
    tls13 = False
    """Whether that message has the layout of TLS 1.3."""
    alert = 0
    """The description of the last alert received; 0 (close_notify) when there was none."""


class Contexts:
    """The contexts of one process, each made once."""

    def __init__(self, folder: Path | None, identities: Mapping[str, Identity]) -> None:
        self._folder = folder
        self._identities = identities
        self._kept: dict[tuple[Any, ...], tuple[Any, ssl.SSLContext]] = {}

    def context(self, verify: str, roots: str, identity: str, alpn: tuple[str, ...]) -> ssl.SSLContext:
        """See ``secure.Trust`` for the arguments; Failed when the identity is missing or ``roots`` are none."""
        source = identity or (MESH if verify == MESH and not roots else "")
        stamp = self._stamp(source)
        wanted = (verify, roots, identity, alpn)
        kept = self._kept.get(wanted)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        context = _bare(verify, alpn)
        _trust(context, verify, roots)
        try:
            self._present(context, source, present=bool(identity), trust=verify == MESH and not roots)
        except (OSError, ValueError) as error:
            if kept is not None:
                return kept[1]
            raise Failed("no_identity", one_line(f"{source}: {getattr(error, 'reason', None) or error}")) from error
        self._kept[wanted] = stamp, context
        return context

    def _stamp(self, source: str) -> Any:
        """What changes when the identity does."""
        if not source:
            return None
        if source != MESH:
            try:
                return self._identities[source]
            except KeyError as error:
                raise Failed("no_identity", one_line(f"there is no identity of {source}")) from error
        if self._folder is None:
            raise Failed("no_identity", "this process has no mesh identity")
        try:
            found = [os.stat(self._folder / name) for name in (CERTIFICATE, KEY, ROOTS)]  # noqa: PTH116, on the hot path
        except OSError as error:
            raise Failed("no_identity", one_line(f"{Path(error.filename).name}: {error.strerror}")) from error
        return [(file.st_mtime_ns, file.st_ino, file.st_size) for file in found]

    def _present(self, context: ssl.SSLContext, source: str, *, present: bool, trust: bool) -> None:
        """Load the identity's certificate and key, its roots, or both."""
        if source == MESH and self._folder is not None:
            if present:
                context.load_cert_chain(self._folder / CERTIFICATE, self._folder / KEY, password=_no_password)
            if trust:
                context.load_verify_locations(self._folder / ROOTS)
        elif source:
            identity = self._identities[source]
            if present:
                _load(context, identity)
            if trust:
                context.load_verify_locations(cadata=identity.roots)


def _bare(verify: str, alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = verify == "system"
    context.verify_mode = ssl.CERT_NONE if verify == "none" else ssl.CERT_REQUIRED
    context.options |= NO_COMPRESSED_CERTIFICATES
    context.sslobject_class = Session
    # Not public, and the only way to what a peer presented that fails verification (3.11 to 3.14 have it).
    context._msg_callback = _keep  # type: ignore[attr-defined] # noqa: SLF001
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _keep(session: Session, direction: str, *told: Any) -> None:
    """Called by OpenSSL for each message."""
    if direction == "read":
        version, content, kind, message = told
        if content == HANDSHAKE and kind == CERTIFICATE_MESSAGE:
            session.presented, session.tls13 = message, version == ssl.TLSVersion.TLSv1_3
        elif content == ALERT:
            session.alert = message[-1]


def _trust(context: ssl.SSLContext, verify: str, roots: str) -> None:
    """Load the anchors that do not come with an identity."""
    if roots:
        try:
            context.load_verify_locations(cadata=roots)
        except (OSError, ValueError) as error:
            raise Failed("tls_untrusted", "the roots are no PEM certificates") from error
    elif verify == "system":
        context.load_default_certs()


def _load(context: ssl.SSLContext, identity: Identity) -> None:
    descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, f"{identity.certificate}\n{identity.key}".encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_no_password)
    finally:
        os.close(descriptor)


def _no_password() -> str:
    """An encrypted key is an error; without this OpenSSL would ask on the terminal."""
    return ""
