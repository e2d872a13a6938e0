"""Where images come from: the charts' own registries, or one that stands in the place of all of them.

A mirror keeps the names below a registry's own: ``docker.io/hashicorp/consul:1.22.7`` is there as
``HOST/hashicorp/consul:1.22.7``.
"""

from __future__ import annotations

from typing import Any

from meshkit.consul import official
from meshkit.model import Federation

CONSUL, ENVOY, PYTHON = "hashicorp/consul:1.22.7", "envoyproxy/envoy:v1.36.4", "library/python:3.13-slim"
"""What meshkit's own charts run."""

DEFAULT = "docker.io"
Values = dict[str, Any]


def for_light(registry: str) -> Values:
    """The light chart's images by its keys; nothing where the chart's own are meant."""
    return {"global": {"image": f"{registry}/{CONSUL}", "imageEnvoy": f"{registry}/{ENVOY}"}} if registry else {}


def for_official(registry: str, version: str) -> Values:
    """Every image of the official chart by its keys; nothing where the chart's own are meant."""
    if not registry:
        return {}
    product = f"{registry}/hashicorp"
    return {
        "global": {
            "image": f"{product}/consul:{official.consul_version(version)}",
            "imageK8S": f"{product}/consul-k8s-control-plane:{version}",
            "imageConsulDataplane": f"{product}/consul-dataplane:{version}",
        },
        "telemetryCollector": {"image": f"{product}/consul-telemetry-collector:{official.collector_version()}"},
    }


def for_probe(federation: Federation) -> Values:
    """The probe's images by its keys: beside the official chart the Consul that this installs."""
    registry = federation.image_registry or DEFAULT
    consul = f"hashicorp/consul:{official.consul_version(federation.chart_version)}" if federation.official else CONSUL
    own = {"image": f"{registry}/{ENVOY}", "imageConsul": f"{registry}/{consul}", "imagePython": f"{registry}/{PYTHON}"}
    return own if federation.image_registry else {"imageConsul": own["imageConsul"]} if federation.official else {}
