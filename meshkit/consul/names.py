"""Names that meshkit and the charts agree on: Secrets, releases, workloads and their labels."""

from __future__ import annotations

import re

LONGEST_NAME = 40
LEGAL_NAME = re.compile(rf"[a-z0-9](?:[-a-z0-9]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?")
"""Datacenters and federations; ``config.names`` says where the length comes from."""

CA = "meshkit-ca"
SERVER_CERT = "meshkit-server-cert"
GOSSIP = "meshkit-gossip"
TOKENS = {
    "bootstrap": "meshkit-bootstrap-token",
    "replication": "meshkit-replication-token",
    "agent": "meshkit-agent-token",
    "dns": "meshkit-dns-token",
    "mesh-gateway": "meshkit-mesh-gateway-token",
    "probe": "meshkit-probe-token",
}
"""Token's name to Secret; each Secret has the key ``token``."""

DOMAIN = "consul"
"""The last part of every name in the mesh and in its servers' certificates."""

CONSUL_CHART = "consul"
CONSUL_RELEASE, PROBE_RELEASE = "consul", "mesh-probe"
SERVERS, GATEWAY, PROBE = "consul-server", "consul-mesh-gateway", "mesh-probe"
SERVER_API = "consul-server-api"
"""The Service of a datacenter's servers: HTTPS and gRPC."""

HTTPS_PORT, OFFICIAL_GRPC_PORT = 8501, 8502
"""Of a server: the API in both charts, and gRPC with TLS in the official one, which has it on 8503 in the light one."""

SERVER_SELECTOR = "app=consul,component=server"
GATEWAY_SELECTOR = "app=consul,component=mesh-gateway"
PROBE_SELECTOR = "app=mesh-probe,release=mesh-probe"
"""Labels that both this project's chart and the official one put on servers and gateways, and ours on the probe."""

PROBES_OBJECTS = "app=mesh-probe"
"""Everything of the probe's: its pod, those of its CronJobs, its agent's program and what it has measured."""

SCHEDULE_RELEASE = "mesh-probe-schedule"
AGENT_CONTAINER, AGENT_PORT = "agent", 9100
"""In the probe's pod; the port is below those of the upstreams, which begin at 9101."""

SERVER_SETTINGS = "meshkit-server-settings"
"""The ConfigMap of settings that lie over those of the official chart."""

INJECTOR, CONTROLLER_LOCK = "consul-connect-injector", "consul-controller-lock"
"""The official chart's controller, and the Lease by which one of its replicas leads."""

CONSUL_OBJECTS = "app=consul,release=consul"
"""Every pod and Job of the Consul release."""

GATEWAY_SERVICE = "meshkit-mesh-gateway"
"""The public Service, meshkit's own."""

GATEWAY_CONTAINER_PORT = 8443
"""Where the gateway's Envoy listens in its pod, in both charts: unprivileged, so that it needs no capability."""


def agent_archive(digest: str) -> str:
    """The ConfigMap of the agent's program, by the SHA-256 of that."""
    return f"mesh-probe-agent-{digest[:12]}"


def probe_service(datacenter: str) -> str:
    """The probe's name in the mesh: its own per datacenter, since intentions go by name and proofs by direction."""
    return f"mesh-probe-{datacenter}"
