"""Kubeconfigs that are wrong in one way, made from the lab's."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from clusters import Lab
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from meshkit.backends.base import Permission
from meshkit.federation.facts import needed_permissions
from meshkit.lab import register

ENDED = datetime(2026, 1, 2, tzinfo=UTC)
ACCOUNT = "federator"


def unreachable(lab: Lab, context: str, place: Path) -> Path:
    """Nothing listens where the API server should be."""
    document = _read(lab)
    _cluster(document, context)["server"] = f"https://{register.find(context).address}:6444"
    return _write(place, document)


def untrusted(lab: Lab, context: str, place: Path) -> Path:
    """The CA of another cluster."""
    document = _read(lab)
    other = next(name for name in lab.names if name != context)
    authority = _cluster(document, other)["certificate-authority-data"]
    _cluster(document, context)["certificate-authority-data"] = authority
    return _write(place, document)


def expired(lab: Lab, context: str, place: Path) -> Path:
    """An administrator's client certificate that ended on ``ENDED``."""
    document = _read(lab)
    user = _user(document, context)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(register.find(context).folder / "pki", key)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    user["client-certificate-data"] = base64.b64encode(certificate).decode()
    user["client-key-data"] = base64.b64encode(pem).decode()
    return _write(place, document)


def lacking(lab: Lab, context: str, place: Path, lacked: Permission) -> Path:
    """A service account that may do all that meshkit needs but one thing; it stays in the namespace ``default``."""
    rules = [_rule(needed) for needed in needed_permissions(lacked.namespace) if needed != lacked]
    role = {"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": ACCOUNT}}
    lab.kubectl(context, "apply", "-f", "-", text=json.dumps(role | {"rules": rules}))
    lab.kubectl(context, "create", "serviceaccount", ACCOUNT, check=False)
    lab.kubectl(
        context, "create", "clusterrolebinding", ACCOUNT, f"--clusterrole={ACCOUNT}",
        f"--serviceaccount=default:{ACCOUNT}", check=False,
    )  # fmt: skip
    document = _read(lab)
    user = _user(document, context)
    user.clear()
    user["token"] = lab.kubectl(context, "create", "token", ACCOUNT).strip()
    return _write(place, document)


def _rule(permission: Permission) -> dict[str, list[str]]:
    return {"verbs": [permission.verb], "resources": [permission.resource], "apiGroups": [permission.group]}


def _certificate(pki: Path, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Signed by a lab cluster's CA."""
    authority = x509.load_pem_x509_certificate((pki / "ca.crt").read_bytes())
    signer = serialization.load_pem_private_key((pki / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    names = [(NameOID.ORGANIZATION_NAME, "system:masters"), (NameOID.COMMON_NAME, "admin")]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, text) for oid, text in names]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ENDED - timedelta(days=30))
        .not_valid_after(ENDED)
    )
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _read(lab: Lab) -> dict[str, Any]:
    return dict(yaml.safe_load(lab.kubeconfig.read_text()))


def _write(place: Path, document: dict[str, Any]) -> Path:
    path = place / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    path.chmod(0o600)
    return path


def _cluster(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry["cluster"] for entry in document["clusters"] if entry["name"] == name)


def _user(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry["user"] for entry in document["users"] if entry["name"] == name)
