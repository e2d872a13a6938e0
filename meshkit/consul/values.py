"""Helm values of a datacenter, in the keys of the official chart.

One rendering for every chart; what only the light chart knows is added in one place, ``_light``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshkit.consul.names import CA, CONSUL_RELEASE, GOSSIP, SERVER_CERT, TOKENS, probe_service
from meshkit.model import Datacenter, Federation, host_port

SCHEDULE_IMAGES = ("imagePython", "imagePullPolicy", "imagePullSecrets")
"""What the schedule's chart takes of the probe's."""

FIRST_UPSTREAM_PORT = 9101
PROBE_IMAGES = {
    "image": "imageEnvoy",
    "imageConsul": "image",
    "imagePullPolicy": "imagePullPolicy",
    "imagePullSecrets": "imagePullSecrets",
}
"""The probe's values by the user's global ones of the Consul release: one registry serves both."""
CERTIFICATE_ANNOTATION = "meshkit.dev/server-certificate"
Values = dict[str, Any]


def consul_values(
    federation: Federation, datacenter: Datacenter, addresses: Mapping[str, str], certificate: str
) -> Values:
    """Values of the Consul release.

    ``addresses`` are the gateways' public ones by datacenter. ``certificate`` is the server certificate's
    fingerprint: a new one rolls the servers, which read their certificate only at start.
    """
    primary = federation.primary
    values: Values = {
        "global": {
            "name": CONSUL_RELEASE,
            "datacenter": datacenter.name,
            "tls": {"enabled": True, "httpsOnly": True, "caCert": {"secretName": CA, "secretKey": "tls.crt"}},
            "gossipEncryption": {"secretName": GOSSIP, "secretKey": "key"},
            "acls": {"manageSystemACLs": True},
            "federation": {"enabled": True},
        },
        "server": {
            "replicas": datacenter.servers,
            "serverCert": {"secretName": SERVER_CERT},
            "annotations": _annotations(datacenter, certificate),
        },
        "meshGateway": {
            "enabled": True,
            "replicas": datacenter.gateways,
            "wanAddress": {
                "source": "Static",
                "static": addresses[datacenter.name],
                "port": datacenter.gateway_port,
            },
        },
    }
    if datacenter.primary:
        values["global"]["acls"]["bootstrapToken"] = _token("bootstrap")
    else:
        values["global"]["acls"]["replicationToken"] = _token("replication")
        values["global"]["federation"] |= {
            "primaryDatacenter": primary.name,
            "primaryGateways": [host_port(addresses[primary.name], primary.gateway_port)],
        }
    merged = merge(merge(values, _light()), datacenter.values)
    # A text replaces a text: the user's annotations would switch off the rolling of servers.
    if isinstance(merged["server"], Mapping):
        merged["server"] = merge(merged["server"], {"annotations": values["server"]["annotations"]})
    return merged


def probe_values(federation: Federation, datacenter: Datacenter, archive: str) -> Values:
    """Values of the probe's release: its own name, a port for each other datacenter's probe, the user's registry.

    ``archive`` is the ConfigMap of the agent's program. The user's own values for the probe lie over all.
    """
    values = {
        **_images(datacenter),
        "service": probe_service(datacenter.name),
        "datacenter": datacenter.name,
        "consulName": CONSUL_RELEASE,
        "caCert": {"secretName": CA, "secretKey": "tls.crt"},
        "aclToken": _token("probe"),
        "upstreams": [
            {"service": probe_service(other.name), "datacenter": other.name, "port": port}
            for other, port in upstream_ports(federation, datacenter).items()
        ],
        "agent": {"archive": archive, "federation": federation.name},
    }
    return merge(values, datacenter.probe)


def schedule_values(federation: Federation, datacenter: Datacenter, archive: str) -> Values:
    """Values of the schedule's release but for the probes themselves: identity, program, the user's registry."""
    images = {key: value for key, value in _images(datacenter).items() if key in SCHEDULE_IMAGES}
    theirs = {key: datacenter.probe[key] for key in SCHEDULE_IMAGES if key in datacenter.probe}
    return {
        **images,
        **theirs,
        "source": datacenter.name,
        "federation": federation.name,
        "service": probe_service(datacenter.name),
        "consulName": CONSUL_RELEASE,
        "archive": archive,
        "caCert": {"secretName": CA, "secretKey": "tls.crt"},
        "aclToken": _token("probe"),
    }


def upstream_ports(federation: Federation, datacenter: Datacenter) -> dict[Datacenter, int]:
    """Which port of a datacenter's probe leads to which other datacenter."""
    return {
        other: FIRST_UPSTREAM_PORT + place
        for place, other in enumerate(federation.datacenters)
        if other.name != datacenter.name
    }


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Values:
    """``over`` laid on ``base``, mapping by mapping as Helm does; lists and texts are replaced whole."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(below, value) if both and isinstance(below, Mapping) else value
    return merged


def _light() -> Values:
    """What the light chart needs beyond the official one: tokens that are made outside."""
    return {
        "global": {"acls": {"agentToken": _token("agent"), "dnsToken": _token("dns")}},
        "meshGateway": {"aclToken": _token("mesh-gateway")},
    }


def _images(datacenter: Datacenter) -> Values:
    """Where the user's images come from; what is not set stays the chart's own."""
    theirs = datacenter.values.get("global")
    if not isinstance(theirs, Mapping):
        return {}
    return {key: theirs[name] for key, name in PROBE_IMAGES.items() if theirs.get(name)}


def _annotations(datacenter: Datacenter, certificate: str) -> str:
    """The servers' annotations as YAML text, meshkit's below the user's."""
    server = datacenter.values.get("server")
    theirs = server.get("annotations") if isinstance(server, Mapping) else None
    before = f"{theirs.rstrip()}\n" if isinstance(theirs, str) and theirs.strip() else ""
    return f'{before}"{CERTIFICATE_ANNOTATION}": "{certificate[:32]}"\n'


def _token(name: str) -> dict[str, str]:
    return {"secretName": TOKENS[name], "secretKey": "token"}
