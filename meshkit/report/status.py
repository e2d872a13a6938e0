"""A federation's state, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from meshkit.model import CertificateState, DatacenterState, FederationState, host_port

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
SERVER_CERTIFICATE = "meshkit-server-cert"


def as_json(seen: FederationState) -> dict[str, Any]:
    """What scripts rely on: times in RFC 3339, UTC."""
    return {
        "federation": seen.federation,
        "healthy": seen.healthy,
        "seen_at": _time(seen.seen_at),
        "datacenters": [_datacenter(dc) for dc in seen.datacenters],
        "links": [
            {"from": link.source, "to": link.target, "healthy": link.healthy, "reason": link.reason}
            for link in seen.links
        ],
    }


def as_tables(seen: FederationState) -> Iterator[Table]:
    """Datacenters, then links."""
    columns = ("datacenter", "role", "context", "kubernetes", "servers", "leader", "gateway", "gateways", "cert ends")
    yield columns, [_row(dc) for dc in seen.datacenters]
    if seen.links:
        rows = [(link.source, link.target, "healthy" if link.healthy else "broken", link.reason) for link in seen.links]
        yield ("from", "to", "link", "reason"), rows


def remarks(seen: FederationState) -> Iterator[str]:
    """What does not fit into a table: errors, drift, the verdict."""
    for dc in seen.datacenters:
        for problem in filter(None, (dc.error, dc.consul_error)):
            yield f"! {problem}"
        for difference in dc.drift:
            yield f"~ {dc.name}: {difference}"
    yield f"federation {seen.federation} is {'healthy' if seen.healthy else 'not healthy: meshkit check'}"


def _row(dc: DatacenterState) -> tuple[str, ...]:
    ready = sum(server.healthy for server in dc.servers)
    ends = next((c for c in dc.certificates if c.name == SERVER_CERTIFICATE), None)
    return (
        dc.name,
        "primary" if dc.primary else "secondary",
        dc.context,
        dc.version or "-",
        f"{ready}/{len(dc.servers)}",
        _leader(dc) or "-",
        host_port(dc.gateway.address, dc.gateway.port) if dc.gateway.address else "-",
        f"{dc.gateway.ready}/{dc.gateway.desired}",
        f"{ends.not_after:%Y-%m-%d}" if ends else "-",
    )


def _leader(dc: DatacenterState) -> str:
    """The name of the server whose pod has the leader's address (``address:port``)."""
    address = dc.consul.leader.rpartition(":")[0].strip("[]") if dc.consul else ""
    return next((server.name for server in dc.servers if server.address == address), address)


def _datacenter(dc: DatacenterState) -> dict[str, Any]:
    leader = _leader(dc)
    return {
        "name": dc.name,
        "context": dc.context,
        "primary": dc.primary,
        "kubernetes": dc.version,
        "servers": [{"name": s.name, "healthy": s.healthy, "leader": s.name == leader} for s in dc.servers],
        "gateway": {
            "address": dc.gateway.address,
            "resolved": list(dc.gateway.resolved),
            "port": dc.gateway.port,
            "ready": dc.gateway.ready,
            "desired": dc.gateway.desired,
        },
        "certificates": [_certificate(certificate) for certificate in dc.certificates],
        "drift": list(dc.drift),
        "error": dc.error or dc.consul_error,
    }


def _certificate(certificate: CertificateState) -> dict[str, str]:
    return {
        "name": certificate.name,
        "not_after": _time(certificate.not_after),
        "fingerprint": certificate.fingerprint,
    }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
