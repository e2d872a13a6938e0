"""Pages of Envoy's admin as Envoy 1.36 writes them, cut down to what is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from meshkit.trace import envoy

Endpoint = tuple[str, int]


def pages(
    name: str,
    *,
    clusters: Mapping[str, Endpoint] | None = None,
    listeners: Mapping[str, Endpoint] | None = None,
    counters: Mapping[str, int] | None = None,
    spiffe: str = "",
) -> dict[str, str]:
    """All the pages of one Envoy."""
    gauge = {"control_plane.connected_state": 1}
    return {
        envoy.STATS: stats(gauge | dict(counters or {})),
        envoy.SERVER_INFO: json.dumps({"state": "LIVE", "node": {"id": name}}),
        envoy.CERTS: json.dumps({"certificates": [_certificate(spiffe)] if spiffe else []}),
        envoy.CLUSTERS: json.dumps({"cluster_statuses": [_status(*pair) for pair in (clusters or {}).items()]}),
        envoy.CONFIG: json.dumps(config([_listener(*pair) for pair in (listeners or {}).items()], clusters or {})),
    }


def stats(values: Mapping[str, int]) -> str:
    """/stats, with a histogram as Envoy puts it last."""
    found: list[Any] = [{"name": name, "value": value} for name, value in values.items()]
    return json.dumps({"stats": [*found, {"histograms": {"supported_quantiles": []}}]})


def config(listeners: Sequence[Any], clusters: Mapping[str, Any]) -> dict[str, Any]:
    """/config_dump."""
    kind = "type.googleapis.com/envoy.admin.v3."
    dynamic = [{"cluster": {"name": name, "connect_timeout": "5s"}} for name in clusters]
    return {
        "configs": [
            {"@type": f"{kind}ClustersConfigDump", "dynamic_active_clusters": dynamic},
            {"@type": f"{kind}ListenersConfigDump", "dynamic_listeners": list(listeners)},
        ]
    }


def _listener(name: str, at: Endpoint) -> dict[str, Any]:
    return {"name": name, "active_state": {"listener": {"name": name, "address": _address(at)}}}


def _status(name: str, at: Endpoint) -> dict[str, Any]:
    host = {"address": _address(at), "health_status": {"eds_health_status": "HEALTHY"}}
    return {"name": name, "host_statuses": [host]}


def _address(at: Endpoint) -> dict[str, Any]:
    return {"socket_address": {"address": at[0], "port_value": at[1]}}


def _certificate(spiffe: str) -> dict[str, Any]:
    domain = spiffe.removeprefix("spiffe://").partition("/")[0]
    dates = {"valid_from": "2020-01-01T00:00:00Z", "expiration_time": "2040-01-01T00:00:00Z"}
    root = {"serial_number": "0c", "subject_alt_names": [{"uri": f"spiffe://{domain}"}]} | dates
    leaf = {"serial_number": "1a", "subject_alt_names": [{"uri": spiffe}]} | dates
    return {"ca_cert": [root], "cert_chain": [leaf]}
