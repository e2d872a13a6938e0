"""Certificates of a lab cluster's own control plane, and the kubeconfigs made from them.

These are Kubernetes' certificates, not Consul's: the lab stands beside the federation and shares nothing with it.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshkit.lab.topology import Node

VALIDITY = timedelta(days=365)
CA_VALIDITY = timedelta(days=3650)
SKEW = timedelta(minutes=5)
PRIVATE = 0o600
ADMIN, NODE = "admin", "node"


def ensure(node: Node) -> Path:
    """The folder with a cluster's keys; made whole or not at all, since a half-made CA would split the cluster."""
    folder = node.folder / "pki"
    if folder.exists():
        return folder
    partial = folder.with_name("pki.partial")
    for old in partial.glob("*") if partial.exists() else ():
        old.unlink()
    partial.mkdir(parents=True, exist_ok=True)
    partial.chmod(0o700)
    _make(node, partial)
    partial.rename(folder)
    return folder


def kubeconfig(node: Node, user: str) -> dict[str, object]:
    """A kubeconfig of the cluster with embedded certificates; ``user`` is ADMIN or NODE."""
    folder = node.folder / "pki"

    def data(name: str) -> str:
        return base64.b64encode((folder / name).read_bytes()).decode()

    name = node.name
    cluster = {"server": f"https://{node.address}:6443", "certificate-authority-data": data("ca.crt")}
    credentials = {"client-certificate-data": data(f"{user}.crt"), "client-key-data": data(f"{user}.key")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": credentials}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def write_kubeconfig(node: Node, user: str) -> Path:
    """The same as a file for the cluster's own components."""
    path = node.folder / f"{user}.kubeconfig"
    _write(path, json.dumps(kubeconfig(node, user)).encode())
    return path


def _make(node: Node, folder: Path) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{node.name} lab CA")
    issuer = _builder(name, name, ca_key.public_key(), CA_VALIDITY)
    ca_certificate = _as_authority(issuer).sign(ca_key, hashes.SHA256())
    _write(folder / "ca.crt", ca_certificate.public_bytes(serialization.Encoding.PEM))
    _write(folder / "ca.key", _pem(ca_key))

    def leaf(file: str, subject: x509.Name, sans: Sequence[str]) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, name, key.public_key(), VALIDITY)
        # Python 3.13 refuses a certificate that does not name its issuer's key.
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
        builder = builder.add_extension(authority, critical=False)
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(usages, critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([_san(s) for s in sans]), critical=False)
        _write(folder / f"{file}.crt", builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        _write(folder / f"{file}.key", _pem(key))

    service = f"{node.service_prefix}.0.1"
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    leaf("api", _name("kube-apiserver"), (node.address, service, "127.0.0.1", "localhost", *names))
    leaf(ADMIN, _name("admin", "system:masters"), (ADMIN,))
    leaf(NODE, _name(f"system:node:{node.name}", "system:nodes"), (node.name, node.address))
    signing = ec.generate_private_key(ec.SECP256R1())
    _write(folder / "sa.key", _pem(signing))
    public = signing.public_key()
    _write(
        folder / "sa.pub",
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    )


def _as_authority(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    """RFC 5280, 4.2.1: what a CA may sign; Python 3.13 insists on it."""
    unused = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, decipher_only=False, **unused)
    basic = x509.BasicConstraints(ca=True, path_length=0)
    return builder.add_extension(basic, critical=True).add_extension(usage, critical=True)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, validity: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + validity)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _san(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    """Private from the first byte: the mode is set when the file is made."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as file:
        file.write(content)
