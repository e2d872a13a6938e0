"""The TLS mechanism against real sockets on loopback: what a good handshake tells, and what each bad one."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from meshkit.probes.io import Io
from meshkit.probes.mechanisms.secure import presented
from meshkit.probes.mechanisms.tls import TlsTarget
from probes import responders
from probes.authority import HOUR, Authority, server_context
from probes.once import observe, patience_s

SPIFFE = "spiffe://b6fc.consul/ns/default/dc/eks/svc/web"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_handshake_gives_its_phase_the_kernels_round_trip_and_the_certificate(
    ca: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = server_context(ca.leaf(spiffe=SPIFFE), tmp_path)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    with responders.tls(context, responders.stay) as port:
        sample = observe(TlsTarget("127.0.0.1", port, alpn=("http/1.1", "h2"), roots=ca.root))
    assert sample.ok, sample
    assert set(sample.phases) == {"connect", "tls"}
    assert sample.rtt_source == "kernel"
    assert sample.rtt_s is not None
    assert 0 < sample.rtt_s < sample.total_s
    about = sample.facts["tls"]
    assert about["version"] == version.name.replace("_", ".")
    assert about["cipher"]
    assert (about["alpn"], about["subject"], about["issuer"]) == ("h2", "CN=leaf", "CN=test CA")
    assert about["sans"] == ["localhost", "127.0.0.1", SPIFFE]
    assert about["spiffe"] == SPIFFE
    assert about["not_after"] == sample.facts["not_after"] == pytest.approx(time.time() + 3 * 3600, abs=60)
    assert about["not_before"] == sample.facts["not_before"] == pytest.approx(time.time() - 3600, abs=60)
    assert sample.facts["life_left"] == pytest.approx(0.75, abs=0.01)


def test_validity_is_that_of_the_chains_certificate_which_ends_first(ca: Authority, tmp_path: Path) -> None:
    context = server_context(ca.leaf(end=10 * DAY), tmp_path)
    with responders.tls(context, responders.stay) as port:
        sample = observe(TlsTarget("127.0.0.1", port, roots=ca.root))
    assert sample.ok
    assert sample.facts["tls"]["not_after"] == pytest.approx(time.time() + 10 * 86400, abs=60)
    assert sample.facts["not_after"] == pytest.approx(time.time() + 86400, abs=60)  # the root's


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("leaf", "reason"),
    [
        pytest.param({"begin": -2 * DAY, "end": -DAY}, "tls_expired", id="expired"),
        pytest.param({"begin": DAY, "end": 2 * DAY}, "tls_not_yet_valid", id="not valid yet"),
        pytest.param({"names": ("other.example",)}, "tls_wrong_name", id="for another name"),
        pytest.param({"names": ()}, "tls_wrong_name", id="for no name"),
    ],
)
def test_a_bad_certificate_has_its_reason_and_is_shown_as_it_was_presented(
    ca: Authority, tmp_path: Path, version: ssl.TLSVersion, leaf: dict[str, Any], reason: str
) -> None:
    context = server_context(ca.leaf(**leaf), tmp_path)
    context.minimum_version = context.maximum_version = version
    with responders.tls(context, responders.stay) as port:
        sample = observe(TlsTarget("127.0.0.1", port, server_name="localhost", roots=ca.root))
    assert sample.reason == reason, sample
    assert sample.detail
    assert set(sample.phases) == {"connect"}
    assert sample.facts["tls"]["subject"] == "CN=leaf"
    end = leaf.get("end", 3 * HOUR)
    assert sample.facts["tls"]["not_after"] == pytest.approx(time.time() + end.total_seconds(), abs=60)


def test_an_address_that_the_certificate_does_not_name_is_the_wrong_name(ca: Authority, tmp_path: Path) -> None:
    with responders.tls(server_context(ca.leaf(("localhost",)), tmp_path), responders.stay) as port:
        assert observe(TlsTarget("127.0.0.1", port, roots=ca.root)).reason == "tls_wrong_name"


@pytest.mark.parametrize("roots", ["", Authority("another CA").root], ids=["the system's roots", "another CA's"])
def test_an_unknown_ca_is_not_trusted(ca: Authority, tmp_path: Path, roots: str) -> None:
    with responders.tls(server_context(ca.leaf(), tmp_path), responders.stay) as port:
        sample = observe(TlsTarget("127.0.0.1", port, roots=roots))
    assert (sample.reason, sample.facts["tls"]["issuer"]) == ("tls_untrusted", "CN=test CA")


def test_roots_that_are_none_trust_nobody() -> None:
    sample = observe(TlsTarget("127.0.0.1", responders.closed_port(), roots="rubbish"))
    assert (sample.reason, dict(sample.phases)) == ("tls_untrusted", {})


def test_without_verification_any_certificate_will_do_and_is_shown(ca: Authority, tmp_path: Path) -> None:
    leaf = ca.leaf(("other.example",), begin=-2 * DAY, end=-DAY)
    with responders.tls(server_context(leaf, tmp_path), responders.stay) as port:
        sample = observe(TlsTarget("127.0.0.1", port, verify="none"))
    assert sample.ok
    assert sample.facts["tls"]["sans"] == ["other.example"]
    assert sample.facts["life_left"] < 0


@pytest.mark.parametrize("expected", ["", SPIFFE, "/ns/default/dc/eks/svc/web"])
def test_in_the_mesh_a_spiffe_id_takes_the_place_of_a_name(ca: Authority, tmp_path: Path, expected: str) -> None:
    io = Io(identities={"api": ca.identity("spiffe://b6fc.consul/ns/default/dc/aks/svc/api")})
    context = server_context(ca.leaf((), spiffe=SPIFFE), tmp_path, clients=ca.root)
    with responders.tls(context, responders.stay) as port:
        target = TlsTarget("127.0.0.1", port, server_name="web", verify="mesh", identity="api", spiffe=expected)
        sample = observe(target, io=io)
    io.close()
    assert sample.ok, sample


@pytest.mark.parametrize(
    ("presented", "expected"),
    [
        pytest.param(SPIFFE, "spiffe://b6fc.consul/ns/default/dc/eks/svc/db", id="another service"),
        pytest.param(SPIFFE, "spiffe://other.consul/ns/default/dc/eks/svc/web", id="another trust domain"),
        pytest.param(SPIFFE, "/ns/default/dc/eks/svc/we", id="only the beginning of the path"),
        pytest.param("https://example.com/ns", "/ns", id="a URI that is no SPIFFE ID"),
        pytest.param("", "", id="none at all"),
    ],
)
def test_another_spiffe_id_is_the_wrong_identity(ca: Authority, tmp_path: Path, presented: str, expected: str) -> None:
    with responders.tls(server_context(ca.leaf(("web",), spiffe=presented), tmp_path), responders.stay) as port:
        sample = observe(TlsTarget("127.0.0.1", port, verify="mesh", roots=ca.root, spiffe=expected))
    assert (sample.reason, set(sample.phases)) == ("tls_wrong_identity", {"connect", "tls"})


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("greeting", ["", "GET / HTTP/1.1\r\n\r\n"])
def test_a_server_that_demands_a_certificate_answers_with_an_alert(
    ca: Authority, tmp_path: Path, version: ssl.TLSVersion, greeting: str
) -> None:
    context = server_context(ca.leaf(), tmp_path, clients=ca.root)
    context.minimum_version = context.maximum_version = version
    with responders.tls(context, responders.stay) as port:
        sample = observe(TlsTarget("127.0.0.1", port, roots=ca.root, greeting=greeting, linger_s=3.0))
    expected = "certificate_required" if version == ssl.TLSVersion.TLSv1_3 else "handshake_failure"
    assert (sample.reason, sample.detail) == ("tls_alert", f"the target sent the alert {expected}")


def test_a_certificate_of_another_mesh_is_answered_with_an_alert(ca: Authority, tmp_path: Path) -> None:
    io = Io(identities={"api": Authority("another CA").identity(SPIFFE)})
    context = server_context(ca.leaf(), tmp_path, clients=ca.root)
    with responders.tls(context, responders.stay) as port:
        sample = observe(TlsTarget("127.0.0.1", port, roots=ca.root, identity="api", linger_s=3.0), io=io)
    io.close()
    assert (sample.reason, sample.detail) == ("tls_alert", "the target sent the alert unknown_ca")


def test_a_server_that_speaks_none_of_the_offered_protocols_is_found_out(ca: Authority, tmp_path: Path) -> None:
    with responders.tls(server_context(ca.leaf(), tmp_path), responders.stay) as port:
        assert observe(TlsTarget("127.0.0.1", port, roots=ca.root, alpn=("h2",))).reason == "tls_alpn"


def _plain(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example ESMTP ready\r\n")
    responders.stay(connection)


def _close(connection: socket.socket) -> None:
    connection.recv(1024)


def _reset(connection: socket.socket) -> None:
    connection.recv(1)
    responders.reset(connection)


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        pytest.param(_plain, "tls_garbage", id="speaks something else"),
        pytest.param(responders.stay, "timeout_tls", id="silent after accepting"),
        pytest.param(_close, "closed", id="closes in the handshake"),
        pytest.param(_reset, "reset", id="resets in the handshake"),
    ],
)
def test_each_fault_has_its_reason_and_no_tls_phase(serve: Callable[[socket.socket], None], reason: str) -> None:
    with responders.tcp(serve) as port:
        sample = observe(TlsTarget("127.0.0.1", port), timeout_s=patience_s(reason))
    assert (sample.reason, set(sample.phases)) == (reason, {"connect"})
    assert sample.rtt_s is not None
    assert sample.rtt_s > 0


def _deny(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 19\r\n\r\nRBAC: access denied")
    responders.stay(connection)


def _serve(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
    responders.stay(connection)


@pytest.mark.parametrize(
    ("serve", "verify", "reason"),
    [
        pytest.param(_close, "mesh", "denied", id="closes after the first bytes, in the mesh"),
        pytest.param(_reset, "mesh", "denied", id="resets after the first bytes, in the mesh"),
        pytest.param(_close, "none", "closed", id="closes elsewhere"),
        pytest.param(_reset, "none", "reset", id="resets elsewhere"),
        pytest.param(_deny, "mesh", "denied", id="answers with Envoy's refusal"),
        pytest.param(_serve, "mesh", "ok", id="answers"),
        pytest.param(responders.stay, "mesh", "ok", id="stays silent"),
    ],
)
def test_what_follows_the_greeting_tells_whether_the_mesh_refuses(
    ca: Authority, tmp_path: Path, serve: Callable[[socket.socket], None], verify: str, reason: str
) -> None:
    with responders.tls(server_context(ca.leaf(spiffe=SPIFFE), tmp_path), serve) as port:
        greeting = "GET / HTTP/1.1\r\nHost: web\r\n\r\n"
        target = TlsTarget("127.0.0.1", port, verify=verify, roots=ca.root, greeting=greeting, linger_s=0.3)
        sample = observe(target)
    assert (sample.reason, set(sample.phases)) == (reason, {"connect", "tls"}), sample.detail


def test_a_watch_longer_than_the_probe_ends_with_it(ca: Authority, tmp_path: Path) -> None:
    with responders.tls(server_context(ca.leaf(), tmp_path), responders.stay) as port:
        begin = time.monotonic()
        sample = observe(TlsTarget("127.0.0.1", port, roots=ca.root, linger_s=30.0), timeout_s=2.0)
    assert sample.ok
    assert time.monotonic() - begin < 20.0


@pytest.mark.parametrize("name", [".example", "a" * 300, "a\0b"])
def test_a_server_name_that_can_be_none_is_the_wrong_name(ca: Authority, tmp_path: Path, name: str) -> None:
    with responders.tls(server_context(ca.leaf(), tmp_path), responders.stay) as port:
        assert observe(TlsTarget("127.0.0.1", port, roots=ca.root, server_name=name)).reason == "tls_wrong_name"


@pytest.mark.parametrize("values", [{"verify": "yes"}, {"spiffe": "web"}])
def test_a_target_that_makes_no_sense_is_refused_when_it_is_made(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        TlsTarget("127.0.0.1", 443, **values)


@pytest.mark.parametrize("message", [b"", b"\x0b\0\0\0", b"\x0b\0\0\1\xff"])
@pytest.mark.parametrize("tls13", [False, True])
def test_a_certificate_message_that_breaks_off_shows_no_more_than_it_has(message: bytes, tls13: Any) -> None:
    assert presented(SimpleNamespace(presented=message, tls13=tls13)) == []  # type: ignore[arg-type]
