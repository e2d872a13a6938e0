"""The reader of certificates, held against another one's reading, and against damage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from meshkit.probes.mechanisms import certificate
from meshkit.probes.reasons import Failed

KEY = ec.generate_private_key(ec.SECP256R1())
KINDS = st.sampled_from([
    NameOID.COMMON_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.ORGANIZATIONAL_UNIT_NAME,
    NameOID.LOCALITY_NAME,
    NameOID.STATE_OR_PROVINCE_NAME,
])  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
NAMES = st.lists(st.builds(x509.NameAttribute, KINDS, TEXTS), max_size=4).map(x509.Name)
LABELS = st.from_regex(r"[a-z0-9_-]{1,20}(\.[a-z0-9]{1,10}){0,3}", fullmatch=True)
GENERAL = st.one_of(
    st.builds(x509.DNSName, LABELS),
    st.builds(x509.RFC822Name, LABELS.map(lambda name: f"a@{name}")),
    st.builds(x509.UniformResourceIdentifier, LABELS.map(lambda name: f"spiffe://{name}")),
    st.builds(x509.IPAddress, st.ip_addresses()),
)
TIMES = st.datetimes(datetime(1950, 1, 1), datetime(2150, 1, 1)).map(lambda t: t.replace(microsecond=0))  # noqa: DTZ001, what the builder takes


def _make(subject: x509.Name, issuer: x509.Name, begin: datetime, end: datetime, names: list[Any]) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256())


@given(NAMES, NAMES, TIMES, TIMES, st.lists(GENERAL, max_size=5))
def test_every_field_is_read_as_another_library_reads_it(
    subject: x509.Name, issuer: x509.Name, begin: datetime, end: datetime, names: list[Any]
) -> None:
    made = _make(subject, issuer, min(begin, end), max(begin, end), names)
    found = certificate.read(made.public_bytes(serialization.Encoding.DER))
    assert found.subject == made.subject.rfc4514_string()
    assert found.issuer == made.issuer.rfc4514_string()
    assert found.not_before == made.not_valid_before_utc.timestamp()
    assert found.not_after == made.not_valid_after_utc.timestamp()
    expected = [str(n.value) for n in names if not isinstance(n, x509.UniformResourceIdentifier)]
    assert list(found.names) == expected
    assert list(found.uris) == [n.value for n in names if isinstance(n, x509.UniformResourceIdentifier)]


SOUND = _make(
    x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")]),
    x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA")]),
    datetime.now(UTC) - timedelta(hours=1),
    datetime.now(UTC) + timedelta(hours=1),
    [
        x509.DNSName("web"),
        x509.UniformResourceIdentifier("spiffe://td/ns/a"),
        x509.IPAddress(ip_address("::1")),
    ],
).public_bytes(serialization.Encoding.DER)


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_bytes_are_read_or_refused_and_nothing_else(damage: list[tuple[int, int]]) -> None:
    data = bytearray(SOUND)
    for place, value in damage:
        data[place] = value
    _read_or_refuse(bytes(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    _read_or_refuse(data)


def _read_or_refuse(data: bytes) -> None:
    reason, detail = "tls_garbage", ""
    try:
        certificate.read(data)
    except Failed as failure:
        reason, detail = failure.reason, failure.detail
    assert reason == "tls_garbage"
    assert not detail or detail.isprintable()


def test_no_beginning_of_a_certificate_is_one() -> None:
    for length in range(len(SOUND)):
        with pytest.raises(Failed):
            certificate.read(SOUND[:length])


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        pytest.param(SOUND + b"\0", "something follows", id="a tail"),
        pytest.param(b"\x30\x80\x00\x00", "indefinite", id="an indefinite length"),
        pytest.param(b"\x30\x85\x01\x00\x00\x00\x00", "huge", id="a length of five octets"),
        pytest.param(b"\x30\x81\x03\x02\x01\x00", "shortest form", id="a length longer than need be"),
        pytest.param(b"\x30\x82\x00\x80" + bytes(128), "shortest form", id="a length with a leading zero"),
        pytest.param(b"\x3f\x81\x00", "several octets", id="a tag of several octets"),
        pytest.param(b"\x31\x00", "belongs", id="another tag"),
    ],
)
def test_what_is_not_strict_der_is_refused_with_what_is_wrong(data: bytes, detail: str) -> None:
    with pytest.raises(Failed) as refusal:
        certificate.read(data)
    assert detail in refusal.value.detail


@pytest.mark.parametrize(
    ("uris", "spiffe"),
    [
        (("spiffe://td/a",), "spiffe://td/a"),
        (("spiffe://td/a", "spiffe://td/b"), ""),
        (("spiffe://td/a", "https://td/"), ""),
        (("https://td/",), ""),
        ((), ""),
    ],
)
def test_an_identity_is_the_only_uri_or_there_is_none(uris: tuple[str, ...], spiffe: str) -> None:
    assert certificate.Certificate("", "", (), uris, 0.0, 1.0).spiffe == spiffe
