"""The Kubernetes objects that meshkit itself owns in a cluster: pure manifests.

The charts bring the workloads; what must outlive them (the gateway's address, the secrets, the marker that says
which federation a cluster belongs to) is made here and carries the label that ``destroy`` removes by.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from meshkit.backends.base import Manifest
from meshkit.consul import gateway, names
from meshkit.federation.state import FederationSecrets
from meshkit.model import Datacenter, Federation
from meshkit.pki.material import PrivateKey

MANAGED = {"app.kubernetes.io/managed-by": "meshkit"}
MANAGED_SELECTOR = "app.kubernetes.io/managed-by=meshkit"
FEDERATION_CONFIGMAP = "meshkit-federation"


def namespace(name: str) -> Manifest:
    """The namespace of a datacenter."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": MANAGED}}


def marker(federation: Federation, datacenter: Datacenter, federation_id: str, ca_fingerprint: str) -> Manifest:
    """The ConfigMap that tells any laptop which federation this cluster belongs to; nothing in it is secret."""
    described = {
        "id": federation_id,
        "name": federation.name,
        "datacenter": datacenter.name,
        "chart": federation.chart,
        "chart_version": federation.chart_version,
        **({"gitops": True} if federation.gitops else {}),
        "datacenters": [_layout(dc) for dc in federation.datacenters],
        "ca_fingerprint": ca_fingerprint,
    }
    text = json.dumps(described, indent=2, sort_keys=True)
    return _object("ConfigMap", FEDERATION_CONFIGMAP, datacenter) | {"data": {"federation.json": text}}


def _layout(datacenter: Datacenter) -> dict[str, object]:
    """What another machine needs to know; contexts are each machine's own, and values may hold secrets."""
    layout: dict[str, object] = {
        "name": datacenter.name,
        "primary": datacenter.primary,
        "namespace": datacenter.namespace,
        "servers": datacenter.servers,
        "gateways": datacenter.gateways,
        "gateway_port": datacenter.gateway_port,
    }
    return layout | ({"gateway_address": datacenter.gateway_address} if datacenter.gateway_address else {})


def gateway_service(datacenter: Datacenter, found: Manifest | None, *, early: bool = False) -> Manifest:
    """The mesh gateway's public Service: meshkit's own, so that its address outlives every upgrade and reinstall.

    ``found`` is the one that is there already. ``early``: pods get traffic before they are ready.
    """
    spec: dict[str, object] = {
        "type": "LoadBalancer",
        "selector": {"app": "consul", "component": "mesh-gateway"},
        "ports": [
            {
                "name": "gateway",
                "protocol": "TCP",
                "port": datacenter.gateway_port,
                "targetPort": names.GATEWAY_CONTAINER_PORT,
            }
        ],
    }
    if early:
        spec["publishNotReadyAddresses"] = True
    if datacenter.gateway_source_ranges:
        spec["loadBalancerSourceRanges"] = list(datacenter.gateway_source_ranges)
    service = _object("Service", names.GATEWAY_SERVICE, datacenter) | {"spec": spec}
    annotations = gateway.service_annotations(datacenter, found)
    if annotations:
        service["metadata"]["annotations"] = annotations
    return service


def server_settings(datacenter: Datacenter, service: Manifest | None) -> Manifest:
    """Settings of the servers that the official chart sets otherwise, and over its values of the user's too.

    It lets servers leave when they are stopped. For the WAN that is for good: nobody tries to reach a member that has
    left, and a primary that starts again has nobody to join, so that a single restart of it ended the federation
    (consul#12658). One that only fails is tried again by the others, as with the light chart.

    Its servers advertise their pods' addresses, and under a name that they know the other datacenters refuse a new one
    for a minute or two. The address of the ``service`` in front of the only server stays, once it is there; nobody
    dials it, gateways go by name.
    """
    config: dict[str, bool | str] = {"leave_on_terminate": False}
    address = service["spec"].get("clusterIP") if service and datacenter.servers == 1 else None
    if address:
        config["advertise_addr_wan"] = address
    return _object("ConfigMap", names.SERVER_SETTINGS, datacenter) | {"data": {"meshkit.json": json.dumps(config)}}


def server_service(datacenter: Datacenter) -> Manifest:
    """The servers' API at one address, as the light chart brings it; the official one has only a headless Service.

    ``consul connect envoy`` writes an address into the probe's bootstrap, and a pod's own would not outlive the pod.
    """
    ports = [("https", 8501, names.HTTPS_PORT), ("grpc-tls", 8503, names.OFFICIAL_GRPC_PORT)]
    spec = {
        "type": "ClusterIP",
        "selector": {"app": "consul", "component": "server"},
        "ports": [
            {"name": name, "protocol": "TCP", "port": port, "targetPort": target} for name, port, target in ports
        ],
    }
    return _object("Service", names.SERVER_API, datacenter) | {"spec": spec}


def secrets(
    datacenter: Datacenter,
    ca_certificate: str,
    server: tuple[str, PrivateKey],
    held: FederationSecrets,
    *,
    official: bool = False,
) -> tuple[Manifest, ...]:
    """Every Secret of a datacenter; ``server`` is the server's certificate (PEM) and key."""
    tokens = {names.TOKENS[token]: held.tokens[token] for token in _tokens(datacenter, official=official)}
    certificate, key = server
    return (
        _secret(names.CA, datacenter, {"tls.crt": ca_certificate}),
        _secret(names.SERVER_CERT, datacenter, {"tls.crt": certificate, "tls.key": key.reveal()}, "kubernetes.io/tls"),
        _secret(names.GOSSIP, datacenter, {"key": held.gossip.reveal()}),
        *(_secret(name, datacenter, {"token": token.reveal()}) for name, token in tokens.items()),
    )


def _tokens(datacenter: Datacenter, *, official: bool) -> tuple[str, ...]:
    """The tokens that a datacenter's charts read.

    The bootstrap token manages the whole federation, so it is put in the primary alone. The replication token is for
    secondaries; the official chart's job in the primary makes it, and so must know it too.
    """
    if official:
        return ("bootstrap", "replication", "probe") if datacenter.primary else ("replication", "probe")
    left_out = "replication" if datacenter.primary else "bootstrap"
    return tuple(token for token in names.TOKENS if token != left_out)


def data_differs(wanted: Manifest, found: Manifest | None) -> bool:
    """Whether an object of ours is missing or holds other data, labels or spec than wanted.

    Only what is wanted is compared: API servers add defaults, and others may add labels.
    """
    return found is None or not _covers(wanted, found)


def _covers(wanted: object, found: object) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_covers(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(_covers(mine, theirs) for mine, theirs in zip(wanted, found, strict=True))
        )
    return wanted == found


def _secret(name: str, datacenter: Datacenter, data: Mapping[str, str], kind: str = "Opaque") -> Manifest:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return _object("Secret", name, datacenter) | {"type": kind, "data": encoded}


def _object(kind: str, name: str, datacenter: Datacenter) -> Manifest:
    metadata = {"name": name, "namespace": datacenter.namespace, "labels": dict(MANAGED)}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}
