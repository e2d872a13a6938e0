"""Whether a cluster suits what is to be installed there: its nodes, its platform's rules, its load balancer.

Part of the preflight: problems are raised before anything is touched, notes are shown once. What is said of a platform
comes from ``platforms.yaml``; here is only when to say it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meshkit.errors import MeshkitError
from meshkit.events import Note
from meshkit.federation import capacity
from meshkit.federation.capacity import Need
from meshkit.federation.facts import ClusterFacts
from meshkit.kubernetes import kubectl
from meshkit.model import Datacenter, Federation
from meshkit.platforms.catalogue import LoadBalancer, Platform, catalogue, platform, title

MUCH = 0.5
"""Share of the nodes' capacity above which a note says how much Consul takes of it."""

GIB = 2**30


def problems(federation: Federation, seen: Mapping[str, ClusterFacts]) -> Iterator[MeshkitError]:
    """What would make the installation wait for ever."""
    for datacenter in federation.datacenters:
        cluster = seen.get(datacenter.name)
        if cluster and not cluster.refused:
            yield from _room(federation, datacenter, cluster)
            yield from _apart(federation, datacenter, cluster)
            yield from _internal(datacenter)
            yield from _security(federation, datacenter, cluster)


def notes(federation: Federation, seen: Mapping[str, ClusterFacts]) -> Iterator[Note]:
    """What a user should know, and may have taken care of already."""
    for datacenter in federation.datacenters:
        cluster = seen.get(datacenter.name)
        if cluster and not cluster.refused:
            yield from _share(federation, datacenter, cluster)
            yield from _served(datacenter, cluster)
            yield from _node_port(datacenter, cluster)
            found = platform(datacenter.platform)
            if found and found.light_chart and not federation.official:
                yield Note(found.light_chart.replace("NAMESPACE", datacenter.namespace), datacenter.name)


def _room(federation: Federation, datacenter: Datacenter, cluster: ClusterFacts) -> Iterator[MeshkitError]:
    if cluster.capacity.on_demand:
        return
    if not cluster.capacity.nodes:
        yield MeshkitError(
            f"{datacenter.name}: there is no node that takes ordinary pods",
            hint=f"{kubectl(datacenter.context)} describe nodes shows why: taints, or none at all",
        )
        return
    for need in capacity.needs(federation, datacenter):
        if not cluster.capacity.takes(need):
            yield MeshkitError(
                f"{datacenter.name}: no node can take a pod of {need.what}, which asks for {_amounts(need)}",
                hint=f"the least that does: {_smallest(datacenter)}; or ask for less in values.{need.what}.resources",
            )


def _apart(federation: Federation, datacenter: Datacenter, cluster: ClusterFacts) -> Iterator[MeshkitError]:
    """The official chart's anti-affinity is a required one: a server without a node of its own waits for ever."""
    nodes = len(cluster.capacity.nodes)
    if cluster.capacity.on_demand or not nodes:
        return
    for need in capacity.needs(federation, datacenter):
        if need.apart and need.count > nodes:
            yield MeshkitError(
                f"{datacenter.name}: {need.count} servers need {need.count} nodes, each one of its own; "
                f"{nodes} {'takes' if nodes == 1 else 'take'} pods",
                hint="fewer servers, more nodes, or values.server.affinity: null where a lost node may cost the quorum",
            )


def _internal(datacenter: Datacenter) -> Iterator[MeshkitError]:
    balancer = _balancer(datacenter)
    if datacenter.gateway_internal and balancer and balancer.internal is None and not datacenter.gateway_annotations:
        yield MeshkitError(
            f"{datacenter.name}: nothing is known of internal load balancers on {title(datacenter.platform)}",
            hint="say in gatewayAnnotations how yours is asked for one, or leave gatewayInternal out there",
        )


def _security(federation: Federation, datacenter: Datacenter, cluster: ClusterFacts) -> Iterator[MeshkitError]:
    """What the official chart makes on a platform beside the usual needs leave as well."""
    if federation.official and cluster.platform_refused:
        named = ", ".join(cluster.platform_refused)
        yield MeshkitError(
            f"{datacenter.name}: no permission to create {named}, which the official chart needs on "
            f"{title(datacenter.platform)}",
            hint="log in as a cluster administrator; check with: "
            f"{kubectl(datacenter.context)} auth can-i create {named}",
        )


def _share(federation: Federation, datacenter: Datacenter, cluster: ClusterFacts) -> Iterator[Note]:
    held = cluster.capacity
    if held.on_demand or not held.nodes:
        return
    has = {"cpu": sum(node.cpu for node in held.nodes), "memory": sum(node.memory for node in held.nodes)}
    for resource, wanted in capacity.totals(capacity.needs(federation, datacenter)):
        if has[resource] and wanted > MUCH * has[resource]:
            share = f"{wanted / has[resource]:.0%}"
            text = f"Consul asks for {share} of the {resource} of all nodes: some pods may have to wait"
            yield Note(f"{text}; the least that is known to do: {_smallest(datacenter)}", datacenter.name)


def _served(datacenter: Datacenter, cluster: ClusterFacts) -> Iterator[Note]:
    """Only the gateways step can know, by waiting for an address."""
    found = platform(datacenter.platform)
    if cluster.served or datacenter.gateway_address:
        return
    if found and found.no_load_balancer:
        yield Note(found.no_load_balancer, datacenter.name)
    elif not cluster.load_balancer_seen:
        yield Note("no load balancer seen yet; one is needed for the mesh gateway's address", datacenter.name)


def _node_port(datacenter: Datacenter, cluster: ClusterFacts) -> Iterator[Note]:
    """A load balancer that takes the nodes' own ports has each only once."""
    balancer = _balancer(datacenter)
    if balancer and balancer.holds_node_ports and cluster.port_holders:
        named, port = ", ".join(cluster.port_holders), datacenter.gateway_port
        text = f"{title(datacenter.platform)} gives each port of its nodes to one service, and {named} has {port}"
        yield Note(f"{text}: set gatewayPort to another, or take that service away", datacenter.name)


def _balancer(datacenter: Datacenter) -> LoadBalancer | None:
    return catalogue().load_balancers.get(datacenter.load_balancer)


def _amounts(need: Need) -> str:
    return f"{need.cpu:g} CPU and {need.memory / GIB:.2g} GiB"


def _smallest(datacenter: Datacenter) -> str:
    found: Platform | None = platform(datacenter.platform)
    return found.node if found else "2 vCPU and 4 GiB"
