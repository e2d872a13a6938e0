"""TLS over a connection of the loop: the handshake, what was presented in it, and why it failed.

OpenSSL gets the bytes through memory, not the descriptor: so a wait is the loop's like any other, and an alert that
came is read even after sending has failed. A TLS 1.3 server refuses a client's certificate only when the client thinks
that the handshake is over; that alert arrives in whatever phase comes next.
"""

from __future__ import annotations

import _ssl
import ssl
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from meshkit.probes.identity import Session
from meshkit.probes.io import Io
from meshkit.probes.loop import Wait
from meshkit.probes.mechanisms import certificate
from meshkit.probes.mechanisms.certificate import Certificate
from meshkit.probes.mechanisms.stream import RECEIVE, Plain, Stream
from meshkit.probes.mechanisms.tcp import connect
from meshkit.probes.reasons import Failed, one_line
from meshkit.probes.sample import Record

SEND = 65536
"""Bytes encrypted at once, so that a large body does not keep the loop."""

VERIFICATIONS = ("system", "mesh", "none")
SHOWN = 32
"""Alternative names kept of a certificate; there may be thousands."""

VERIFY_REASONS = {
    9: "tls_not_yet_valid",
    10: "tls_expired",
    62: "tls_wrong_name",
    63: "tls_wrong_name",
    64: "tls_wrong_name",
}
"""X509_V_ERR_* in openssl/x509_vfy.h; everything else is a chain that leads to no trusted root."""

NO_APPLICATION_PROTOCOL = 120
ALERTS = {
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    109: "missing_extension",
    110: "unsupported_extension",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    115: "unknown_psk_identity",
    116: "certificate_required",
    NO_APPLICATION_PROTOCOL: "no_application_protocol",
}
"""RFC 8446, section 6."""


@dataclass(frozen=True, kw_only=True)
class Trust:
    """How a target is spoken to through TLS.

    ``server_name`` is the SNI and the name that is verified; empty for the host. ``verify`` is ``system`` (chain and
    name), ``mesh`` (chain to the mesh's roots, and a SPIFFE ID instead of a name) or ``none``. ``roots``, PEM, take the
    place of the system's or the mesh's. ``identity`` is whose certificate is presented: empty for none, ``mesh`` for
    the agent's own, else a name in ``Io.identities``. ``spiffe`` is the peer's expected SPIFFE ID: all of it, or from
    its first slash on (``/ns/default/dc/eks/svc/web``) in any trust domain; empty for any.
    """

    server_name: str = ""
    verify: str = "system"
    roots: str = ""
    identity: str = ""
    spiffe: str = ""

    def __post_init__(self) -> None:
        if self.verify not in VERIFICATIONS:
            raise ValueError(f"verify is {' or '.join(VERIFICATIONS)}, not {self.verify!r}")
        if self.spiffe and not self.spiffe.startswith(("spiffe://", "/")):
            raise ValueError(f"spiffe begins with spiffe:// or /, and {self.spiffe!r} does not")


class Offer(NamedTuple):
    """What one handshake is made with: ``name`` is the server's where ``trust`` says none."""

    trust: Trust
    name: str
    alpn: tuple[str, ...] = ()


class Secure:
    """A TLS session on a TCP connection."""

    __slots__ = ("_below", "_incoming", "_outgoing", "session")

    def __init__(self, below: Plain, context: ssl.SSLContext, name: str) -> None:
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        except (ValueError, TypeError) as error:
            raise Failed("tls_wrong_name", one_line(f"{name!r} can not be a server's name")) from error
        assert isinstance(session, Session)  # noqa: S101, Contexts makes no other
        self.session = session

    def handshake(self) -> Generator[Wait, Any, None]:
        """Shake hands; Failed says why not."""
        while True:
            try:
                self.session.do_handshake()
            except ssl.SSLWantReadError:
                yield from self._flush()
            except ssl.SSLError as error:
                with suppress(OSError):  # the peer should hear why, but our own reason does not depend on it
                    yield from self._flush()
                raise self._failure(error) from error
            else:
                yield from self._flush()
                return
            data = yield from self._below.receive()
            if not data:
                raise Failed("closed", "the target closed the connection in the TLS handshake")
            self._incoming.write(data)

    def send(self, data: bytes) -> Generator[Wait, Any, None]:
        """Send all of it."""
        left = memoryview(data)
        try:
            while left:
                left = left[self.session.write(left[:SEND]) :]
                yield from self._flush()
        except ssl.SSLError as error:
            raise self._failure(error) from error
        except ConnectionError:
            self._hear_alert()
            raise

    def receive(self) -> Generator[Wait, Any, bytes]:
        """Wait for some bytes; none at the end, whether or not the peer announced it."""
        return (yield from self.receive_until(0.0)) or b""

    def receive_until(self, until: float) -> Generator[Wait, Any, bytes | None]:
        """What comes first: bytes, the end (none) or the time (None)."""
        while True:
            try:
                return self.session.read(RECEIVE)
            except ssl.SSLWantReadError:
                yield from self._flush()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise self._failure(error) from error
            data = yield from self._below.receive_until(until)
            if not data:
                return data
            self._incoming.write(data)

    def close(self) -> None:
        """Reset the connection below."""
        self._below.close()

    def _flush(self) -> Generator[Wait, Any, None]:
        if self._outgoing.pending:
            yield from self._below.send(self._outgoing.read())

    def _hear_alert(self) -> None:
        """Fail with the alert that came before the connection broke, if one did."""
        self._incoming.write(self._below.pending())
        try:
            self.session.read(RECEIVE)
        except ssl.SSLError as error:
            if self.session.alert:
                raise self._failure(error) from error

    def _failure(self, error: ssl.SSLError) -> Failed:
        if alert := self.session.alert:
            reason = "tls_alpn" if alert == NO_APPLICATION_PROTOCOL else "tls_alert"
            return Failed(reason, f"the target sent the alert {ALERTS.get(alert, alert)}")
        if isinstance(error, ssl.SSLCertVerificationError):
            return Failed(VERIFY_REASONS.get(error.verify_code, "tls_untrusted"), one_line(error.verify_message))
        return Failed("tls_garbage", one_line((error.reason or str(error)).replace("_", " ").lower()))


