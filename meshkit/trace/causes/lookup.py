"""What keeps a source from finding its destination: catalog entries, upstreams, the discovery chain, DNS."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.trace import choose, measures
from meshkit.trace.cause import Cause, Symptom, Weight
from meshkit.trace.evidence import ChainTarget, Evidence, Instance

NAMES_SHOWN = 6
SILENT = frozenset({"timeout_resolve", "timeout_reply", "refused", "unreachable", "no_route"})
NOT_RESOLVED = SILENT | {"name_not_found", "name_no_data", "dns_failed", "dns_refused"}


def _source_not_registered(evidence: Evidence) -> Iterator[Symptom]:
    view = evidence.source.consul
    if view and view.instances == () and view.sidecars == ():
        yield Symptom(f"{evidence.route.source} is not in its datacenter's catalog", evidence.source.datacenter)


def _source_sidecar_missing(evidence: Evidence) -> Iterator[Symptom]:
    view = evidence.source.consul
    if view and view.instances and view.sidecars == ():
        yield Symptom(f"the catalog has {evidence.route.source} and no sidecar for it", evidence.source.datacenter)


def _upstream_missing(evidence: Evidence) -> Iterator[Symptom]:
    entry = choose.sidecar(evidence.source)
    if entry is None or choose.upstream(evidence.source, evidence.route):
        return
    if entry.transparent and not evidence.route.crosses:
        return  # across datacenters it needs one all the same
    shown = [f"{u.service} in {u.datacenter or evidence.source.datacenter}" for u in entry.upstreams][:NAMES_SHOWN]
    listed = f"it has {', '.join(shown)}" if shown else "it has none"
    yield Symptom(f"{entry.id} has no upstream {evidence.route.destination}: {listed}", evidence.source.datacenter)


def _destination_not_registered(evidence: Evidence) -> Iterator[Symptom]:
    view = evidence.destination.consul
    if view and view.instances == () and view.sidecars == ():
        yield Symptom(f"{evidence.route.destination} is not in its datacenter's catalog")


def _subset_missing(evidence: Evidence) -> Iterator[Symptom]:
    chain = evidence.source.consul.chain if evidence.source.consul else None
    if chain is None:
        return
    if "subset" in chain.error:
        yield Symptom(f"Consul says: {chain.error}", evidence.source.datacenter)
    for target in chain.targets:
        if target.filter and target.passing == 0 and _home(evidence, target):
            where = f"subset {target.subset} of {target.service} in {target.datacenter}"
            yield Symptom(f"no instance matches {where}: {target.filter}", target.datacenter)


def _home(evidence: Evidence, target: ChainTarget) -> tuple[Instance, ...]:
    """Instances of a target without its subset, which would do if the filter let them."""
    there = evidence.route.destination
    if (target.service, target.datacenter) != (there.service, there.datacenter):
        return ()
    known = (evidence.destination.consul.sidecars if evidence.destination.consul else ()) or ()
    return tuple(entry for entry in known if not entry.critical)


def _chain_invalid(evidence: Evidence) -> Iterator[Symptom]:
    chain = evidence.source.consul.chain if evidence.source.consul else None
    if chain and chain.error and "subset" not in chain.error and "protocol" not in chain.error:
        yield Symptom(f"Consul says: {chain.error}", evidence.source.datacenter)


def _redirected(evidence: Evidence) -> Iterator[Symptom]:
    """A chain that leads elsewhere, where nobody answers; with a router or splitter some requests go there alone."""
    there, targets = evidence.route.destination, _targets(evidence)
    sole = len({(target.service, target.datacenter) for target in targets}) == 1
    led = "is redirected" if sole else "is routed or split, in part,"
    for target in targets:
        if target.passing or (target.service, target.datacenter) == (there.service, there.datacenter):
            continue
        if target.passing is None and evidence.passed:
            continue  # nobody could be asked, which says nothing against it
        weight: Weight | None = "degrades" if evidence.passed and not sole else "fallback"
        if sole and target.passing == 0:
            weight = None
        text = f"{there.service} {led} to {target.service} in {target.datacenter}, where {_none(target)}"
        yield Symptom(text, evidence.source.datacenter, weight=weight)


def _failover_dead(evidence: Evidence) -> Iterator[Symptom]:
    chain = evidence.source.consul.chain if evidence.source.consul else None
    spare = [target for target in chain.targets if target.failover] if chain else []
    if not spare or any(target.passing for target in spare):
        return
    if any(target.passing for target in _first(evidence)):
        text = f"the service is well, but where it fails over to is not: {spare[0].datacenter}: {_none(spare[0])}"
        yield Symptom(text, evidence.source.datacenter, weight="note")
        return
    shown = "; ".join(f"{target.datacenter}: {_none(target)}" for target in (*_first(evidence), *spare))
    text = f"neither the service nor where it fails over to has instances: {shown}"
    counted = all(target.passing == 0 for target in _first(evidence))
    yield Symptom(text, evidence.source.datacenter, weight=None if counted else "fallback")


def _first(evidence: Evidence) -> tuple[ChainTarget, ...]:
    return _targets(evidence)[:1]


def _targets(evidence: Evidence) -> tuple[ChainTarget, ...]:
    """Where the chain leads as long as nothing fails."""
    chain = evidence.source.consul.chain if evidence.source.consul else None
    return tuple(target for target in chain.targets if not target.failover) if chain else ()


def _none(target: ChainTarget) -> str:
    return "no instance is healthy" if target.passing == 0 else "nobody can be asked"


def _dns(evidence: Evidence) -> Iterator[Symptom]:
    """A fault where the source asks by name, or the cluster's DNS is meant to ask Consul."""
    seen, here = evidence.measured.get(measures.DNS), evidence.source
    if seen is None or seen.reason not in NOT_RESOLVED or _dns_silent(evidence):
        return
    weight: Weight | None = "breaks" if evidence.by_name else "degrades" if here.forwards else None
    why = {True: "a zone consul that leads to nobody who answers", False: "no zone consul"}.get(here.forwards is True)
    known = f", whose DNS has {why}" if here.forwards is not None else ""
    yield Symptom(f"pods of {here.datacenter}{known}, get {seen.reason}", here.datacenter, weight=weight)


