"""Certificate profiles: what ships is right, what an operator breaks has a name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from meshkit.errors import UsageError
from meshkit.pki import profiles

GOOD = """\
kind = "server"
common_name = "server.{datacenter}.consul"
curve = "secp256r1"
validity_days = 90
skew_minutes = 5
dns = ["server.{datacenter}.consul"]
ip = ["0:0:0:0:0:0:0:1"]
"""


def test_the_shipped_profiles_are_what_the_readme_says() -> None:
    """Ten years for the CA, one for servers, P-256 for both."""
    ca, server = profiles.load("ca"), profiles.load("server")
    assert (ca.kind, ca.curve, ca.validity) == ("ca", "secp256r1", timedelta(days=3650))
    assert (server.kind, server.curve, server.validity) == ("server", "secp256r1", timedelta(days=365))
    assert ca.skew == server.skew == timedelta(minutes=5)


def test_names_are_those_of_one_datacenter() -> None:
    """Every placeholder is filled."""
    sans = profiles.load("server").sans(datacenter="eks", release="consul", namespace="mesh")
    assert sans.dns[:2] == ("server.eks.consul", "*.server.eks.consul")
    assert "*.consul-server.mesh.svc" in sans.dns
    assert not any("{" in name for name in sans.dns)


def test_a_profile_of_ones_own_is_read(tmp_path: Path) -> None:
    """Addresses take their one canonical form."""
    (tmp_path / "server.toml").write_text(GOOD)
    profile = profiles.load("server", tmp_path)
    assert (profile.validity, profile.ip) == (timedelta(days=90), ("::1",))


WRONG = {
    "an unknown kind": ('kind = "server"', 'kind = "client"', "kind: expected one of ca, server"),
    "an unknown curve": ("secp256r1", "secp256k1", "curve: expected one of secp256r1, secp384r1"),
    "a missing key": ("validity_days = 90\n", "", "validity_days: expected a whole number from 1 to 36500"),
    "an unknown key": ("validity_days = 90", "validity_days = 90\nkey_size = 1", "key_size: expected no such key"),
    "a number as text": ("validity_days = 90", 'validity_days = "90"', "validity_days: expected a whole number"),
    "a switch as number": ("validity_days = 90", "validity_days = true", "validity_days: expected a whole number"),
    "no day": ("validity_days = 90", "validity_days = 0", "validity_days: expected a whole number"),
    "more days than a date has": (
        "validity_days = 90",
        "validity_days = 9999999999",
        "validity_days: expected a whole",
    ),
    "days without end as skew": ("skew_minutes = 5", "skew_minutes = 99999", "skew_minutes: expected a whole number"),
    "one name instead of a list": ('["server.{datacenter}.consul"]', '"x"', "dns: expected a list of texts"),
    "a number among the names": ('["server.{datacenter}.consul"]', "[1]", "dns: expected a list of texts"),
    "an unknown placeholder": ('["server.{datacenter}', '["server.{cluster}', "dns: expected placeholders among"),
    "the federation in a server's name": (
        '["server.{datacenter}',
        '["server.{federation}',
        "dns: expected placeholders",
    ),
    "an attribute of a placeholder": ('["server.{datacenter}', '["{datacenter.upper}', "dns: expected placeholders"),
    "an open brace": ('["server.{datacenter}', '["server.{datacenter', "dns: expected placeholders among"),
    "a numbered placeholder": ('"server.{datacenter}.consul"\n', '"{0}"\n', "common_name: expected placeholders among"),
    "a name with a space": ('["server.', '["server .', "dns: expected names of letters"),
    "a name beyond ASCII": ('["server.', '["sérver.', "dns: expected names of letters"),
    "an address that is none": ('"0:0:0:0:0:0:0:1"', '"localhost"', "ip: expected IP addresses"),
    "a common name that can get too long": (
        '"server.{datacenter}.consul"\n',
        '"{datacenter}.{namespace}"\n',
        "common_name: expected at most 64 characters",
    ),
    "broken TOML": ('kind = "server"', "kind =", "Invalid value"),
}


@pytest.mark.parametrize(("before", "after", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_profile_names_file_and_key(tmp_path: Path, before: str, after: str, expected: str) -> None:
    """Nothing is issued from it: the error comes when it is read."""
    path = tmp_path / "server.toml"
    assert before in GOOD
    path.write_text(GOOD.replace(before, after))
    with pytest.raises(UsageError) as caught:
        profiles.load("server", tmp_path)
    assert str(path) in caught.value.message
    assert expected in caught.value.message
    assert "certs/README.md" in caught.value.hint


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "no text"])
def test_a_profile_that_can_not_be_read_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    """Missing, or no UTF-8."""
    if content is not None:
        (tmp_path / "ca.toml").write_bytes(content)
    with pytest.raises(UsageError, match="certificate profile"):
        profiles.load("ca", tmp_path)
