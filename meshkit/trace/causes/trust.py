"""What is wrong with certificates: run out, not valid yet, of another CA, trust domain or service."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.trace import clocks, measures, passage
from meshkit.trace.cause import Cause, Symptom, Weight
from meshkit.trace.evidence import Evidence
from meshkit.trace.places import sides

LIFE_LEFT = 0.1
"""Leaves live 72 h and are renewed after two thirds of that; a tenth is left only when renewal fails."""


def _expired(evidence: Evidence) -> Iterator[Symptom]:
    for side, hop in sides(evidence):
        leaf = side.sidecar.leaf if side.sidecar else None
        if leaf and leaf.not_after < clocks.now(evidence):
            yield Symptom(
                f"the certificate of {leaf.spiffe} ended {leaf.not_after:%Y-%m-%d %H:%M} UTC", side.datacenter, hop
            )
    if any(_reason(evidence, name) == "tls_expired" for name in measures.HANDSHAKES) and not _leaf_seen(evidence):
        yield Symptom("the sidecar presents a certificate that has run out")


def _leaf_seen(evidence: Evidence) -> bool:
    return bool(evidence.destination.sidecar and evidence.destination.sidecar.leaf)


def _reason(evidence: Evidence, name: str) -> str:
    seen = evidence.measured.get(name)
    return seen.reason if seen else ""


def _expiring(evidence: Evidence) -> Iterator[Symptom]:
    for side, hop in sides(evidence):
        leaf = side.sidecar.leaf if side.sidecar else None
        if leaf is None or leaf.not_after < clocks.now(evidence):
            continue
        left, life = leaf.not_after - clocks.now(evidence), leaf.not_after - leaf.not_before
        if left < LIFE_LEFT * life:
            hours = left.total_seconds() / 3600
            yield Symptom(
                f"{leaf.service}'s certificate has {hours:.1f} h left and was not renewed", side.datacenter, hop
            )


def _not_yet(evidence: Evidence) -> Iterator[Symptom]:
    for side, hop in sides(evidence):
        leaf = side.sidecar.leaf if side.sidecar else None
        if leaf and leaf.not_before > clocks.now(evidence):
            text = f"{leaf.service}'s certificate begins {leaf.not_before:%Y-%m-%d %H:%M} UTC, which is not yet"
            yield Symptom(text, side.datacenter, hop)


def _root_ended(evidence: Evidence) -> Iterator[Symptom]:
    for side in evidence.sides:
        ends = side.consul.root_ends if side.consul else None
        if ends and ends < clocks.now(evidence):
            text = f"the root of the mesh's CA in {side.datacenter} ended {ends:%Y-%m-%d %H:%M} UTC"
            yield Symptom(text, side.datacenter)


def _other_service(evidence: Evidence) -> Iterator[Symptom]:
    parties = (evidence.route.source, evidence.route.destination)
    for (side, hop), party in zip(sides(evidence), parties, strict=True):
        leaf = side.sidecar.leaf if side.sidecar else None
        if leaf and leaf.service != party.service and _same_domain(evidence):
            text = f"the sidecar of {party.service} presents {leaf.spiffe}"
            yield Symptom(text, side.datacenter, hop)
            return
    refused = [name for name in measures.HANDSHAKES if _reason(evidence, name) == "tls_wrong_identity"]
    if refused and not _leaf_seen(evidence):
        yield Symptom(f"{refused[0]}: {evidence.measured[refused[0]].detail}")


def _same_domain(evidence: Evidence) -> bool:
    return not any(True for _ in _foreign(evidence))


def _foreign(evidence: Evidence) -> Iterator[Symptom]:
    for side, hop in sides(evidence):
        leaf = side.sidecar.leaf if side.sidecar else None
        domain = side.consul.trust_domain if side.consul else ""
        if leaf and domain and leaf.trust_domain != domain:
            text = f"its certificate is of trust domain {leaf.trust_domain}, the mesh's is {domain}"
            yield Symptom(text, side.datacenter, hop)


def _roots(evidence: Evidence) -> Iterator[Symptom]:
    source, destination = evidence.source.consul, evidence.destination.consul
    if source and destination and source.roots and destination.roots and not source.roots & destination.roots:
        text = (
            f"{evidence.source.datacenter} and {evidence.destination.datacenter} have different roots of the mesh's CA"
        )
        yield Symptom(text, evidence.destination.datacenter)
        return
    first, second = evidence.source.sidecar, evidence.destination.sidecar
    if first and second and first.trusted and second.trusted and not first.trusted & second.trusted:
        yield Symptom("the two sidecars trust different roots", evidence.destination.datacenter)
        return
    untrusted = [name for name in measures.HANDSHAKES if _reason(evidence, name) == "tls_untrusted"]
    if untrusted:
        yield Symptom(
            f"{untrusted[0]}: no root of the mesh has signed what is presented", evidence.destination.datacenter
        )


def _server_ca(evidence: Evidence) -> Iterator[Symptom]:
    known = {side.ca for side in evidence.sides if side.ca}
    if len(known) > 1:
        names = " and ".join(side.datacenter for side in evidence.sides)
        weight: Weight = "degrades" if evidence.passed else "fallback"
        yield Symptom(f"the servers of {names} trust different CAs", evidence.destination.datacenter, weight=weight)


def _gossip_keys(evidence: Evidence) -> Iterator[Symptom]:
    known = {side.gossip for side in evidence.sides if side.gossip}
    if len(known) > 1:
        names = " and ".join(side.datacenter for side in evidence.sides)
        weight: Weight = "degrades" if evidence.passed else "fallback"
        yield Symptom(
            f"the clusters of {names} hold different gossip keys", evidence.destination.datacenter, weight=weight
        )


def _apart(evidence: Evidence) -> Iterator[Symptom]:
    """A handshake of the trace's own, with the same certificates, passes: what differs is how the two speak."""
    through = evidence.measured.get(measures.THROUGH)
    both = evidence.source.sidecar is not None and evidence.destination.sidecar is not None
    seen = both and evidence.destination.alone and passage.estranged(evidence) == {passage.SPOKEN}
    if seen and through and through.ok:
        text = "the two sidecars come to no handshake (ssl.connection_error grew), and neither refuses a certificate"
        yield Symptom(text)


