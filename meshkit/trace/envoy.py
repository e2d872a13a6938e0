"""Envoy's admin answers as values: /server_info, /certs, /clusters, /config_dump, /stats, all in their JSON form.

https://www.envoyproxy.io/docs/envoy/v1.36.4/operations/admin. What an answer lacks is empty here: an Envoy that starts
has no listeners, one without a configuration no clusters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from meshkit.trace.proxy import EnvoyCluster, Leaf, Proxy

ADMIN_PORT = 19000
"""Consul's default in every bootstrap that it writes, on loopback."""

SERVER_INFO, CERTS, CLUSTERS, CONFIG = "/server_info", "/certs", "/clusters?format=json", "/config_dump?include_eds"
STATS = "/stats?format=json"
READY_LISTENER = "envoy_ready_listener"
OWN = (
    "cluster.self_admin.",
    "cluster.local_agent.",
    "http.admin.",
    "http.envoy_ready.",
    "listener.admin.",
    "main_thread",
)
"""Counters of Envoy's talk with itself and its control plane, which go up without any request."""

CONTAINERS = ("mesh-gateway", "sidecar", "consul-dataplane", "envoy", "envoy-sidecar")
"""Names of Envoy's container: in this project's charts, in the official one, and by hand."""

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Answers:
    """The admin's answers, parsed."""

    info: Document
    certs: Document
    clusters: Document
    config: Document


def document(text: str) -> Document:
    """An answer as JSON; ValueError when it is none."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - callers catch what is wrong with an answer as one thing
    return found


def counters(text: str) -> dict[str, int]:
    """All counters and gauges of /stats but Envoy's own."""
    stats = document(text).get("stats") or ()
    return {
        entry["name"]: int(entry["value"])
        for entry in stats
        if isinstance(entry.get("value"), int) and not any(own in entry["name"] for own in OWN)
    } | {"control_plane.connected_state": _connected(stats)}


