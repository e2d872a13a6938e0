"""Where images come from: the charts' own registries, or one that stands in the place of all of them.

A mirror keeps the names below a registry's own: ``docker.io/hashicorp/consul:1.22.7`` is there as
``HOST/hashicorp/consul:1.22.7``.
"""

from __future__ import annotations

from typing import Any

from meshkit.consul import official
from meshkit.model import Datacenter, Federation

CONSUL, ENVOY, PYTHON = "hashicorp/consul:1.22.7", "envoyproxy/envoy:v1.36.4", "library/python:3.13-slim"
"""What meshkit's own charts run."""

DEFAULT = "docker.io"
Values = dict[str, Any]


def for_light(registry: str) -> Values:
    """The light chart's images by its keys; nothing where the chart's own are meant."""
    return {"global": {"image": f"{registry}/{CONSUL}", "imageEnvoy": f"{registry}/{ENVOY}"}} if registry else {}


def for_official(federation: Federation, datacenter: Datacenter) -> Values:
    """Every image of the official chart by its keys; nothing where the chart's own are meant."""
    if not federation.image_registry:
        return {}
    product, version = f"{federation.image_registry}/hashicorp", federation.seen_from(datacenter).chart_version
    return {
        "global": {
            "image": f"{federation.image_registry}/{of_servers(federation, datacenter)}",
            "imageK8S": f"{product}/consul-k8s-control-plane:{version}",
            "imageConsulDataplane": f"{product}/consul-dataplane:{version}",
        },
        "telemetryCollector": {"image": f"{product}/consul-telemetry-collector:{official.collector_version()}"},
    }


def of_servers(federation: Federation, datacenter: Datacenter) -> str:
    """Consul's image where the values name none: the official chart's own."""
    return f"hashicorp/consul:{_version(federation, datacenter)}"


def for_probe(federation: Federation, datacenter: Datacenter) -> Values:
    """The probe's images by its keys: beside the official chart the Consul that the datacenter has."""
    registry = federation.image_registry or DEFAULT
    consul = of_servers(federation, datacenter) if federation.official else CONSUL
    own = {"image": f"{registry}/{ENVOY}", "imageConsul": f"{registry}/{consul}", "imagePython": f"{registry}/{PYTHON}"}
    return own if federation.image_registry else {"imageConsul": own["imageConsul"]} if federation.official else {}


def _version(federation: Federation, datacenter: Datacenter) -> str:
    """The Consul of the official chart: the one that an upgrade has brought, else the one its version stands for."""
    return datacenter.consul_version or official.consul_version(federation.seen_from(datacenter).chart_version)
