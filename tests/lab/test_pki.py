"""The lab clusters' own certificates: strict clients accept them, and a killed run leaves no half set."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import verification

from meshkit.lab import pki
from meshkit.lab.topology import Node


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Node:
    """A node in a lab folder of the test's own."""
    monkeypatch.setenv("MESHKIT_LAB_DIR", str(tmp_path))
    return Node("aks", 1)


def certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())


def test_the_api_servers_certificate_passes_a_strict_verifier(node: Node) -> None:
    """RFC 5280 as Python 3.13 checks it: key identifiers, key usage, the name and the address."""
    folder = pki.ensure(node)
    store = verification.Store([certificate(folder, "ca")])
    for name in (x509.DNSName("kubernetes.default.svc"),):
        verifier = verification.PolicyBuilder().store(store).build_server_verifier(name)
        assert len(verifier.verify(certificate(folder, "api"), [])) == 2


@pytest.mark.parametrize("name", ["api", "admin", "node"])
def test_a_certificate_names_its_issuers_key_and_ends_before_it(node: Node, name: str) -> None:
    """Without the key's name OpenSSL's X509_STRICT refuses it."""
    folder = pki.ensure(node)
    leaf, ca = certificate(folder, name), certificate(folder, "ca")
    own = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    issuers = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert issuers.key_identifier == own.digest
    assert leaf.not_valid_after_utc <= ca.not_valid_after_utc
    leaf.verify_directly_issued_by(ca)


def test_keys_are_private_and_made_once(node: Node) -> None:
    """A second run finds the same CA; folder and files are the owner's alone."""
    folder = pki.ensure(node)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    pki.ensure(node)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_what_a_killed_run_was_making_is_not_trusted(node: Node) -> None:
    """Half a set is thrown away and a whole one made."""
    partial = node.folder / "pki.partial"
    partial.mkdir(parents=True)
    (partial / "ca.crt").write_text("half")
    folder = pki.ensure(node)
    assert not partial.exists()
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    assert len(context.get_ca_certs()) == 1