def _cluster_dns(evidence: Evidence) -> Iterator[Symptom]:
    if _dns_silent(evidence):
        reason = evidence.measured[measures.CLUSTER_DNS].reason
        text = f"pods of {evidence.source.datacenter} get no answer from the cluster's DNS, whatever they ask: {reason}"
        yield Symptom(text, evidence.source.datacenter, weight="breaks" if evidence.by_name else None)


def _dns_silent(evidence: Evidence) -> bool:
    """Neither kind of name is answered; that a name does not exist is an answer."""
    seen = [evidence.measured.get(name) for name in (measures.DNS, measures.CLUSTER_DNS)]
    return all(found is not None and found.reason in SILENT and found.failed == found.sent for found in seen)


CAUSES = (
    Cause(
        "source_not_registered",
        "lookup",
        "the source is not in the catalog",
        "the source has no identity in the mesh, and no sidecar that would carry its requests",
        "the catalog of the source's datacenter has no instance of it",
        "{kubectl_all} get pods -A | grep {source}; meshkit status",
        _source_not_registered,
    ),
    Cause(
        "source_sidecar_missing",
        "source sidecar",
        "the source has no sidecar",
        "connections to the upstream's port are refused in the source's pod",
        "the catalog has the source and no connect-proxy for it",
        "inject a sidecar: consul.hashicorp.com/connect-inject: 'true'; {kubectl_all} get pods -A | grep {source}",
        _source_sidecar_missing,
    ),
    Cause(
        "failover_dead",
        "lookup",
        "neither the service nor its failover has a healthy instance",
        "requests fail though failover is configured",
        "all targets of the discovery chain are without passing instances",
        "{kubectl} exec consul-server-0 -- consul config read -kind service-resolver -name {destination}",
        _failover_dead,
    ),
    Cause(
        "destination_not_registered",
        "lookup",
        "the destination is not in the catalog",
        "the source's sidecar has no endpoint and closes each connection",
        "the catalog of the destination's datacenter has no instance of it",
        "{kubectl_all} get pods -A | grep {destination}; meshkit status",
        _destination_not_registered,
    ),
    Cause(
        "upstream_missing",
        "lookup",
        "the source has no upstream for the destination",
        "nothing listens for the destination in the source's pod",
        "the registration of the source's sidecar names other upstreams",
        "add the upstream: consul.hashicorp.com/connect-service-upstreams: '{destination}:9000:{destination_dc}'",
        _upstream_missing,
    ),
    Cause(
        "subset_missing",
        "lookup",
        "a resolver sends to a subset that has no instance",
        "the source's sidecar has no endpoint, though the service is healthy",
        "a target of the discovery chain has a filter that no instance matches, or names a subset that is not defined",
        "{kubectl} exec consul-server-0 -- consul config read -kind service-resolver -name {destination}",
        _subset_missing,
    ),
    Cause(
        "chain_invalid",
        "lookup",
        "the discovery chain can't be compiled",
        "the source's sidecar keeps its last configuration, or has none",
        "Consul's answer to /v1/discovery-chain",
        "{kubectl} exec consul-server-0 -- consul config list -kind service-resolver; routers and splitters too",
        _chain_invalid,
    ),
    Cause(
        "redirect_dead",
        "lookup",
        "a resolver, router or splitter leads to where nobody answers",
        "requests fail though the service is healthy where it was",
        "a target of the discovery chain is another service or datacenter, without passing instances",
        "{kubectl} exec consul-server-0 -- consul config read -kind service-resolver -name {destination}; "
        "routers and splitters too",
        _redirected,
    ),
    Cause(
        "cluster_dns_down",
        "lookup",
        "the cluster's DNS does not answer",
        "pods find nothing by name, Consul's servers included when they next start; what is connected stays so",
        "look-ups from the probe's pod, of the cluster's own names and of those under .consul, all without an answer",
        "{kubectl_all} -n kube-system get pods,endpointslices -l k8s-app=kube-dns",
        _cluster_dns,
        weight="degrades",
    ),
    Cause(
        "dns_not_forwarded",
        "lookup",
        "the cluster's DNS does not ask Consul about names under .consul",
        "programs that look services up by name find nothing; upstreams of sidecars are not concerned",
        "a look-up from the probe's pod, by the cluster's own DNS; a fault with --by-name, or where a zone is set up",
        "forward zone consul to the Service consul-dns: {kubectl_all} -n kube-system edit configmap coredns",
        _dns,
        weight="note",
    ),
)
