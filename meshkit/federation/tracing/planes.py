"""What one datacenter's Consul servers say of a path: catalog, intentions, chain, gateways, gossip, replication.

Each question has its own thread and the same deadline: one that goes through a broken WAN is answered by Consul itself
only after 7 s (rpc_hold_timeout), and must not keep the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from meshkit.backends.base import Consul
from meshkit.consul import config_entries
from meshkit.errors import ForbiddenError, MeshkitError, NotFoundError, UnreachableError
from meshkit.federation.context import Context
from meshkit.federation.together import together
from meshkit.model import Datacenter
from meshkit.trace import catalog
from meshkit.trace.evidence import Chain, ChainTarget, ConsulView, Rule, Side
from meshkit.trace.hops import Party, Route

PEERS = "view of the destination"
NOBODY = "meshkit-trace-nobody"
"""A service for which no intention names it can match: what holds for it is the default."""

ANSWER_S, BEYOND_S = 6.0, 3.0
"""Servers answer within milliseconds, on a busy machine seconds. A question through the WAN takes two round trips, and
where that is cut none ends: the rest of the trace needs its share of 10 s."""


def look(context: Context, dc: Datacenter, party: Party, route: Route) -> tuple[ConsulView, dict[str, str]]:
    """The view of a datacenter whose side of the route is ``party``, and what it would not say; nothing of the WAN.

    UnreachableError when its servers say nothing at all.
    """
    consul = context.consul(dc.name)
    answers, unseen = together(context.clock, _questions(consul, dc, party, route), ANSWER_S)
    if not answers:  # the servers went after they were connected to
        raise UnreachableError(next(iter(unseen.values())))
    view = _view(answers, dc, route)
    return view, {f"{dc.name}: Consul's {name}": why for name, why in unseen.items()}


def beyond(context: Context, side: Side, route: Route) -> tuple[ConsulView | None, dict[str, str]]:
    """The same with what the source's servers can be told only by others: the destination, a chain's targets."""
    view, there = side.consul, route.destination
    if view is None:
        return None, {}
    consul = context.consul(side.datacenter)
    looks: dict[str, Callable[[], Any]] = {PEERS: partial(consul.health, there.service, there.datacenter, proxies=True)}
    targets = view.chain.targets if view.chain else ()
    looks |= {f"{PEERS} {place}": partial(_passing, consul, target) for place, target in enumerate(targets)}
    answers, unseen = together(context.clock, looks, BEYOND_S)
    counted = tuple(replace(t, passing=answers.get(f"{PEERS} {place}")) for place, t in enumerate(targets))
    chain = replace(view.chain, targets=counted) if view.chain else None
    missed = {f"{side.datacenter}: Consul's {PEERS}": why for name, why in unseen.items() if name == PEERS}
    return replace(view, peers=_instances(answers.get(PEERS)), chain=chain), missed


def _questions(consul: Consul, dc: Datacenter, party: Party, route: Route) -> Mapping[str, Callable[[], Any]]:
    there = route.destination
    return {
        "leader": consul.leader,
        "catalog": partial(consul.health, party.service, dc.name),
        "sidecars": partial(consul.health, party.service, dc.name, proxies=True),
        "discovery chain": partial(_chain, consul, there),
        "intentions": partial(consul.config_entries, config_entries.INTENTIONS),
        "intentions' default": partial(consul.allowed, route.source.service, NOBODY),
        "service-defaults": partial(consul.config_entries, "service-defaults"),
        "proxy-defaults": partial(consul.config_entries, "proxy-defaults"),
        "service-router": partial(consul.config_entries, "service-router"),
        "federation states": consul.gateways,
        "gateways": partial(consul.health, "mesh-gateway", dc.name),
        "WAN members": consul.wan_members,
        "ACL replication": consul.acl_replication,
        "roots": consul.ca_roots,
    }


def _view(answers: Mapping[str, Any], dc: Datacenter, route: Route) -> ConsulView:
    roots = answers.get("roots") or {}
    status = answers.get("ACL replication")
    defaults = answers.get("proxy-defaults") or ()
    return ConsulView(
        leader=str(answers.get("leader") or ""),
        instances=_instances(answers.get("catalog")),
        sidecars=_instances(answers.get("sidecars")),
        chain=answers.get("discovery chain"),
        rule=_rule(answers, route),
        protocols=_protocols(answers.get("service-defaults") or (), defaults),
        routes=tuple(sorted(entry["Name"] for entry in answers.get("service-router") or ())),
        gateways=catalog.wan_addresses(answers.get("federation states") or {}),
        lan_gateways=catalog.lan_addresses(answers.get("gateways") or ()),
        gateways_critical=catalog.unwell(answers.get("gateways") or ()),
        wan={member.name: member.status for member in answers.get("WAN members") or ()},
        replication=catalog.replication(status, primary=dc.primary) if status else "",
        trust_domain=str(roots.get("TrustDomain") or ""),
        roots=catalog.serials(roots),
        root_ends=catalog.root_ends(roots),
        gateway_mode=config_entries.gateway_mode(defaults),
    )


def _instances(entries: Any) -> Any:
    return None if entries is None else catalog.instances(entries)


def _rule(answers: Mapping[str, Any], route: Route) -> Rule | None:
    """The rule for where the chain leads, since that is who judges; none where it leads to several services."""
    entries, named = answers.get("intentions"), route.destination.service
    chain: Chain | None = answers.get("discovery chain")
    judges = {target.service for target in chain.targets if not target.failover} if chain else set()
    if entries is None or len(judges) > 1:
        return None
    judge = next(iter(judges), named)
    rule = catalog.rule(entries, route.source.service, judge, allowed=answers.get("intentions' default"))
    return replace(rule, target=judge) if rule and judge != named else rule


def _protocols(defaults: Any, proxy: Any) -> dict[str, str]:
    """Protocol by service; under ``*`` what proxy-defaults set for all."""
    found = {entry["Name"]: str(entry.get("Protocol") or "") for entry in defaults}
    common = next((str((entry.get("Config") or {}).get("protocol") or "") for entry in proxy), "")
    return {name: protocol for name, protocol in (found | {"*": common}).items() if protocol}


def _chain(consul: Consul, there: Party) -> Chain:
    """The chain, or why there is none."""
    try:
        return catalog.chain(consul.discovery_chain(there.service, there.datacenter))
    except (UnreachableError, ForbiddenError, NotFoundError):
        raise  # that is no word about the chain
    except MeshkitError as error:
        return Chain(default=False, error=error.message.rpartition("consul: ")[2])


def _passing(consul: Consul, target: ChainTarget) -> int:
    """How many instances are behind a target."""
    return catalog.passing(consul.health(target.service, target.datacenter, proxies=True, matching=target.filter))
