"""Certificates for tests, made as needed: sound ones, and each way in which one can be wrong."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from meshkit.probes.identity import Identity

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Leaf:
    """A certificate and its key, PEM."""

    certificate: str
    key: str

    def files(self, folder: Path) -> tuple[Path, Path]:
        """Both written to a folder."""
        certificate, key = folder / "cert.pem", folder / "key.pem"
        certificate.write_text(self.certificate)
        key.write_text(self.key)
        return certificate, key


class Authority:
    """A CA of its own key."""

    def __init__(self, name: str = "test CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        builder = _builder(self._name, self._name, self._key.public_key(), now - HOUR, now + 24 * HOUR)
        certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.root = _pem(certificate.sign(self._key, hashes.SHA256()))

    def leaf(
        self,
        names: Sequence[str] = ("localhost", "127.0.0.1"),
        *,
        spiffe: str = "",
        begin: timedelta = -HOUR,
        end: timedelta = 3 * HOUR,
    ) -> Leaf:
        """A leaf for DNS names, addresses and perhaps a SPIFFE ID; validity counts from now."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])
        builder = _builder(self._name, subject, key.public_key(), now + begin, now + end)
        alternatives = [_general(name) for name in names]
        if spiffe:
            alternatives.append(x509.UniformResourceIdentifier(spiffe))
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Leaf(_pem(builder.sign(self._key, hashes.SHA256())), private.decode())

    def identity(self, spiffe: str) -> Identity:
        """A mesh identity of this CA."""
        leaf = self.leaf((), spiffe=spiffe)
        return Identity(leaf.certificate, leaf.key, self.root)


def server_context(leaf: Leaf, folder: Path, *, clients: str = "") -> ssl.SSLContext:
    """A server's context; with ``clients``, PEM roots, it demands certificates of theirs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*leaf.files(folder))
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients)
    return context


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
