"""Reading certificates back, and whether they can stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshkit.errors import MeshkitError
from meshkit.pki import profiles
from meshkit.pki.authority import Authority
from meshkit.pki.inspect import faults, inspect, is_pair
from meshkit.pki.profiles import Sans

SERVER = profiles.load("server")
SANS = SERVER.sans(datacenter="eks", release="consul", namespace="consul")


@pytest.fixture
def leaf(authority: Authority, now: datetime) -> str:
    """A server certificate of datacenter eks, PEM."""
    return authority.issue(SERVER, SANS, "server.eks.consul", now)[0]


def test_inspect_tells_what_was_issued(authority: Authority, leaf: str, now: datetime) -> None:
    """Names in order, times in UTC."""
    info = inspect(leaf)
    assert (info.subject, info.sans, info.spiffe) == ("CN=server.eks.consul", SANS, ())
    assert (info.not_before, info.not_after) == (now - timedelta(minutes=5), now + timedelta(days=365))
    assert inspect(authority.certificate_pem).fingerprint == authority.fingerprint


def test_a_certificate_without_names_has_none(authority: Authority) -> None:
    """As the CA's own."""
    assert inspect(authority.certificate_pem).sans == Sans()


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_an_error(text: str) -> None:
    """One line, whatever stands there."""
    with pytest.raises(MeshkitError, match="a certificate is damaged"):
        inspect(text)


def test_a_new_certificate_can_stay(authority: Authority, leaf: str, now: datetime) -> None:
    """Nothing to say against it."""
    assert list(faults(leaf, SANS, authority.certificate_pem, now)) == []


def test_addresses_are_compared_by_meaning(authority: Authority, now: datetime) -> None:
    """A profile may write an IPv6 address at length; otherwise every run would replace the certificate."""
    sans = replace(SANS, ip=("127.0.0.1", "::1"))
    pem, _ = authority.issue(SERVER, replace(SANS, ip=("0:0:0:0:0:0:0:1", "127.0.0.1")), "x", now)
    assert list(faults(pem, sans, authority.certificate_pem, now)) == []


AGES = {
    "one third of the lifetime is over": (timedelta(days=121), None),
    "two thirds but a day are over": (timedelta(days=242), None),
    "two thirds are over": (timedelta(days=244), "two thirds of its lifetime are over, it ends on 2031-01-02"),
    "a second is left": (timedelta(days=365) - timedelta(seconds=1), "two thirds of its lifetime are over"),
    "it is over": (timedelta(days=365), "it ended on 2031-01-02"),
    "it is long over": (timedelta(days=3000), "it ended on 2031-01-02"),
    "it has not begun": (-timedelta(hours=1), "it begins on 2030-01-02, which is not yet"),
}


@pytest.mark.parametrize(("age", "expected"), AGES.values(), ids=AGES.keys())
def test_a_certificate_is_renewed_in_time(
    authority: Authority, leaf: str, now: datetime, age: timedelta, expected: str | None
) -> None:
    """After two thirds of its life, which leaves months for whoever runs meshkit seldom."""
    found = list(faults(leaf, SANS, authority.certificate_pem, now + age))
    assert len(found) == (expected is not None)
    assert not expected or found[0].startswith(expected)


def test_a_missing_name_is_a_fault(authority: Authority, leaf: str, now: datetime) -> None:
    """A profile was changed, or the namespace."""
    said = ["its names are not those of profile and values"]
    for wanted in (replace(SANS, dns=(*SANS.dns, "new.name")), replace(SANS, ip=()), replace(SANS, dns=SANS.dns[1:])):
        assert list(faults(leaf, wanted, authority.certificate_pem, now)) == said


def test_another_ca_is_a_fault(leaf: str, now: datetime) -> None:
    """Even one of the same name."""
    other = Authority.create(profiles.load("ca"), "mesh", now)
    assert list(faults(leaf, SANS, other.certificate_pem, now)) == ["it is not signed by the federation's CA"]


def test_all_faults_are_told(leaf: str, now: datetime) -> None:
    """The user sees why, not only that."""
    other = Authority.create(profiles.load("ca"), "other", now)
    assert len(list(faults(leaf, Sans(), other.certificate_pem, now + timedelta(days=400)))) == 3


def test_a_damaged_certificate_is_a_fault(authority: Authority, now: datetime) -> None:
    """It is replaced like any other that can't stay, and no reason to stop."""
    assert list(faults("rubbish", SANS, authority.certificate_pem, now)) == ["it is damaged"]


# A damaged serial number is warned about before it is refused.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(28, 800), byte=st.integers(0, 255))
def test_a_damaged_byte_is_a_fault(authority: Authority, leaf: str, now: datetime, place: int, byte: int) -> None:
    """Whatever it hits, and it is never another exception."""
    content = bytearray(leaf.encode())
    content[place % len(content)] = byte
    damaged = content.decode(errors="replace")
    found = list(faults(damaged, SANS, authority.certificate_pem, now))
    if not found:
        assert inspect(damaged).fingerprint == inspect(leaf).fingerprint


def test_certificate_and_key_are_a_pair_or_not(authority: Authority, now: datetime) -> None:
    """A torn pair would only show as a server that does not start."""
    one, other = (authority.issue(SERVER, SANS, "x", now) for _ in range(2))
    assert is_pair(one[0], one[1].reveal())
    assert not is_pair(one[0], other[1].reveal())
    assert not is_pair(one[0], "")
    assert not is_pair("", one[1].reveal())
    assert not is_pair(one[0], one[1].reveal()[:60])
