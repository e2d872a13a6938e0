"""DNS: one question to one server, over UDP or TCP, whatever this machine's own resolver would do.

dnspython builds and reads messages; the sockets are ours, so that the round trip comes from kernel stamps. What is not
the answer (another id, question or sender) does not end the probe: the true answer may still come, and a liar is noted.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from meshkit.probes.aside import aside
from meshkit.probes.datagram import Datagram
from meshkit.probes.io import Io
from meshkit.probes.loop import READ, WRITE, Expired, Steps, Wait
from meshkit.probes.mechanisms.tcp import connect
from meshkit.probes.reasons import Failed, one_line
from meshkit.probes.sample import Record

RESOLV_CONF = Path("/etc/resolv.conf")
SYSTEM = "system"
PAYLOAD = 1232
"""What passes every path unfragmented (DNS flag day 2020)."""

LENGTH = 2
RCODES = {dns.rcode.NXDOMAIN: "name_not_found", dns.rcode.REFUSED: "dns_refused"}
TRANSPORTS = ("udp", "tcp")


@dataclass(frozen=True)
class DnsTarget:
    """A name (absolute, search domains don't apply), a record type, and who is asked.

    ``server`` is a host name or address, or "system": the first of resolv.conf.
    """

    name: str
    type: str = "A"
    server: str = SYSTEM
    port: int = 53
    transport: str = "udp"
    mechanism: ClassVar[str] = "dns"

    def __post_init__(self) -> None:
        """Refuse what can't be asked."""
        if self.transport not in TRANSPORTS:
            raise ValueError(f"dns: transport is {self.transport!r}, not udp or tcp")
        try:
            dns.rdatatype.from_text(self.type)
        except (dns.exception.DNSException, ValueError) as error:
            raise ValueError(f"dns: {self.type!r} is not a record type") from error

    def observe(self, io: Io, record: Record) -> Steps:
        """Ask; a truncated answer over UDP is asked for again over TCP."""
        query = self._query()
        server = system_server() if self.server == SYSTEM else self.server
        record.facts["server"] = server
        if self.transport == "udp":
            answer = yield from self._over_udp(io, record, server, query)
            if answer.flags & dns.flags.TC:
                record.facts["truncated"] = True
                kept = record.rtt_s, record.rtt_source, record.rtt_error_s
                answer = yield from self._over_tcp(io, record, server, query)
                record.rtt_s, record.rtt_source, record.rtt_error_s = kept
        else:
            answer = yield from self._over_tcp(io, record, server, query)
        _describe(answer, record)

    def _query(self) -> Any:
        try:
            name = dns.name.from_text(self.name)
            return dns.message.make_query(name, self.type, use_edns=0, payload=PAYLOAD, id=secrets.randbelow(65536))
        except (dns.exception.DNSException, UnicodeError, ValueError) as error:
            raise Failed("name_not_found", one_line(f"{self.name} is not a DNS name: {error}")) from error

    def _over_udp(self, io: Io, record: Record, server: str, query: Any) -> Generator[Wait, Any, Any]:
        address = yield from io.resolve(record, server, self.port)
        record.enter("reply")
        datagram, lie = Datagram(io.loop, address), ""
        try:
            datagram.send(query.to_wire())
            while True:
                data, other = yield from datagram.receive()
                answer, why = (None, f"answer from {other}") if other else (yield from heard(data, query))
                if answer is not None:
                    break
                lie = why
                record.facts["garbage"] = record.facts.get("garbage", 0) + 1
            datagram.measure(record)
            record.leave()
        except Expired as expired:
            if lie:
                raise Failed("dns_garbage", lie) from expired
            raise
        finally:
            datagram.close()
        return answer

    def _over_tcp(self, io: Io, record: Record, server: str, query: Any) -> Generator[Wait, Any, Any]:
        connection = yield from connect(io, record, server, self.port)
        try:
            record.enter("reply")
            wire = query.to_wire()
            framed = len(wire).to_bytes(LENGTH, "big") + wire
            while framed:
                framed = framed[connection.send(framed) :]
                if framed:
                    yield connection.fileno(), WRITE, 0.0
            length = int.from_bytes((yield from _read(connection, LENGTH)), "big")
            data = yield from _read(connection, length)
            record.phase_error_s = max(record.phase_error_s, io.loop.blur())
            record.leave()
        finally:
            connection.close()
        answer, why = yield from heard(data, query)
        if answer is None:
            raise Failed("dns_garbage", why)
        return answer


def _read(connection: Any, length: int) -> Generator[Wait, Any, bytes]:
    data = b""
    while len(data) < length:
        yield connection.fileno(), READ, 0.0
        part = connection.recv(length - len(data))
        if not part:
            raise Failed("closed", "the DNS server closed the connection before it answered")
        data += part
    return data


def heard(data: bytes, query: Any) -> Generator[Wait, Any, tuple[Any, str]]:
    """As ``read``; 64 KiB of records take 300 ms, so large messages are read beside the loop."""
    if len(data) <= PAYLOAD:
        return read(data, query)
    return (yield from aside(partial(read, data, query)))


def read(data: bytes, query: Any) -> tuple[Any, str]:
    """A message that answers the query, or None and why it is not one."""
    try:
        answer = dns.message.from_wire(data)
    except (dns.exception.DNSException, ValueError) as error:
        return None, one_line(f"not a DNS message: {type(error).__name__}")
    if answer.id != query.id:
        return None, "answer with another id"
    if not query.is_response(answer) or answer.question != query.question:
        return None, "answer to another question"
    return answer, ""


def _describe(answer: Any, record: Record) -> None:
    """Write what the answer says; Failed when it is not the record."""
    rcode = answer.rcode()
    record.facts["rcode"] = dns.rcode.to_text(rcode)
    record.facts["flags"] = dns.flags.to_text(answer.flags).split()
    if rcode != dns.rcode.NOERROR:
        raise Failed(RCODES.get(rcode, "dns_failed"), f"the server answered {dns.rcode.to_text(rcode)}")
    try:
        chain = answer.resolve_chaining()
    except dns.exception.DNSException as error:
        raise Failed("dns_garbage", one_line(f"the answer's aliases lead nowhere: {error}")) from error
    if chain.answer is None:
        raise Failed("name_no_data", "the name has no record of this type")
    record.facts["answers"] = sorted(one_line(found.to_text()) for found in chain.answer)
    record.facts["ttl"] = chain.minimum_ttl


def system_server() -> str:
    """The first name server of resolv.conf; the machine itself when there is none, as resolv.conf(5) says."""
    try:
        lines = RESOLV_CONF.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        match line.split():
            case ["nameserver", server, *_]:
                return server
    return "127.0.0.1"
