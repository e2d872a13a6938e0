"""A capture as one JSON document. Times in seconds, sizes in bytes; what is not known is null or left out."""

from __future__ import annotations

from typing import Any

from meshkit.capture.connection import Connection
from meshkit.capture.meaning import Meaning
from meshkit.capture.result import Result
from meshkit.capture.stream import Stream
from meshkit.capture.totals import Destination, Side, Totals
from meshkit.probes.stats import Sketch
from meshkit.report.capture.addresses import text

NANOSECONDS = 1e9


def as_json(result: Result) -> dict[str, Any]:
    """Destinations and connections, and what was lost on the way."""
    now_ns = int((result.ended or 0) * NANOSECONDS)
    return {
        "source": result.source,
        "began": result.began,
        "ended": result.ended,
        "packets": result.packets,
        "bytes": result.bytes,
        "lost": {"kernel": result.losses.kernel, "buffer": result.losses.buffer},
        "skipped": dict(sorted(result.skipped.items())),
        "notes": list(result.notes),
        "destinations": [_destination(where, totals) for where, totals in result.destinations.items()],
        "connections": [_connection(each, now_ns) for each in result.connections],
        "connections_not_listed": result.forgotten,
        "names": dict(result.names),
    }


def _destination(where: Destination, totals: Totals) -> dict[str, Any]:
    return {
        "way": where.way,
        **_meaning(where.meaning),
        **({"peer": text(where.peer)} if where.peer else {}),
        "connections": totals.connections,
        "states": dict(sorted(totals.states.items())),
        "rtt_to_client": _trips(totals.to_client),
        "rtt_to_server": _trips(totals.to_server),
        "client": _side(totals.client) | {"resets": totals.client.resets},
        "server": _side(totals.server) | {"resets": totals.server.resets},
    }


def _connection(connection: Connection, now_ns: int) -> dict[str, Any]:
    hello = connection.hello.hello
    return {
        "way": connection.way,
        "pod": connection.pod,
        **_meaning(connection.meaning),
        "client_address": text(connection.client_address),
        "client_port": connection.client_port,
        "server_address": text(connection.server_address),
        "server_port": connection.server_port,
        "began": connection.began_ns / NANOSECONDS,
        "ended": connection.ended_ns / NANOSECONDS,
        "state": connection.state(now_ns),
        "reset_by": connection.reset_by,
        "sni": hello.server_name if hello else None,
        "alpn": list(hello.protocols) if hello else None,
        "tls_versions": list(hello.versions) if hello else None,
        "rtt_to_client": _seconds(connection.to_client_ns),
        "rtt_to_server": _seconds(connection.to_server_ns),
        "client": _side(connection.client),
        "server": _side(connection.server),
    }


def _meaning(meaning: Meaning) -> dict[str, str]:
    parts = {
        "datacenter": meaning.datacenter,
        "service": meaning.service,
        "namespace": meaning.namespace,
        "partition": meaning.partition,
        "subset": meaning.subset,
    }
    return {"destination": meaning.label, "kind": meaning.kind} | {name: part for name, part in parts.items() if part}


def _side(side: Side | Stream) -> dict[str, int | None]:
    return {
        "packets": side.segments,
        "bytes": side.bytes,
        "retransmissions": side.retransmissions,
        "out_of_order": side.out_of_order,
        "zero_windows": side.zero_windows,
        "missing_bytes": side.missing,
        "mss": side.mss,
    }


def _trips(sketch: Sketch) -> dict[str, float | int | None]:
    if not sketch.count:
        return {"count": 0}
    return {
        "count": sketch.count,
        "min": sketch.least,
        "p50": sketch.quantile(0.5),
        "p99": sketch.quantile(0.99),
        "max": sketch.most,
    }


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / NANOSECONDS
