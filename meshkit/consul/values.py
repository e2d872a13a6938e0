"""Helm values of a datacenter, in the keys of the official chart.

One rendering for every chart; what only one of them knows is added in one place each, ``_official`` and ``_light``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from meshkit.consul import images, linger
from meshkit.consul.names import (
    CA,
    CONSUL_RELEASE,
    GATEWAY_CONTAINER_PORT,
    GOSSIP,
    SERVER_CERT,
    SERVER_SETTINGS,
    TOKENS,
    probe_service,
)
from meshkit.model import Datacenter, Federation, host_port
from meshkit.platforms.catalogue import platform

SCHEDULE_IMAGES = ("imagePython", "imagePullPolicy", "imagePullSecrets")
"""What the schedule's chart takes of the probe's."""

SERVER_USER = 100
"""In the images of Consul."""

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
_SETTINGS: Values = {"type": "configMap", "name": SERVER_SETTINGS, "load": True}


def at(values: Any, path: str) -> Any:
    """A value by its dotted path, None where there is none."""
    for key in path.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


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
    own = _official(federation, datacenter) if federation.official else _light(federation)
    found = platform(datacenter.platform)
    if found and federation.official:
        own = merge(found.values, own)
    merged = merge(merge(values, own), datacenter.values)
    # A text replaces a text: the user's annotations would switch off the rolling of servers, and so on.
    if isinstance(merged["server"], Mapping):
        ours: Values = {"annotations": values["server"]["annotations"]}
        if federation.official:
            ours["extraConfig"] = _extra_config(datacenter)
            ours["extraVolumes"] = _extra_volumes(merged["server"]["extraVolumes"])
            ours["extraContainers"] = _extra_containers(federation, datacenter, merged)
        merged["server"] = merge(merged["server"], ours)
    return merged


def probe_values(federation: Federation, datacenter: Datacenter, archive: str) -> Values:
    """Values of the probe's release: its own name, a port for each other datacenter's probe, the user's registry.

    ``archive`` is the ConfigMap of the agent's program. The user's own values for the probe lie over all.
    """
    values = {
        **_images(federation, datacenter),
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
    ours = {key: value for key, value in _images(federation, datacenter).items() if key in SCHEDULE_IMAGES}
    theirs = {key: datacenter.probe[key] for key in SCHEDULE_IMAGES if key in datacenter.probe}
    return {
        **ours,
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


def _light(federation: Federation) -> Values:
    """What the light chart needs beyond the official one: tokens that are made outside."""
    values = {
        "global": {"acls": {"agentToken": _token("agent"), "dnsToken": _token("dns")}},
        "meshGateway": {"aclToken": _token("mesh-gateway")},
    }
    return merge(values, images.for_light(federation.image_registry))


def _official(federation: Federation, datacenter: Datacenter) -> Values:
    """What the official chart needs beyond the light one.

    Its jobs make tokens, and every component logs in by the cluster's own API server, so the primary's servers must
    reach those of the others. The replication token is made by the primary's job with the secret that it finds here.
    The chart always makes a Service of its own for the gateway: it stays inside, or it would be a second load balancer.
    """
    values: Values = {
        "connectInject": {"enabled": True, "default": False, "transparentProxy": {"defaultEnabled": False}},
        "meshGateway": {"containerPort": GATEWAY_CONTAINER_PORT, "service": {"type": "ClusterIP"}},
    }
    # The last of the folders that a server reads its settings from.
    values["server"] = {"extraVolumes": [_SETTINGS]}
    if datacenter.primary:
        acls = {"createReplicationToken": True, "replicationToken": _token("replication")}
        values["global"] = {"acls": acls}
    else:
        values["global"] = {"federation": {"k8sAuthMethodHost": datacenter.api_server}}
    values = merge(values, _unthrottled())
    return merge(values, images.for_official(federation, datacenter))


def _extra_volumes(held: Any) -> Any:
    """The servers' volumes with meshkit's settings first, so that the user's lie over them."""
    if not isinstance(held, list):
        return held
    return [_SETTINGS, *(volume for volume in held if volume != _SETTINGS)]


def _extra_containers(federation: Federation, datacenter: Datacenter, merged: Values) -> Any:
    """The user's containers beside the servers, and the one that keeps a server's network for a while."""
    held = at(merged, "server.extraContainers") or []
    if not isinstance(held, list):
        return held
    image = at(merged, "server.image") or at(merged, "global.image") or images.of_servers(federation, datacenter)
    # As the chart has it: on OpenShift the namespace's range decides.
    ours = linger.container(str(image), user=None if at(merged, "global.openshift.enabled") else SERVER_USER)
    others = (one for one in held if not isinstance(one, Mapping) or one.get("name") != linger.NAME)
    return [*others, ours]


def _unthrottled() -> Values:
    """No limits of processor time, as in the light chart; what is requested stays, and the limits of memory.

    The official chart holds its injector and Jobs to a twentieth of a processor, servers and gateways to a tenth. That
    throttles their start, and all traffic between clouds.
    """

    def no_limit() -> Values:
        return {"resources": {"limits": {"cpu": None}}}

    return {
        "global": {"acls": no_limit()},
        "server": no_limit(),
        "connectInject": {**no_limit(), "apiGateway": {"managedGatewayClass": {"resourceJob": no_limit()}}},
        "meshGateway": {**no_limit(), "initServiceInitContainer": no_limit()},
        "webhookCertManager": no_limit(),
    }


def _extra_config(datacenter: Datacenter) -> str:
    """Consul's own settings as JSON text, the user's over meshkit's; what is no JSON object is left to be refused.

    A secondary's first try to join fails, since the primary's gateway is not there yet, and the next one would come
    after half a minute.
    """
    server = datacenter.values.get("server")
    theirs = server.get("extraConfig") if isinstance(server, Mapping) else None
    try:
        over = json.loads(theirs) if isinstance(theirs, str) and theirs.strip() else {}
    except ValueError:
        over = None
    if not isinstance(over, Mapping):
        return str(theirs)
    return json.dumps({"disable_update_check": True, "retry_interval_wan": "3s", **over})


def _images(federation: Federation, datacenter: Datacenter) -> Values:
    """Where the probe's images come from: the user's values for Consul, the registry; else they stay the chart's."""
    theirs = datacenter.values.get("global")
    own = images.for_probe(federation, datacenter)
    if not isinstance(theirs, Mapping):
        return own
    return own | {key: theirs[name] for key, name in PROBE_IMAGES.items() if theirs.get(name)}


def _annotations(datacenter: Datacenter, certificate: str) -> str:
    """The servers' annotations as YAML text, meshkit's below the user's."""
    server = datacenter.values.get("server")
    theirs = server.get("annotations") if isinstance(server, Mapping) else None
    before = f"{theirs.rstrip()}\n" if isinstance(theirs, str) and theirs.strip() else ""
    return f'{before}"{CERTIFICATE_ANNOTATION}": "{certificate[:32]}"\n'


def _token(name: str) -> dict[str, str]:
    return {"secretName": TOKENS[name], "secretKey": "token"}