CAUSES = (
    Cause(
        "root_expired",
        "remote sidecar",
        "the root of the mesh's CA has run out",
        "every handshake in the mesh fails, whatever its leaf",
        "the active root's end in /v1/connect/ca/roots",
        "rotate the root: {kubectl} exec consul-server-0 -- consul connect ca set-config, with a new private key",
        _root_ended,
    ),
    Cause(
        "leaf_expired",
        "remote sidecar",
        "a sidecar's certificate has run out",
        "handshakes with it fail; ssl.fail_verify_error grows at the peer",
        "validity in its Envoy's /certs",
        "why was it not renewed? its xDS stream and the servers first: meshkit check",
        _expired,
    ),
    Cause(
        "leaf_not_yet_valid",
        "remote sidecar",
        "a sidecar's certificate is not valid yet",
        "handshakes with it fail until then",
        "validity in its Envoy's /certs against the time here",
        "set the clocks: {kubectl_all} get nodes, then chronyc tracking on them",
        _not_yet,
    ),
    Cause(
        "trust_domain_differs",
        "remote sidecar",
        "a sidecar is of another trust domain",
        "handshakes fail: its SPIFFE ID is not one of this mesh",
        "the SPIFFE ID in its Envoy's /certs against /v1/connect/ca/roots",
        "restart the pod, so that its Envoy asks this mesh's servers: {kubectl_all} get pods -A | grep {destination}",
        _foreign,
    ),
    Cause(
        "wrong_san",
        "remote sidecar",
        "a sidecar presents another service's certificate",
        "the source's Envoy refuses it: ssl.fail_verify_san grows",
        "the SPIFFE ID in its Envoy's /certs, or in a real handshake",
        "register the sidecar with its own pod's address: {kubectl_all} get pods -A -o wide | grep {destination}",
        _other_service,
    ),
    Cause(
        "roots_differ",
        "remote sidecar",
        "the two ends trust different roots",
        "handshakes between the datacenters fail, those inside work; ssl.fail_verify_error grows",
        "roots in both datacenters, in both Envoys' /certs, and a real handshake",
        "is the secondary's CA signed by the primary's? {kubectl} logs consul-server-0 | grep -i 'intermediate\\|root'",
        _roots,
    ),
    Cause(
        "tls_differs",
        "remote sidecar",
        "the two sidecars do not speak the same TLS",
        "connections are reset before a request is sent",
        "ssl.connection_error grew at either of them, no certificate was refused, and the trace's own handshake passes",
        "which versions and ciphers do both ends take? {kubectl} exec consul-server-0 -- consul config read -kind mesh "
        "-name mesh",
        _apart,
        weight="fallback",
    ),
    Cause(
        "server_ca_differs",
        "planes",
        "the datacenters' servers trust different CAs",
        "nothing is replicated; members of the other datacenter are failed",
        "the CA in both clusters' Secrets",
        "meshkit federate puts the federation's CA back in every cluster",
        _server_ca,
        weight="fallback",
    ),
    Cause(
        "gossip_key_differs",
        "planes",
        "the datacenters encrypt gossip with different keys",
        "servers do not see each other, or will not once they restart; members of the other datacenter are failed",
        "the gossip key in both clusters' Secrets, compared by digest",
        "meshkit federate puts the federation's key back in every cluster; then restart the servers there",
        _gossip_keys,
        weight="fallback",
    ),
    Cause(
        "leaf_expiring",
        "remote sidecar",
        "a sidecar's certificate was not renewed in time",
        "nothing yet; all handshakes fail when it ends",
        "validity in its Envoy's /certs",
        "is its Envoy's stream alive? {kubectl_all} get pods -A | grep {destination}; meshkit check",
        _expiring,
        weight="degrades",
    ),
)
