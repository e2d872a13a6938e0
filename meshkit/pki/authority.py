"""The federation's certificate authority.

Rules that no profile can loosen: ECDSA with SHA-256 or better, a CA that can sign leaves only, leaves for servers
that are also clients of each other, random serials, and no leaf that outlives its issuer.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshkit.errors import MeshkitError
from meshkit.pki.inspect import UNREADABLE
from meshkit.pki.material import PrivateKey
from meshkit.pki.profiles import CertProfile, Sans

CURVES: dict[str, type[ec.EllipticCurve]] = {"secp256r1": ec.SECP256R1, "secp384r1": ec.SECP384R1}
PASSPHRASE_HINT = "set MESHKIT_CA_PASSPHRASE, or pass --ca-passphrase-file"  # noqa: S105 - names a variable
RESTORE_HINT = "restore authority.pem in the state directory from a backup"
CERTIFICATE_END = b"-----END CERTIFICATE-----"


class Authority:
    """A CA certificate and its key. Its repr shows the fingerprint and nothing secret."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, profile: CertProfile, federation: str, now: datetime) -> Self:
        """A new CA by a profile of kind ``ca``; ``now`` in UTC."""
        key = ec.generate_private_key(CURVES[profile.curve]())
        name = _name(profile.common_name.format(federation=federation, datacenter="", release="", namespace=""))
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            _builder(name, name, key.public_key(), now - profile.skew, now + profile.validity)
            # Path length 0: whoever steals a leaf's key can't sign further CAs with it.
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(identifier, critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def load(cls, pem: bytes, passphrase: bytes | None) -> Self:
        """From a bundle that ``dump`` made; MeshkitError says whether passphrase or file is at fault."""
        try:
            certificate = x509.load_pem_x509_certificate(pem)
            # Much of a certificate is parsed only when it is asked for; its own signature vouches for every byte.
            certificate.verify_directly_issued_by(certificate)
            public = certificate.public_key()
        except (InvalidSignature, *UNREADABLE) as error:
            raise MeshkitError("the CA file is damaged", hint=RESTORE_HINT) from error
        key = _key(pem.partition(CERTIFICATE_END)[2], passphrase or None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != public:
            raise MeshkitError("the CA's key and certificate do not belong together", hint=RESTORE_HINT)
        return cls(certificate, key)

    def dump(self, passphrase: bytes | None) -> bytes:
        """Certificate and key in one PEM bundle, the key encrypted when there is a passphrase."""
        encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        key = self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        return self.certificate_pem.encode() + key

    @property
    def certificate_pem(self) -> str:
        """The CA certificate, public."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the certificate's DER form, in hexadecimal."""
        return self._certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def not_after(self) -> datetime:
        """When the CA ends, UTC."""
        return self._certificate.not_valid_after_utc

    def issue(self, profile: CertProfile, sans: Sans, common_name: str, now: datetime) -> tuple[str, PrivateKey]:
        """A leaf by a profile of kind ``server``: certificate PEM and key. ``now`` in UTC."""
        if now < self._certificate.not_valid_before_utc:
            begin = self._certificate.not_valid_before_utc
            raise MeshkitError(f"the CA begins on {begin:%Y-%m-%d}, which is not yet", hint="set this machine's clock")
        if now >= self.not_after:
            raise MeshkitError(f"the CA ended on {self.not_after:%Y-%m-%d}", hint="destroy and federate again")
        key = ec.generate_private_key(CURVES[profile.curve]())
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in sans.dns]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in sans.ip]
        issuer_id = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        certificate = (
            # A leaf that outlives its issuer is valid on paper and refused by every verifier.
            _builder(
                _name(common_name),
                self._certificate.subject,
                key.public_key(),
                max(now - profile.skew, self._certificate.not_valid_before_utc),
                min(now + profile.validity, self.not_after),
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            # Servers dial each other with this certificate, so it must serve both ends.
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), PrivateKey(pem.decode())

    def __repr__(self) -> str:
        return f"Authority({self.fingerprint[:16]})"


def _key(pem: bytes, passphrase: bytes | None) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(pem, passphrase)
    except TypeError as error:
        if passphrase is None:
            raise MeshkitError("the CA key is protected by a passphrase", hint=PASSPHRASE_HINT) from error
        raise MeshkitError(
            "a passphrase was given but the CA key has none", hint="run again without the passphrase"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        # A damaged encrypted key decrypts to rubbish, just as a sound one does with the wrong passphrase.
        if passphrase is not None and b"BEGIN ENCRYPTED" in pem:
            raise MeshkitError("the passphrase of the CA key is wrong", hint=PASSPHRASE_HINT) from error
        raise MeshkitError("the CA file is damaged", hint=RESTORE_HINT) from error


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
