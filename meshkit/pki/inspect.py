"""Reading certificates back: what they say, and whether they still fit what is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization

from meshkit.errors import MeshkitError
from meshkit.pki.profiles import Sans

RENEW_BELOW = 1 / 3
"""Share of the lifetime left under which a certificate is renewed; leaves a month of warnings on a 90-day one."""

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises over a damaged certificate or key; much is parsed only when it is asked for."""


@dataclass(frozen=True)
class CertificateInfo:
    """What matters of a certificate; times in UTC, ``fingerprint`` SHA-256 in hexadecimal."""

    subject: str
    sans: Sans
    spiffe: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fingerprint: str

    def share_left(self, now: datetime) -> float:
        """How much of its lifetime is left, from 1 at the start to 0 at the end and below after it."""
        lifetime = self.not_after - self.not_before
        return (self.not_after - now) / lifetime if lifetime else 0.0


def inspect(pem: str) -> CertificateInfo:
    """The first certificate of a PEM text; MeshkitError when there is none that can be read."""
    try:
        return _read(x509.load_pem_x509_certificate(pem.encode()))
    except UNREADABLE as error:
        raise MeshkitError("a certificate is damaged") from error


def faults(pem: str, wanted: Sans, ca_pem: str, now: datetime) -> Iterator[str]:
    """Every reason why a server certificate can't stay; none when it can."""
    try:
        info = inspect(pem)
    except MeshkitError:
        yield "it is damaged"
        return
    try:
        issuer = x509.load_pem_x509_certificate(ca_pem.encode())
        x509.load_pem_x509_certificate(pem.encode()).verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        yield "it is not signed by the federation's CA"
    if set(info.sans.dns) != set(wanted.dns) or set(info.sans.ip) != set(wanted.ip):
        yield "its names are not those of profile and values"
    if now < info.not_before:
        yield f"it begins on {info.not_before:%Y-%m-%d}, which is not yet"
    elif info.share_left(now) <= 0:
        yield f"it ended on {info.not_after:%Y-%m-%d}"
    elif info.share_left(now) < RENEW_BELOW:
        yield f"two thirds of its lifetime are over, it ends on {info.not_after:%Y-%m-%d}"


def is_pair(certificate_pem: str, key_pem: str) -> bool:
    """Whether a private key is that of the certificate; False as well when either can't be read."""
    try:
        key = serialization.load_pem_private_key(key_pem.encode(), None)
        return key.public_key() == x509.load_pem_x509_certificate(certificate_pem.encode()).public_key()
    except UNREADABLE:
        return False


def _read(certificate: x509.Certificate) -> CertificateInfo:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    return CertificateInfo(
        certificate.subject.rfc4514_string(),
        Sans(
            tuple(names.get_values_for_type(x509.DNSName)),
            tuple(str(address) for address in names.get_values_for_type(x509.IPAddress)),
        ),
        tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.fingerprint(hashes.SHA256()).hex(),
    )
