"""The rules of the authority, which no profile can loosen."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshkit.errors import MeshkitError
from meshkit.pki import profiles
from meshkit.pki.authority import Authority
from meshkit.pki.material import PrivateKey
from meshkit.pki.profiles import CertProfile, Sans

SERVER = profiles.load("server")
SANS = SERVER.sans(datacenter="eks", release="consul", namespace="consul")
SECOND = timedelta(seconds=1)


def issue(authority: Authority, now: datetime, profile: CertProfile = SERVER) -> tuple[x509.Certificate, PrivateKey]:
    pem, key = authority.issue(profile, SANS, "server.eks.consul", now)
    return x509.load_pem_x509_certificate(pem.encode()), key


def ca(authority: Authority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.certificate_pem.encode())


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.Extension[x509.ExtensionType]:
    return certificate.extensions.get_extension_for_class(kind)


def test_the_ca_signs_leaves_only(authority: Authority) -> None:
    """Path length 0, and no key usage beyond signing certificates and revocation lists."""
    basic, usage = extension(ca(authority), x509.BasicConstraints), extension(ca(authority), x509.KeyUsage)
    assert (basic.value, basic.critical) == (x509.BasicConstraints(ca=True, path_length=0), True)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert usage.value.crl_sign
    assert not usage.value.digital_signature


def test_a_leaf_can_not_sign(authority: Authority, now: datetime) -> None:
    """It is no CA and says so critically."""
    leaf, _ = issue(authority, now)
    basic, usage = extension(leaf, x509.BasicConstraints), extension(leaf, x509.KeyUsage)
    assert (basic.value, basic.critical) == (x509.BasicConstraints(ca=False, path_length=None), True)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign


def test_a_leaf_serves_both_ends(authority: Authority, now: datetime) -> None:
    """Consul servers dial each other with the certificate that they answer with."""
    leaf, _ = issue(authority, now)
    assert set(extension(leaf, x509.ExtendedKeyUsage).value) == {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    }


def test_a_leaf_has_the_names_of_its_datacenter(authority: Authority, now: datetime) -> None:
    """Above all the wildcard by which other datacenters reach single servers through the gateways."""
    leaf, _ = issue(authority, now)
    names = extension(leaf, x509.SubjectAlternativeName).value
    dns = names.get_values_for_type(x509.DNSName)
    assert {"server.eks.consul", "*.server.eks.consul", "consul-server.consul.svc", "localhost"} <= set(dns)
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    ]
    assert not any("{" in name or "aks" in name for name in dns)


def test_signature_and_key_are_ecdsa_with_sha_256(authority: Authority, now: datetime) -> None:
    """P-256 as the profile says, and the leaf's key is the one that comes with it."""
    leaf, key = issue(authority, now)
    private = serialization.load_pem_private_key(key.reveal().encode(), None)
    assert isinstance(leaf.signature_hash_algorithm, hashes.SHA256)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.curve.name == "secp256r1"
    assert private.public_key() == leaf.public_key()
    leaf.verify_directly_issued_by(ca(authority))


def test_a_profile_chooses_the_curve(authority: Authority, now: datetime) -> None:
    """P-384 for those who must."""
    leaf, _ = issue(authority, now, replace(SERVER, curve="secp384r1"))
    public = leaf.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp384r1"


def test_certificates_begin_before_they_are_made(authority: Authority, now: datetime) -> None:
    """A clock that is a few minutes slow must not refuse them; that of the CA bounds that of the leaf."""
    leaf, _ = issue(authority, now + timedelta(days=1))
    assert ca(authority).not_valid_before_utc == now - timedelta(minutes=5)
    assert leaf.not_valid_before_utc == now + timedelta(days=1) - timedelta(minutes=5)


def test_a_leaf_is_valid_as_long_as_its_profile_says(authority: Authority, now: datetime) -> None:
    """A year, as shipped."""
    leaf, _ = issue(authority, now)
    assert leaf.not_valid_after_utc == now + timedelta(days=365)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    age=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650) - SECOND),
    validity=st.timedeltas(min_value=timedelta(days=1), max_value=timedelta(days=36500)),
)
def test_no_leaf_outlives_its_issuer(authority: Authority, now: datetime, age: timedelta, validity: timedelta) -> None:
    """Nor begins before it, whenever it is made and whatever its profile wants."""
    leaf, _ = issue(authority, now + age, replace(SERVER, validity=validity))
    assert ca(authority).not_valid_before_utc <= leaf.not_valid_before_utc < leaf.not_valid_after_utc
    assert leaf.not_valid_after_utc <= authority.not_after


def test_a_ca_that_ended_signs_nothing(authority: Authority) -> None:
    """To the second."""
    assert issue(authority, authority.not_after - SECOND)
    with pytest.raises(MeshkitError, match="the CA ended on 2039-12-31"):
        issue(authority, authority.not_after)


