"""The DNS mechanism against real sockets on loopback: servers that are right, broken, slow and lying."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.probes.mechanisms import dns as mechanism
from meshkit.probes.mechanisms.dns import DnsTarget
from probes import responders
from probes.mechanisms.test_udp import Reply, server
from probes.once import observe

NAME = "web.service.consul"


def answer(data: bytes, *records: str, rcode: int = 0, flags: int = 0) -> Any:
    """The response to a query with these records: "A 10.0.0.1"."""
    query = dns.message.from_wire(data)
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.Rcode(rcode))
    response.flags |= flags
    for record in records:
        kind, value = record.split(" ", 1)
        response.answer.append(dns.rrset.from_text(query.question[0].name, 30, "IN", kind, value))
    return response


def answers(*records: str, rcode: int = 0) -> Reply:
    def reply(endpoint: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
        endpoint.sendto(answer(data, *records, rcode=rcode).to_wire(), sender)

    return reply


@pytest.mark.parametrize(
    ("kind", "record", "value"),
    [("A", "A 10.0.0.1", "10.0.0.1"), ("AAAA", "AAAA fd00::1", "fd00::1"), ("SRV", "SRV 1 1 80 a.b.", "1 1 80 a.b.")],
)
def test_an_answer_gives_its_records_and_the_kernels_round_trip(kind: str, record: str, value: str) -> None:
    with server(answers(record)) as port:
        sample = observe(DnsTarget(NAME, kind, "127.0.0.1", port))
    assert (sample.reason, sample.rtt_source) == ("ok", "kernel")
    assert (sample.facts["answers"], sample.facts["ttl"], sample.facts["rcode"]) == ([value], 30, "NOERROR")
    assert "QR" in sample.facts["flags"]


@pytest.mark.parametrize(
    ("rcode", "reason"),
    [(3, "name_not_found"), (5, "dns_refused"), (2, "dns_failed"), (0, "name_no_data"), (4, "dns_failed")],
)
def test_each_way_to_have_no_answer_has_its_reason(rcode: int, reason: str) -> None:
    with server(answers(rcode=rcode)) as port:
        assert observe(DnsTarget(NAME, "A", "127.0.0.1", port)).reason == reason


def test_a_liar_does_not_end_the_probe_before_the_true_answer_comes() -> None:
    def lie_first(endpoint: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
        lie = answer(data, "A 6.6.6.6")
        lie.id ^= 1
        endpoint.sendto(lie.to_wire(), sender)
        answers("A 10.0.0.1")(endpoint, data, sender)

    with server(lie_first) as port:
        sample = observe(DnsTarget(NAME, "A", "127.0.0.1", port))
    assert (sample.reason, sample.facts["answers"], sample.facts["garbage"]) == ("ok", ["10.0.0.1"], 1)


def _other_question(endpoint: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
    query = dns.message.make_query("other.test", "A", id=dns.message.from_wire(data).id)
    endpoint.sendto(dns.message.make_response(query).to_wire(), sender)


def _other_sender(endpoint: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
    del endpoint
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
        liar.bind(("127.0.0.2", 0))
        liar.sendto(answer(data, "A 6.6.6.6").to_wire(), sender)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        pytest.param(_other_question, "another question", id="another question"),
        pytest.param(_other_sender, "127.0.0.2", id="another sender"),
        pytest.param(lambda e, d, s: e.sendto(d, s), "another question", id="the query itself"),
        pytest.param(lambda e, _, s: e.sendto(b"HTTP/1.1 400", s), "not a DNS message", id="not DNS"),
    ],
)
def test_what_is_not_the_answer_is_named_when_nothing_else_comes(reply: Reply, says: str) -> None:
    with server(reply) as port:
        sample = observe(DnsTarget(NAME, "A", "127.0.0.1", port), timeout_s=1.0)
    assert (sample.reason, sample.rtt_s) == ("dns_garbage", None)
    assert says in sample.detail


def test_a_silent_server_ends_the_probe_at_its_deadline() -> None:
    with server(lambda *_: None) as port:
        sample = observe(DnsTarget(NAME, "A", "127.0.0.1", port), timeout_s=0.1)
    assert (sample.reason, sample.rtt_s) == ("timeout_reply", None)


def _over_tcp(connection: socket.socket) -> None:
    wire = answer(connection.recv(4096)[2:], "A 10.0.0.1").to_wire()
    for byte in len(wire).to_bytes(2, "big") + wire:
        connection.sendall(bytes([byte]))


def test_tcp_answers_may_come_byte_by_byte() -> None:
    with responders.tcp(_over_tcp) as port:
        sample = observe(DnsTarget(NAME, "A", "127.0.0.1", port, "tcp"))
    assert (sample.reason, sample.facts["answers"], set(sample.phases)) == ("ok", ["10.0.0.1"], {"connect", "reply"})


def test_a_truncated_answer_is_asked_for_again_over_tcp() -> None:
    def truncated(endpoint: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
        endpoint.sendto(answer(data, flags=dns.flags.TC).to_wire(), sender)

    with responders.tcp(_over_tcp) as port, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind(("127.0.0.1", port))
        with server(truncated, endpoint):
            sample = observe(DnsTarget(NAME, "A", "127.0.0.1", port))
    assert (sample.reason, sample.facts["answers"], sample.facts["truncated"]) == ("ok", ["10.0.0.1"], True)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x04abcd", b"\xff\xffabc"])
def test_a_tcp_answer_that_ends_early_or_is_not_dns_has_a_reason(data: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(data)

    with responders.tcp(serve) as port:
        assert observe(DnsTarget(NAME, "A", "127.0.0.1", port, "tcp")).reason in {"closed", "dns_garbage"}


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "a." * 200, "a..b", "\ud800.test"])
def test_what_is_not_a_name_is_not_found(name: str) -> None:
    sample = observe(DnsTarget(name, "A", "127.0.0.1", responders.closed_port()))
    assert sample.reason == "name_not_found"


def test_a_name_outside_ascii_is_asked_for_as_idna() -> None:
    asked: list[str] = []

    def reply(endpoint: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
        asked.append(str(dns.message.from_wire(data).question[0].name))
        answers("A 10.0.0.1")(endpoint, data, sender)

    with server(reply) as port:
        assert observe(DnsTarget("bücher.test", "A", "127.0.0.1", port)).ok
    assert asked == ["xn--bcher-kva.test."]


def test_the_system_server_is_the_first_of_resolv_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mechanism, "RESOLV_CONF", tmp_path / "resolv.conf")
    assert mechanism.system_server() == "127.0.0.1"
    (tmp_path / "resolv.conf").write_text("# none\nsearch a.test\nnameserver 10.0.0.9\nnameserver 10.0.0.8\n")
    assert mechanism.system_server() == "10.0.0.9"


@pytest.mark.parametrize("wrong", [{"type": "NOPE"}, {"transport": "https"}])
def test_what_can_not_be_asked_is_refused_before_any_probe(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="dns: "):
        DnsTarget(NAME, **wrong)


QUERY = DnsTarget(NAME)._query()
WIRE = answer(QUERY.to_wire(), "A 10.0.0.1").to_wire()


@given(st.binary(max_size=600))
def test_random_bytes_are_never_an_answer(data: bytes) -> None:
    found, why = mechanism.read(data, QUERY)
    assert found is None
    assert why


@given(st.integers(2, len(WIRE) - 1), st.binary(min_size=1, max_size=40))
def test_a_damaged_answer_is_read_or_refused_and_never_a_traceback(at: int, damage: bytes) -> None:
    damaged = WIRE[:at] + damage + WIRE[at + len(damage) :]
    with server(lambda endpoint, data, sender: endpoint.sendto(data[:2] + damaged[2:], sender)) as port:
        sample = observe(DnsTarget(NAME, "A", "127.0.0.1", port), timeout_s=0.02)
    assert sample.reason != "internal"
