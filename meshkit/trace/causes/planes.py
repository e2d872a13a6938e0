"""What is wrong beside the path: servers, tokens, replication, gossip. What passes now may pass on for a while."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.trace.cause import Cause, Symptom
from meshkit.trace.evidence import Evidence


def _no_leader(evidence: Evidence) -> Iterator[Symptom]:
    for side in evidence.sides:
        unasked = f"{side.datacenter}: Consul's leader" in evidence.unseen
        if side.consul and not side.consul.leader and not unasked:
            yield Symptom(f"the servers of {side.datacenter} have no leader", side.datacenter)


def _servers(evidence: Evidence) -> Iterator[Symptom]:
    for side in evidence.sides:
        if side.reachable and side.consul is None:
            why = next((why for name, why in evidence.unseen.items() if name.endswith(f"{side.datacenter} Consul")), "")
            yield Symptom(
                f"no Consul server of {side.datacenter} can be asked{f': {why}' if why else ''}", side.datacenter
            )


def _cluster(evidence: Evidence) -> Iterator[Symptom]:
    for side in evidence.sides:
        if not side.reachable:
            why = next(
                (why for name, why in evidence.unseen.items() if name.endswith(f"{side.datacenter} cluster")), ""
            )
            yield Symptom(
                f"the API server of {side.datacenter} can't be asked{f': {why}' if why else ''}", side.datacenter
            )


def _token(evidence: Evidence) -> Iterator[Symptom]:
    for side in evidence.sides:
        failing = side.consul is not None and bool(side.consul.replication)
        for name in side.lost_tokens:
            if name == "replication" and failing:
                continue  # what that does is told by what it breaks
            yield Symptom(
                f"{side.datacenter}'s servers do not know the {name} token", side.datacenter, names={"token": name}
            )


def _replication(evidence: Evidence) -> Iterator[Symptom]:
    for side in evidence.sides:
        if side.consul and side.consul.replication:
            yield Symptom(f"{side.datacenter}: {side.consul.replication}", side.datacenter)


def _wan(evidence: Evidence) -> Iterator[Symptom]:
    for side in evidence.sides:
        failed = sorted(name for name, status in (side.consul.wan if side.consul else {}).items() if status == "failed")
        if failed:
            yield Symptom(f"{side.datacenter} sees {', '.join(failed)} as failed", side.datacenter)


def _invisible(evidence: Evidence) -> Iterator[Symptom]:
    """Servers of the source's datacenter that get no answer about the destination from the other's."""
    view = evidence.source.consul
    if view and view.peers is None and evidence.route.crosses:
        here, there = evidence.source.datacenter, evidence.destination.datacenter
        yield Symptom(f"{here}'s servers get no answer from {there}'s", here)


CAUSES = (
    Cause(
        "cluster_unreachable",
        "planes",
        "a cluster's API server can't be asked",
        "nothing is known of that side; the mesh itself may be well",
        "the kubeconfig's context",
        "{kubectl_all} get nodes",
        _cluster,
        weight="note",
    ),
    Cause(
        "no_leader",
        "planes",
        "Consul's servers have no leader",
        "nothing changes any more: no registration, no certificate, no intention",
        "/v1/status/leader",
        "{kubectl} get pods -l component=server; {kubectl} logs consul-server-0",
        _no_leader,
        weight="fallback",
    ),
    Cause(
        "servers_unreachable",
        "planes",
        "no Consul server of a datacenter can be asked",
        "Envoys go on with what they know, new ones are not configured",
        "a forward to each server's API",
        "{kubectl} get pods -l component=server; {kubectl} logs consul-server-0",
        _servers,
        weight="degrades",
    ),
    Cause(
        "token_lost",
        "planes",
        "a token that the mesh runs on is not known to Consul",
        "what uses it is refused at its next request: registration, xDS, replication",
        "each token of the cluster's Secrets, asked about itself",
        "meshkit federate writes it again",
        _token,
        weight="degrades",
    ),
    Cause(
        "replication_stopped",
        "planes",
        "ACLs are not replicated from the primary",
        "tokens and policies made since are unknown there",
        "/v1/acl/replication of the secondary",
        "is the replication token known? {kubectl} logs consul-server-0 | grep -i replicat; meshkit federate",
        _replication,
        weight="degrades",
    ),
    Cause(
        "wan_member_failed",
        "planes",
        "gossip calls a server of another datacenter failed",
        "cross-datacenter look-ups fail; changes of the other side do not arrive",
        "members of the WAN pool",
        "meshkit status; it heals by itself within a minute once gateways and network are well; after a node has died "
        "within 15",
        _wan,
        weight="degrades",
    ),
    Cause(
        "servers_apart",
        "planes",
        "the source's servers get no answer from the destination's",
        "the source's sidecar does not learn of changes at the destination",
        "a catalog look-up in the other datacenter, through the WAN",
        "meshkit check",
        _invisible,
        weight="degrades",
    ),
)
