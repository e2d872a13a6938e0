"""Which of several: the sidecar that a trace goes through, its upstream, a gateway's counters over all its pods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from meshkit.trace.evidence import Evidence, Instance, Side, Upstream
from meshkit.trace.hops import Route
from meshkit.trace.proxy import Proxy


def sidecar(side: Side) -> Instance | None:
    """A side's sidecar: one that Consul sends to, when there is one."""
    known = (side.consul.sidecars if side.consul else ()) or ()
    return next((entry for entry in known if not entry.critical), known[0] if known else None)


def upstream(source: Side, route: Route) -> Upstream | None:
    """The source's upstream for the destination: for its datacenter, or by name alone where the chain leads there."""
    entry = sidecar(source)
    named = [found for found in entry.upstreams if found.service == route.destination.service] if entry else []
    for found in named:
        if (found.datacenter or route.source.datacenter) == route.destination.datacenter:
            return found
    chain = source.consul.chain if source.consul else None
    leads = {target.datacenter for target in chain.targets} if chain else set()
    return next((found for found in named if not found.datacenter and route.destination.datacenter in leads), None)


def mode(evidence: Evidence) -> str:
    """How the source's sidecar leaves its datacenter, by its upstream or the mesh's defaults; empty if neither says."""
    found, view = upstream(evidence.source, evidence.route), evidence.source.consul
    return (found.mode if found else "") or (view.gateway_mode if view else "")


def merged(gateways: Sequence[Proxy]) -> Proxy | None:
    """Several gateways as one: the first that is configured, with the counters of all."""
    if not gateways:
        return None
    first = next((proxy for proxy in gateways if proxy.configured), gateways[0])
    counters: Counter[str] = Counter()
    for proxy in gateways:
        counters.update(proxy.counters)
    return replace(first, counters=dict(counters))
