"""What a description may leave open and only the clusters can tell: which chart, and where each API server is.

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
from meshkit.model import LIGHT_CHART, OFFICIAL_CHART, Datacenter, host_port

LAB_PROVIDER = "meshkit-lab://"
"""How the provider ID of a lab's nodes begins."""


def settled(context: Context) -> Context:
    """The same run over a federation that leaves nothing open."""
    federation = context.federation
    if not federation.chart:
        is_lab = all(context.each(lambda dc: _is_lab(context.kube[dc.name])).values())
        federation = replace(federation, chart=LIGHT_CHART if is_lab else OFFICIAL_CHART)
    if federation.official:
        servers = context.each(lambda dc: dc.api_server or _api_server(context, dc))
        federation = replace(
            federation,
            chart_version=federation.chart_version or official.default(),
            datacenters=tuple(replace(dc, api_server=servers[dc.name]) for dc in federation.datacenters),
        )
    return replace(context, federation=federation)


def _is_lab(kube: Kube) -> bool:
    """Whether a cluster is one of ``meshkit lab``, where the official chart's images can't be had."""
    try:
        nodes = kube.list("Node")
    except MeshkitError:
        return False
    return bool(nodes) and all(str(n["spec"].get("providerID", "")).startswith(LAB_PROVIDER) for n in nodes)


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
