"""What a description may leave open and the clusters can tell: the chart, and each one's platform and API server.

It is settled once, before anything is compared, and then kept with the description: a laptop that reaches a cluster
by another address must not change what is installed there. A cluster that does not answer is no reason to stop here,
since preflight reports the problems of all clusters together.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from urllib.parse import urlsplit

from meshkit.backends.base import Kube, Ref
from meshkit.consul import official
from meshkit.errors import MeshkitError
from meshkit.federation.context import Context
from meshkit.model import OFFICIAL_CHART, Datacenter, Federation, host_port
from meshkit.platforms import catalogue, recognise
from meshkit.platforms.recognise import Signs


def settled(context: Context) -> Context:
    """The same run over a federation that leaves nothing open."""
    federation = context.federation
    placed = context.each(lambda dc: _placed(context.kube[dc.name], dc))
    federation = replace(federation, datacenters=tuple(placed[dc.name] for dc in federation.datacenters))
    if not federation.chart:
        federation = replace(federation, chart=_chart(federation))
    if federation.official:
        servers = context.each(lambda dc: dc.api_server or _api_server(context, dc))
        federation = replace(
            federation,
            chart_version=federation.chart_version or official.default(),
            datacenters=tuple(replace(dc, api_server=servers[dc.name]) for dc in federation.datacenters),
        )
    return replace(context, federation=federation)


def _placed(kube: Kube, datacenter: Datacenter) -> Datacenter:
    """The datacenter with what it runs on, once and for all: a Service must not change with what is installed later."""
    if datacenter.load_balancer:
        return datacenter
    try:
        nodes, groups = kube.list("Node"), kube.api_groups()
        signs = Signs(groups, kube.version(), nodes, kube.server, datacenter.context)
    except MeshkitError:
        return datacenter
    platform = recognise.platform(signs)
    balancer = recognise.load_balancer(platform, groups)
    return replace(
        datacenter,
        platform=platform.key if platform else "",
        load_balancer=balancer.key if balancer else "",
    )


def _chart(federation: Federation) -> str:
    """The official chart, unless no cluster is of a kind that has another: the lab's can't have its images."""
    charts = {found.chart if (found := catalogue.platform(dc.platform)) else "" for dc in federation.datacenters}
    return charts.pop() or OFFICIAL_CHART if len(charts) == 1 else OFFICIAL_CHART


def _api_server(context: Context, datacenter: Datacenter) -> str:
    """The kubeconfig's own URL, or what the cluster calls its API server where that URL is this machine's own.

    kind and tunnels have such URLs. Empty when nobody can tell.
    """
    kube = context.kube[datacenter.name]
    if not _is_loopback(kube.server):
        return kube.server
    try:
        found = kube.get(Ref("Endpoints", "kubernetes", "default")) or {}
    except MeshkitError:
        return ""
    for subset in found.get("subsets") or ():
        for address, port in zip(subset.get("addresses") or (), subset.get("ports") or (), strict=False):
            return f"https://{host_port(address['ip'], port['port'])}"
    return ""


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or "localhost"
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
