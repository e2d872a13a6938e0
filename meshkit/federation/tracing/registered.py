"""Every service of a datacenter's catalog that has a sidecar, judged by its entries alone: no request is sent to it."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit.backends.base import Consul
from meshkit.federation.context import Context
from meshkit.federation.tracing import clusters
from meshkit.model import Datacenter
from meshkit.trace import ailments, catalog, choose
from meshkit.trace.ailments import Ailment
from meshkit.trace.cause import found
from meshkit.trace.causes import CATALOGUE
from meshkit.trace.evidence import ConsulView, Evidence, Side
from meshkit.trace.hops import Party, Route

JUDGED = frozenset({"health_critical", "sidecar_missing", "sidecar_address_stale", "sidecar_down"})
"""Causes that entries and pods alone can show."""

OWN = frozenset({"consul", "mesh-gateway"})


def look(context: Context, dc: Datacenter) -> tuple[Ailment, ...]:
    """What is wrong with the services of a datacenter, and with what their sidecars were registered to reach."""
    consul = context.consul(dc.name)
    names = [name for name in consul.services(dc.name) if name not in OWN and not name.endswith("-sidecar-proxy")]
    return tuple(ailment for name in sorted(names) for ailment in _service(context, dc, consul, name))


def _service(context: Context, dc: Datacenter, consul: Consul, name: str) -> Iterator[Ailment]:
    view = ConsulView(
        instances=catalog.instances(consul.health(name, dc.name)),
        sidecars=catalog.instances(consul.health(name, dc.name, proxies=True)),
    )
    if not view.sidecars:
        return  # not every service is meant to be in the mesh
    side = Side(dc.name, dc.context, dc.namespace, dc.primary, consul=view)
    entry = choose.sidecar(side)
    pod = clusters.behind(context.kube[dc.name], entry.address) if entry else None
    side = Side(dc.name, dc.context, dc.namespace, dc.primary, consul=view, pod=pod)
    route = Route(Party(dc.name, name), Party(dc.name, name))
    evidence = Evidence(route, context.clock.now(), Side(dc.name, dc.context, dc.namespace), side)
    for cause in CATALOGUE:
        if cause.code in JUDGED:
            yield from (ailments.of_finding(finding, str(route.destination)) for finding in found(evidence, cause))
    yield from _upstreams(context, dc, consul, view)


def _upstreams(context: Context, dc: Datacenter, consul: Consul, view: ConsulView) -> Iterator[Ailment]:
    """Upstreams that lead to a service which nobody has registered."""
    known = {other.name for other in context.federation.datacenters}
    for entry in view.sidecars or ():
        for upstream in entry.upstreams:
            where = upstream.datacenter or dc.name
            if where not in known or upstream.service not in consul.services(where):
                why = "which is not in the catalog" if where in known else f"and no datacenter is called {where}"
                text = f"{entry.id} has an upstream {where}/{upstream.service}, {why}"
                path = f"{dc.name}/{entry.id} to {where}/{upstream.service}"
                fact, remedy = "the destination is not in the catalog", "meshkit status lists what is there"
                code = "destination_not_registered"
                yield Ailment(code, "breaks", "lookup", dc.name, fact, text, remedy, (path,))