def test_a_ca_of_the_future_signs_nothing(authority: Authority, now: datetime) -> None:
    """This machine's clock was set back; the leaf would begin after it ends."""
    with pytest.raises(MeshkitError, match="not yet") as caught:
        issue(authority, now - timedelta(days=1))
    assert "clock" in caught.value.hint


def test_serial_numbers_differ(authority: Authority, now: datetime) -> None:
    """Random, 160 bits."""
    assert len({issue(authority, now)[0].serial_number for _ in range(5)}) == 5


def test_every_ca_is_another(authority: Authority, now: datetime) -> None:
    """Two federations of one name trust nothing of each other."""
    other = Authority.create(profiles.load("ca"), "mesh", now)
    leaf, _ = issue(other, now)
    assert other.fingerprint != authority.fingerprint
    with pytest.raises(InvalidSignature):
        leaf.verify_directly_issued_by(ca(authority))


@pytest.mark.parametrize("passphrase", [None, b"", b"correct horse"], ids=["none", "empty", "given"])
def test_a_bundle_comes_back_as_it_went(authority: Authority, now: datetime, passphrase: bytes | None) -> None:
    """And signs as before."""
    loaded = Authority.load(authority.dump(passphrase), passphrase)
    leaf, _ = issue(loaded, now)
    assert loaded.fingerprint == authority.fingerprint
    leaf.verify_directly_issued_by(ca(authority))


def test_the_key_is_encrypted_under_a_passphrase(authority: Authority) -> None:
    """The bundle without it is worth nothing to a thief."""
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in authority.dump(b"correct horse")


def bundle(authority: Authority, now: datetime) -> dict[str, tuple[bytes, bytes | None, str]]:
    plain, encrypted = authority.dump(None), authority.dump(b"right")
    certificate, key = plain[: plain.index(b"-----BEGIN PRIVATE")], plain[plain.index(b"-----BEGIN PRIVATE") :]
    other = Authority.create(profiles.load("ca"), "mesh", now).dump(None)
    return {
        "a wrong passphrase": (encrypted, b"wrong", "the passphrase of the CA key is wrong"),
        "a missing passphrase": (encrypted, None, "the CA key is protected by a passphrase"),
        "a needless passphrase": (plain, b"right", "a passphrase was given but the CA key has none"),
        "an empty file": (b"", None, "the CA file is damaged"),
        "no certificate": (key, None, "the CA file is damaged"),
        "no key": (certificate, None, "the CA file is damaged"),
        "a cut key": (plain[:-60], None, "the CA file is damaged"),
        "a damaged certificate under a passphrase": (encrypted[200:], b"right", "the CA file is damaged"),
        "no PEM": (b"\x00\xff" * 100, None, "the CA file is damaged"),
        "another CA's key": (certificate + other[other.index(b"-----BEGIN PRIVATE") :], None, "do not belong together"),
        "a key of another kind": (certificate + _ed25519(), None, "do not belong together"),
    }


def _ed25519() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - only here

    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


BROKEN = [
    "a wrong passphrase",
    "a missing passphrase",
    "a needless passphrase",
    "an empty file",
    "no certificate",
    "no key",
    "a cut key",
    "a damaged certificate under a passphrase",
    "no PEM",
    "another CA's key",
    "a key of another kind",
]


@pytest.mark.parametrize("case", BROKEN)
def test_a_bundle_that_does_not_load_says_why(authority: Authority, now: datetime, case: str) -> None:
    """Passphrase and file are told apart, and the hint says what to do."""
    content, passphrase, expected = bundle(authority, now)[case]
    with pytest.raises(MeshkitError, match=expected) as caught:
        Authority.load(content, passphrase)
    assert caught.value.hint


# A damaged serial number is warned about before it is refused.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 900), byte=st.integers(0, 255))
def test_a_damaged_byte_never_loads_as_something_else(authority: Authority, place: int, byte: int) -> None:
    """Either it is the same CA, or a MeshkitError."""
    content = bytearray(authority.dump(None))
    content[place % len(content)] = byte
    try:
        loaded = Authority.load(bytes(content), None)
    except MeshkitError:
        return
    assert loaded.fingerprint == authority.fingerprint


def test_the_repr_shows_the_fingerprint_only(authority: Authority) -> None:
    """Neither key nor certificate."""
    assert repr(authority) == f"Authority({authority.fingerprint[:16]})"


def test_names_go_into_the_certificate_as_given(authority: Authority, now: datetime) -> None:
    """An authority fills no template: that is the profile's part."""
    pem, _ = authority.issue(SERVER, Sans(("a.b",), ()), "x", now)
    names = extension(x509.load_pem_x509_certificate(pem.encode()), x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.b"]
