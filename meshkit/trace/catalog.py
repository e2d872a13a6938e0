"""Consul's answers as values: health entries, discovery chains, intentions, addresses of gateways."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from meshkit.consul import config_entries
from meshkit.trace.evidence import Chain, ChainTarget, HealthCheck, Instance, Rule, Upstream

Document = Mapping[str, Any]
PERMISSIONS = "permissions"


def instances(entries: Sequence[Document]) -> tuple[Instance, ...]:
    """``/v1/health/service`` or ``/v1/health/connect``."""
    return tuple(_instance(entry) for entry in entries)


def _instance(entry: Document) -> Instance:
    service, node = entry["Service"], entry["Node"]
    proxy = service.get("Proxy") or {}
    local = str(proxy.get("LocalServiceAddress") or "127.0.0.1"), int(proxy.get("LocalServicePort") or 0)
    return Instance(
        str(service["ID"]),
        str(node["Node"]),
        str(service.get("Address") or node.get("Address") or ""),
        int(service.get("Port") or 0),
        tuple(_checks(entry.get("Checks") or ())),
        tuple(service.get("Tags") or ()),
        dict(service.get("Meta") or {}),
        local if proxy else ("", 0),
        tuple(_upstream(upstream) for upstream in proxy.get("Upstreams") or () if _by_datacenter(upstream)),
        proxy.get("Mode") == "transparent",
    )


def _checks(checks: Iterable[Document]) -> Iterator[HealthCheck]:
    for check in checks:
        name = str(check.get("Name") or check.get("CheckID") or "")
        yield HealthCheck(name, str(check.get("Status", "")), str(check.get("Output") or "").strip())


def _by_datacenter(upstream: Document) -> bool:
    """Those of a peer or a prepared query name no service of a datacenter."""
    return not upstream.get("DestinationPeer") and upstream.get("DestinationType") != "prepared_query"


def _upstream(upstream: Document) -> Upstream:
    return Upstream(
        str(upstream.get("DestinationName", "")),
        str(upstream.get("Datacenter") or ""),
        str(upstream.get("LocalBindAddress") or "127.0.0.1"),
        int(upstream.get("LocalBindPort") or 0),
        str((upstream.get("MeshGateway") or {}).get("Mode") or ""),
    )


def passing(entries: Sequence[Document]) -> int:
    """How many instances Consul would send to."""
    return sum(all(check.get("Status") != "critical" for check in entry.get("Checks") or ()) for entry in entries)


def chain(answer: Document) -> Chain:
    """``/v1/discovery-chain``."""
    found = answer["Chain"]
    failovers = {
        target
        for node in (found.get("Nodes") or {}).values()
        for target in ((node.get("Resolver") or {}).get("Failover") or {}).get("Targets") or ()
    }
    targets = found.get("Targets") or {}
    return Chain(
        str(found.get("Protocol", "tcp")),
        bool(found.get("Default")),
        tuple(
            ChainTarget(
                str(target["Service"]),
                str(target.get("ServiceSubset") or ""),
                str(target["Datacenter"]),
                failover=name in failovers,
                filter=str((target.get("Subset") or {}).get("Filter") or ""),
            )
            for name, target in sorted(targets.items(), key=lambda pair: pair[0] in failovers)
        ),
    )


def rule(entries: Sequence[dict[str, Any]], source: str, destination: str, *, allowed: bool | None) -> Rule | None:
    """The intention that decides; ``allowed`` is what Consul says where none matches, None when it did not say.

    Both permissions and demands for a JWT let some requests pass and others not.
    """
    pairs = ((s, d) for d in (destination, config_entries.ANY) for s in (source, config_entries.ANY))
    for from_name, to_name in pairs:
        for entry in entries:
            for given in entry.get("Sources") or ():
                if entry["Name"] == to_name and given["Name"] == from_name and not given.get("Peer"):
                    action = str(given.get("Action") or "deny")
                    if given.get("Permissions") or (entry.get("JWT") and action == "allow"):
                        action = PERMISSIONS
                    return Rule(action, from_name, to_name)
    if allowed is None:
        return None
    return Rule("allow" if allowed else "deny")


def wan_addresses(states: Mapping[str, Sequence[Document]]) -> dict[str, tuple[tuple[str, int], ...]]:
    """Each datacenter's gateways as the federation states hold them."""
    return {name: tuple(_tagged(entry, "wan") for entry in entries or ()) for name, entries in states.items()}


def lan_addresses(entries: Sequence[Document]) -> tuple[tuple[str, int], ...]:
    """Where sidecars of the same datacenter reach its gateways."""
    return tuple(_tagged(entry, "lan") for entry in entries)


def unwell(entries: Sequence[Document]) -> tuple[HealthCheck, ...]:
    """The check for which each of these is left out of all answers; none as long as one of them is not."""
    found = [[check for check in _checks(entry.get("Checks") or ()) if check.status == "critical"] for entry in entries]
    return tuple(critical[0] for critical in found) if all(found) else ()


def _tagged(entry: Document, kind: str) -> tuple[str, int]:
    service = entry["Service"]
    tagged = (service.get("TaggedAddresses") or {}).get(kind) or {}
    address = tagged.get("Address") or service.get("Address") or (entry.get("Node") or {}).get("Address") or ""
    return str(address), int(tagged.get("Port") or service.get("Port") or 0)


def serials(roots: Document) -> frozenset[str]:
    """Serial numbers of the mesh's roots, hexadecimal as Envoy writes them."""
    return frozenset(f"{int(root.get('SerialNumber') or 0):x}" for root in roots.get("Roots") or ())


def root_ends(roots: Document) -> datetime | None:
    """The end of the active root; None when there is none, or no date that can be read."""
    for root in roots.get("Roots") or ():
        if root.get("Active"):
            try:
                return datetime.fromisoformat(str(root.get("NotAfter")))
            except ValueError:
                return None
    return None


def replication(status: Document, *, primary: bool) -> str:
    """Why ACLs are not copied, empty when they are or need not be."""
    if primary or not status.get("Enabled"):
        return "" if primary else "ACL replication is not enabled"
    if not status.get("Running"):
        return "ACL replication does not run"
    success, error = str(status.get("LastSuccess") or ""), str(status.get("LastError") or "")
    if error > success:
        return f"its last try failed: {status.get('LastErrorMessage') or 'no reason given'}"
    return ""
