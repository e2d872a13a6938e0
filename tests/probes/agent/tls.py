"""Certificates for the servers of these tests: one CA, made once per session of tests."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: str
    key: str


@lru_cache
def _authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, _certificate("ca", key, None, authority=True)


def ca() -> str:
    """The CA's certificate."""
    return _authority()[1].public_bytes(serialization.Encoding.PEM).decode()


def issue(name: str, *, life_s: float = 3600.0, age_s: float = 0.0) -> Pair:
    """A certificate for a DNS name, and the SPIFFE URI that Consul would give it."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(name, key, _authority(), life_s=life_s, age_s=age_s)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return Pair(certificate.public_bytes(serialization.Encoding.PEM).decode(), pem)


def _certificate(  # noqa: PLR0913, a builder's arguments
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None,
    *,
    authority: bool = False,
    life_s: float = 3600.0,
    age_s: float = 0.0,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age_s + 60)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[1].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(seconds=life_s + 60))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer[0] if issuer else key, hashes.SHA256())


def server_context(folder: Path, pair: Pair) -> ssl.SSLContext:
    """For a server that presents this."""
    path = folder / "server.pem"
    path.write_text(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
