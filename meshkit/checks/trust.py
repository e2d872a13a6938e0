"""Trust: one CA everywhere, and certificates with time left."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.checks.check import Check, Finding
from meshkit.consul.names import CA, SERVER_CERT
from meshkit.model import CertificateState, FederationState
from meshkit.pki.inspect import RENEW_BELOW


def _one_ca(state: FederationState) -> Iterator[Finding]:
    seen = {dc.name: c.fingerprint for dc in state.datacenters for c in dc.certificates if c.name == CA}
    if len(set(seen.values())) > 1:
        yield Finding("", ", ".join(f"{name} has {fingerprint[:16]}" for name, fingerprint in seen.items()))


def _present(state: FederationState) -> Iterator[Finding]:
    for dc in state.datacenters:
        missing = {CA, SERVER_CERT} - {c.name for c in dc.certificates}
        if not dc.error and missing:
            yield Finding(dc.name, f"{dc.name}: {', '.join(sorted(missing))} is missing")


def _signed(state: FederationState) -> Iterator[Finding]:
    return (
        Finding(dc.name, f"{dc.name}: {c.name}: {fault}")
        for dc in state.datacenters
        for c in dc.certificates
        for fault in c.faults
    )


def _time_left(state: FederationState) -> Iterator[Finding]:
    for dc in state.datacenters:
        for certificate in dc.certificates:
            if _share_left(certificate, state) < RENEW_BELOW:
                yield Finding(
                    dc.name, f"{dc.name}: {certificate.name} ends on {certificate.not_after:%Y-%m-%d %H:%M} UTC"
                )


def _share_left(certificate: CertificateState, state: FederationState) -> float:
    return (certificate.not_after - state.seen_at) / (certificate.not_after - certificate.not_before)


CHECKS = (
    Check("trust", "every datacenter has its certificates", "meshkit federate puts them back", _present, "cluster"),
    Check(
        "trust",
        "all datacenters trust the same CA",
        "restore the state directory that federated them, then meshkit federate",
        _one_ca,
        "cluster",
        codes=frozenset({"server_ca_differs"}),
    ),
    Check("trust", "server certificates are signed by the CA", "meshkit federate replaces them", _signed, "cluster"),
    Check(
        "trust",
        "certificates have a third of their lifetime left",
        "meshkit federate renews server certificates",
        _time_left,
        "cluster",
        on_failure="warn",
    ),
)
