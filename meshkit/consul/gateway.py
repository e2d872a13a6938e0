"""The mesh gateway's public face: how its Service is to be annotated, and at which address others reach it.

An address may be a hostname: load balancers of AWS have several addresses, one per zone, and a name for them all. The
name itself is given to Consul, as ``wanAddress`` and in ``primary_gateways``, and not what it resolves to today:

- Servers and Envoys resolve it anew (Consul makes a LOGICAL_DNS cluster that is refreshed every 10 s,
  ``configureClusterWithHostnames`` in agent/xds/clusters.go), so that nothing has to be repaired when the addresses
  behind the name change, and all zones are used. consul-k8s chose the same (consul-k8s#271).
- The trouble of consul#23543 (Envoy refuses a hostname among the endpoints that it gets by EDS) is that of proxies
  which go to a remote gateway directly. meshkit sets gateway mode ``local``, in which only gateways speak to gateways.
- The lookup is for IPv4 alone, unless Consul itself runs on both.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any

from meshkit.kubernetes import Manifest, load_balancer_address
from meshkit.model import Datacenter
from meshkit.platforms.catalogue import catalogue

OPTIONS = "meshkit.dev/gateway"
"""The annotation that says what the user chose, so that an option that was taken back is seen as a difference."""


def address(datacenter: Datacenter, service: Manifest | None) -> str:
    """Where the other datacenters reach this one's gateways; empty while nobody knows."""
    return datacenter.gateway_address or (load_balancer_address(service) if service else "")


def is_hostname(found: str) -> bool:
    """Whether an address has to be resolved first."""
    try:
        ipaddress.ip_address(found)
    except ValueError:
        return bool(found)
    return False


def service_annotations(datacenter: Datacenter, service: Manifest | None) -> dict[str, str]:
    """What the Service's annotations are to be, beside those of others.

    A load balancer's own settings (its kind above all) are given when the Service is made and then kept as they are:
    clouds make another load balancer, with another address, or leave the old one behind, when they change.
    """
    held = _annotations(service)
    balancer = catalogue().load_balancers.get(datacenter.load_balancer)
    usual: dict[str, str] = {}
    if balancer:
        reached = (balancer.internal or {}) if datacenter.gateway_internal else balancer.public
        usual = {**balancer.annotations, **reached}
    if service is not None:
        usual = {key: held[key] for key in usual if key in held}
    options = chosen(datacenter)
    return {**usual, **datacenter.gateway_annotations, **({OPTIONS: options} if options else {})}


def chosen(datacenter: Datacenter) -> str:
    """The user's options as one text, empty for none."""
    options: dict[str, Any] = {}
    if datacenter.gateway_internal:
        options["internal"] = True
    if datacenter.gateway_source_ranges:
        options["sourceRanges"] = list(datacenter.gateway_source_ranges)
    if datacenter.gateway_annotations:
        options["annotations"] = dict(datacenter.gateway_annotations)
    return json.dumps(options, sort_keys=True) if options else ""


def options_differ(datacenter: Datacenter, service: Manifest) -> bool:
    """Whether the user's options are others than those the Service was made with."""
    return _annotations(service).get(OPTIONS, "") != chosen(datacenter)


def moves(datacenter: Datacenter, service: Manifest) -> bool:
    """Whether the load balancer has to be made anew, since an internal one is another than a public one."""
    try:
        internal = bool(json.loads(_annotations(service).get(OPTIONS) or "{}").get("internal"))
    except (ValueError, AttributeError):
        return False
    return internal != datacenter.gateway_internal


def _annotations(service: Manifest | None) -> Mapping[str, str]:
    return (service or {}).get("metadata", {}).get("annotations") or {}
