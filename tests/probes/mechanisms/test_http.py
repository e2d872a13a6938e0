"""The HTTP mechanism against real sockets on loopback: phases, expectations and redirects; versions have their own."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from meshkit.probes.io import Io
from meshkit.probes.mechanisms.http import HttpTarget
from meshkit.probes.probe import Probe, from_wire
from probes import responders
from probes.authority import Authority, server_context
from probes.once import SERIES, observe

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


def _redirecting(*locations: str) -> Callable[[socket.socket], None]:
    """Each path /N redirects to the Nth location; what is beyond them answers with the request itself."""

    def serve(connection: socket.socket) -> None:
        head = responders.read_head(connection)
        path = head.split(b" ")[1].decode()
        place = int(path.lstrip("/") or 0)
        if place < len(locations):
            answer = f"HTTP/1.1 302 Found\r\nLocation: {locations[place]}\r\nContent-Length: 0\r\n\r\n".encode()
        else:
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head)
        connection.sendall(answer)

    return serve


def test_a_request_has_its_phases_and_the_kernels_round_trip() -> None:
    with responders.tcp(responders.http(HELLO)) as port:
        sample = observe(HttpTarget(f"http://127.0.0.1:{port}/", contains="hello", matches="^hel+o$"))
    assert sample.ok, sample
    assert set(sample.phases) == {"connect", "write", "processing", "transfer"}
    assert sample.rtt_source == "kernel"
    assert sample.rtt_s is not None
    assert 0 < sample.rtt_s <= sample.total_s + sample.rtt_error_s
    assert sample.facts == {"status": 200, "body_bytes": 6}


def test_https_has_a_tls_phase_and_the_certificate(ca: Authority, tmp_path: Path) -> None:
    with responders.tls(server_context(ca.leaf(), tmp_path), responders.http(HELLO)) as port:
        sample = observe(HttpTarget(f"https://localhost:{port}/", roots=ca.root))
    assert sample.ok, sample
    assert set(sample.phases) == {"resolve", "connect", "tls", "write", "processing", "transfer"}
    assert sample.facts["tls"]["subject"] == "CN=leaf"


def test_the_request_says_what_the_target_asks_for() -> None:
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        seen.append(responders.read_head(connection))
        connection.sendall(HELLO)

    with responders.tcp(serve) as port:
        headers = ("Host: web.example", "X-Trace: 1", "User-Agent: other")
        target = HttpTarget(f"http://127.0.0.1:{port}/a b?c=d", method="POST", headers=headers, body="12345")
        assert observe(target).ok
    lines = seen[0].split(b"\r\n")
    assert lines[0] == b"POST /a%20b?c=d HTTP/1.1"
    assert {b"host: web.example", b"x-trace: 1", b"user-agent: other", b"content-length: 5"} <= set(lines)
    assert seen[0].endswith(b"\r\n\r\n12345")


def test_another_address_can_be_asked_for_the_urls_host() -> None:
    with responders.tcp(_redirecting()) as port:
        target = HttpTarget(
            "http://web.invalid/", connect_host="127.0.0.1", connect_port=port, contains="host: web.invalid"
        )
        assert observe(target).ok


@pytest.mark.parametrize(
    ("wanted", "answer", "reason"),
    [
        pytest.param({}, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "http_status", id="not found"),
        pytest.param(
            {"statuses": (404,)}, b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", "ok", id="not found, as hoped"
        ),
        pytest.param({"statuses": (204,)}, HELLO, "http_status", id="good, but not the expected status"),
        pytest.param({}, b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "http_status", id="a redirect not followed"),
        pytest.param({"contains": "world"}, HELLO, "http_body", id="a text that is missing"),
        pytest.param({"matches": "^w"}, HELLO, "http_body", id="an expression that does not match"),
        pytest.param({"max_bytes": 5}, HELLO, "http_too_large", id="one byte too many"),
        pytest.param({"max_bytes": 6}, HELLO, "ok", id="exactly as much as may come"),
        pytest.param(
            {},
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 19\r\n\r\nRBAC: access denied",
            "denied",
            id="the mesh refuses",
        ),
        pytest.param(
            {}, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n", "http_status", id="the service refuses"
        ),
    ],
)
def test_the_answer_is_held_against_what_is_wanted(wanted: dict[str, Any], answer: bytes, reason: str) -> None:
    with responders.tcp(responders.http(answer, stays=False)) as port:
        sample = observe(HttpTarget(f"http://127.0.0.1:{port}/", **wanted), timeout_s=2.0)
    assert sample.reason == reason, sample


def test_redirects_are_followed_each_on_a_connection_of_its_own() -> None:
    with responders.tcp(_redirecting("/1", "2")) as port:
        url = f"http://127.0.0.1:{port}"
        sample = observe(HttpTarget(f"{url}/0", redirects=2))
    assert sample.ok, sample
    assert sample.facts["hops"] == [{"url": f"{url}/0", "status": 302}, {"url": f"{url}/1", "status": 302}]
    assert sample.facts["status"] == 200
    assert set(sample.phases) == {"connect", "write", "processing", "transfer"}


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        pytest.param("/0", "http_redirects", id="in a circle"),
        pytest.param("ftp://127.0.0.1/", "http_garbage", id="to no web server"),
        pytest.param("http://:80/", "http_garbage", id="to no host"),
        pytest.param("http://127.0.0.1:99999/", "http_garbage", id="to no port"),
        pytest.param("http://[::1/", "http_garbage", id="to half an address"),
    ],
)
def test_redirects_that_lead_nowhere_have_a_reason(location: str, reason: str) -> None:
    with responders.tcp(_redirecting(location)) as port:
        sample = observe(HttpTarget(f"http://127.0.0.1:{port}/0", redirects=3))
    assert sample.reason == reason, sample
    assert len(sample.facts["hops"]) == (4 if reason == "http_redirects" else 1)


def test_a_redirect_to_another_host_gets_no_credentials() -> None:
    with responders.tcp(_redirecting()) as second, responders.tcp(_redirecting(f"http://127.0.0.1:{second}/")) as first:
        headers = ("Authorization: Bearer canary", "X-Trace: 1", "Host: web.example")
        sample = observe(
            HttpTarget(
                f"http://127.0.0.1:{first}/0", headers=headers, redirects=1, matches=r"(?s)\A(?!.*canary).*x-trace: 1"
            )
        )
    assert sample.ok, sample


def test_a_redirect_that_breaks_off_keeps_only_the_phases_reached_before() -> None:
    closed = responders.closed_port()
    with responders.tcp(_redirecting(f"http://127.0.0.1:{closed}/")) as port:
        sample = observe(HttpTarget(f"http://127.0.0.1:{port}/0", redirects=1))
    assert sample.reason == "refused"
    assert len(sample.facts["hops"]) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"url": "example.com"},
        {"url": "ftp://example.com/"},
        {"url": "http:///path"},
        {"url": "http://user:secret@example.com/"},
        {"url": "http://exämple.com/"},
        {"url": "http://example.com:port/"},
        {"method": "GET /"},
        {"headers": ("no colon",)},
        {"headers": ("A: b\r\nC: d",)},
        {"headers": ("Content-Length: 5",)},
        {"version": "3"},
        {"matches": "("},
        {"verify": "perhaps"},
    ],
)
def test_a_target_that_makes_no_sense_is_refused_when_it_is_made(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        HttpTarget(**{"url": "http://example.com/", **values})
    assert "secret" not in str(refusal.value)


def test_a_target_travels_as_json() -> None:
    target = HttpTarget("https://example.com/", headers=("A: b",), statuses=(200, 204), verify="none")
    probe = Probe("id", SERIES, target)
    assert from_wire(probe.as_wire()) == probe


@pytest.fixture
def faulty(ca: Authority, tmp_path: Path) -> Iterator[list[HttpTarget]]:
    """A target for each way in which a probe can end: well, early, late and in the middle."""
    with ExitStack() as stack:
        plain = [
            stack.enter_context(responders.tcp(serve))
            for serve in (
                responders.http(HELLO),
                responders.http(b"rubbish"),
                responders.stay,
                responders.reset,
                _redirecting("/0"),
            )
        ]
        context = server_context(ca.leaf(), tmp_path)
        secure = stack.enter_context(responders.tls(context, responders.http(HELLO)))
        yield [
            *(HttpTarget(f"http://127.0.0.1:{port}/0", redirects=1) for port in plain),
            HttpTarget(f"https://127.0.0.1:{secure}/", roots=ca.root),
            HttpTarget(f"https://127.0.0.1:{secure}/"),
            HttpTarget(f"https://127.0.0.1:{secure}/", roots=ca.root, version="2"),
            HttpTarget(f"https://127.0.0.1:{plain[2]}/"),
        ]


def test_no_end_of_a_probe_leaks_a_descriptor(faulty: list[HttpTarget]) -> None:
    io = Io()
    before = _descriptors()
    reasons = {observe(target, timeout_s=0.1, io=io).reason for _ in range(10) for target in faulty}
    assert {"ok", "http_garbage", "timeout_processing", "tls_untrusted", "tls_alpn", "timeout_tls"} <= reasons
    deadline = time.monotonic() + 5.0
    while _descriptors() > before and time.monotonic() < deadline:
        os.sched_yield()  # the servers' threads still close their ends
    assert _descriptors() <= before
    io.close()


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("matches", "body"),
    [
        pytest.param(r"(a+)+$", b"a" * 60 + b"b", id="an expression that is exponential"),
        pytest.param(r"\s+$", b" " * 500_000 + b"x", id="a body that makes an innocent one quadratic"),
    ],
)
def test_an_expression_that_backtracks_does_not_keep_the_loop(matches: str, body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    began = time.monotonic()
    with responders.tcp(responders.http(answer)) as port:
        sample = observe(HttpTarget(f"http://127.0.0.1:{port}/", matches=matches))
    assert (sample.reason, "too long" in sample.detail) == ("http_body", True)
    assert time.monotonic() - began < 3


def test_a_redirect_to_a_host_longer_than_any_name_leads_nowhere() -> None:
    with responders.tcp(_redirecting(f"http://{'a.' * 200}invalid/")) as port:
        sample = observe(HttpTarget(f"http://127.0.0.1:{port}/", redirects=1))
    assert sample.reason == "http_garbage", sample