def grown(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """What grew; gauges that fell are not counters of anything."""
    return {name: value - before.get(name, 0) for name, value in after.items() if value > before.get(name, 0)}


def date(answer: bytes) -> datetime | None:
    """The Date of an HTTP answer, None when it has none."""
    found = re.search(rb"\r\ndate: ([^\r\n]+)", answer, re.IGNORECASE)
    try:
        at = parsedate_to_datetime(found[1].decode("ascii", errors="replace")) if found else None
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at else None  # HTTP knows GMT alone, whatever it writes


def flags(log: str, since: datetime) -> tuple[str, ...]:
    """Response flags of the access log's lines since a moment, in the JSON form that Consul sets by default.

    https://developer.hashicorp.com/consul/docs/connect/observability/access-logs
    """
    return tuple(dict.fromkeys(flag for line in log.splitlines() for flag in _flags(line, since)))


def _flags(line: str, since: datetime) -> Iterator[str]:
    try:
        entry = json.loads(line)
        at, found = datetime.fromisoformat(entry["start_time"]), str(entry["response_flags"] or "-")
    except (ValueError, KeyError, TypeError):
        return  # Envoy's own log is not JSON
    if at >= since and found != "-":
        yield from found.split(",")


def proxy(pod: str, answers: Answers, before: Mapping[str, int], after: Mapping[str, int]) -> Proxy:
    """One Envoy as its admin describes it."""
    configs = {entry["@type"].rpartition(".")[2]: entry for entry in answers.config.get("configs") or ()}
    listeners = tuple((configs.get("ListenersConfigDump") or {}).get("dynamic_listeners") or ())
    clusters: Document = configs.get("ClustersConfigDump") or {}
    public = [entry for entry in listeners if str(entry.get("name", "")).startswith("public_listener")]
    state = after.get("control_plane.connected_state")
    return Proxy(
        id=str(answers.info.get("node", {}).get("id", "")),
        pod=pod,
        state=str(answers.info.get("state", "")),
        connected=None if state is None else bool(state),
        configured=bool(listeners) or _has_own_listener(configs.get("ListenersConfigDump") or {}),
        rejected=tuple(_rejected(listeners, clusters)),
        warming=tuple(_warming(listeners, clusters)),
        leaf=_leaf(answers.certs),
        trusted=frozenset(_trusted(answers.certs)),
        clusters=_clusters(answers.clusters, clusters),
        listeners={entry["name"]: address for entry in listeners if (address := _address(entry))},
        snis=tuple(sorted({name for entry in listeners for name in _server_names(entry)})),
        http=any("http_connection_manager" in json.dumps(entry) for entry in public),
        counters=grown(before, after),
        totals=after,
        uptime_s=_seconds(answers.info.get("uptime_current_epoch")),
    )


def _seconds(text: Any) -> float:
    """A protobuf duration, such as ``3661s``; 0 when it is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(text))
    return float(found[1]) if found else 0.0


def _has_own_listener(config: Document) -> bool:
    """A bootstrap may hold listeners too; the one that tells whether Envoy is ready serves nobody."""
    names = (entry.get("listener", {}).get("name") for entry in config.get("static_listeners") or ())
    return any(name != READY_LISTENER for name in names)


def _connected(stats: Any) -> int:
    return next((int(entry["value"]) for entry in stats if entry.get("name") == "control_plane.connected_state"), 0)


def _rejected(listeners: tuple[Any, ...], clusters: Document) -> Iterator[str]:
    for entry in (*listeners, *(clusters.get("dynamic_active_clusters") or ())):
        if details := (entry.get("error_state") or {}).get("details"):
            yield f"{entry.get('name') or entry.get('cluster', {}).get('name', '')}: {details}"


def _warming(listeners: tuple[Any, ...], clusters: Document) -> Iterator[str]:
    for entry in clusters.get("dynamic_warming_clusters") or ():
        yield str(entry["cluster"]["name"])
    for entry in listeners:
        if "warming_state" in entry:
            yield str(entry["name"])


def _leaf(certs: Document) -> Leaf | None:
    """The certificate with a SPIFFE ID; that of the connection to the servers has none."""
    for entry in certs.get("certificates") or ():
        for chain in (entry.get("cert_chain") or ())[:1]:
            uris = [name["uri"] for name in chain.get("subject_alt_names") or () if "uri" in name]
            if uris:
                return Leaf(uris[0], _moment(chain["valid_from"]), _moment(chain["expiration_time"]))
    return None


def _trusted(certs: Document) -> Iterator[str]:
    """Serial numbers of the mesh's roots: those that carry its trust domain."""
    for entry in certs.get("certificates") or ():
        for root in entry.get("ca_cert") or ():
            if any("uri" in name for name in root.get("subject_alt_names") or ()):
                yield str(root["serial_number"]).lower().lstrip("0")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _clusters(statuses: Document, configured: Document) -> dict[str, EnvoyCluster]:
    settings = {
        entry["cluster"]["name"]: entry["cluster"]
        for kind in ("static_clusters", "dynamic_active_clusters")
        for entry in configured.get(kind) or ()
        if "name" in entry.get("cluster", {})
    }
    return {
        entry["name"]: _cluster(entry, settings.get(entry["name"], {}))
        for entry in statuses.get("cluster_statuses") or ()
    }


def _cluster(status: Document, settings: Document) -> EnvoyCluster:
    thresholds: Any = (settings.get("circuit_breakers") or {}).get("thresholds") or ({},)
    text = json.dumps(settings)
    return EnvoyCluster(
        str(status["name"]),
        tuple(_endpoint(host) for host in status.get("host_statuses") or ()),
        int(thresholds[0].get("max_connections") or 0),
        float(str(settings.get("connect_timeout", "5s")).removesuffix("s")),
        "http2_protocol_options" in text or "http_protocol_options" in text,
        tuple(_accepted(settings)),
    )


def _endpoint(host: Document) -> tuple[str, int, str]:
    at = (host.get("address") or {}).get("socket_address") or {}
    health = dict(host.get("health_status") or {})
    state = health.pop("eds_health_status", "HEALTHY")
    troubles = [] if state in ("HEALTHY", "UNKNOWN") else [str(state).lower()]
    troubles += [name for name, value in health.items() if value is True]
    return str(at.get("address", "")), int(at.get("port_value", 0)), ", ".join(troubles)


def _accepted(settings: Document) -> Iterator[str]:
    """The SPIFFE IDs that a cluster takes from who answers."""
    context = ((settings.get("transport_socket") or {}).get("typed_config") or {}).get("common_tls_context") or {}
    for match in (context.get("validation_context") or {}).get("match_typed_subject_alt_names") or ():
        if exact := (match.get("matcher") or {}).get("exact"):
            yield str(exact)


def _address(listener: Document) -> tuple[str, int] | None:
    active = (listener.get("active_state") or {}).get("listener") or {}
    at = (active.get("address") or {}).get("socket_address") or {}
    return (str(at["address"]), int(at["port_value"])) if "port_value" in at else None


def _server_names(listener: Document) -> Iterator[str]:
    active = (listener.get("active_state") or {}).get("listener") or {}
    for chain in active.get("filter_chains") or ():
        yield from (chain.get("filter_chain_match") or {}).get("server_names") or ()