def dial(io: Io, record: Record, host: str, port: int, offer: Offer | None) -> Generator[Wait, Any, Stream]:
    """Resolve, connect, and shake hands if there is an offer; closing what is returned is the caller's."""
    if offer is None:
        return Plain((yield from connect(io, record, host, port)))
    trust = offer.trust  # its files are read before the connection, so that the peer does not wait for them
    context = io.contexts.context(trust.verify, trust.roots, trust.identity, offer.alpn)
    connection = Plain((yield from connect(io, record, host, port)))
    try:
        secure = Secure(connection, context, trust.server_name or offer.name)
        yield from _shake_hands(io, record, secure, trust)
    except BaseException:
        connection.close()
        raise
    return secure


def _shake_hands(io: Io, record: Record, secure: Secure, trust: Trust) -> Generator[Wait, Any, None]:
    """Phase ``tls``, and the session's facts whether it succeeds or not."""
    record.enter("tls")
    try:
        yield from secure.handshake()
    except Failed:
        with suppress(Failed):  # a certificate that can't be read must not hide why the handshake failed
            _describe(record, secure.session, presented(secure.session))
        raise
    record.phase_error_s = max(record.phase_error_s, io.loop.blur())
    record.leave()
    chain = presented(secure.session)
    _describe(record, secure.session, chain)
    _check_identity(trust, chain)


def presented(session: Session) -> list[bytes]:
    """The certificates that the peer presented, DER, its own first."""
    # A Certificate message (RFC 8446, 4.4.2; RFC 5246, 7.4.2), kept before OpenSSL has looked whether it is sound.
    message, tls13 = session.presented, session.tls13
    at = 4 + (1 + int.from_bytes(message[4:5], "big") if tls13 else 0) + 3
    found = []
    while at + 3 <= len(message):
        begin = at + 3
        at = begin + int.from_bytes(message[at:begin], "big")
        found.append(message[begin:at])
        if tls13:
            at += 2 + int.from_bytes(message[at : at + 2], "big")
    return found


def _describe(record: Record, session: Session, chain: Sequence[bytes]) -> None:
    """Write what is known of the session; validity is that of the chain's certificate that ends first."""
    cipher = session.cipher()
    about = {"version": session.version(), "cipher": cipher and cipher[0], "alpn": session.selected_alpn_protocol()}
    facts: dict[str, Any] = {key: value for key, value in about.items() if value}
    record.facts["tls"] = facts
    if not chain:
        return
    leaf = certificate.read(chain[0])
    facts |= {
        "subject": one_line(leaf.subject),
        "issuer": one_line(leaf.issuer),
        "sans": [one_line(name) for name in (*leaf.names, *leaf.uris)[:SHOWN]],
        "spiffe": one_line(leaf.spiffe),
        "not_before": leaf.not_before,
        "not_after": leaf.not_after,
    }
    # Where the chain was verified, a certificate that was presented but not needed does not count.
    used = [certificate.read(der) for der in _verified(session) or chain]
    first = min(used, key=lambda one: one.not_after)
    record.facts["not_before"], record.facts["not_after"] = first.not_before, first.not_after
    life = first.not_after - first.not_before
    record.facts["life_left"] = round((first.not_after - time.time()) / life, 4) if life > 0 else 0.0


def _verified(session: Session) -> list[bytes]:
    """The chain that verification has built, up to its root; public only from Python 3.13 on."""
    if session.context.verify_mode == ssl.CERT_NONE or session.version() is None:
        return []
    chain = session._sslobj.get_verified_chain()  # type: ignore[attr-defined] # noqa: SLF001
    return [one.public_bytes(_ssl.ENCODING_DER) for one in chain or ()]


def _check_identity(trust: Trust, chain: Sequence[bytes]) -> None:
    """Hold the peer's SPIFFE ID against the expected one."""
    if trust.verify != "mesh" and not trust.spiffe:
        return
    leaf: Certificate | None = certificate.read(chain[0]) if chain else None
    found = leaf.spiffe if leaf else ""
    if not found:
        _wrong_identity("the certificate has no SPIFFE ID")
    path = f"/{found.removeprefix('spiffe://').partition('/')[2]}"
    if trust.spiffe and trust.spiffe not in (found, path):
        _wrong_identity(f"it is {found}, not {trust.spiffe}")


def _wrong_identity(detail: str) -> NoReturn:
    raise Failed("tls_wrong_identity", one_line(detail))
