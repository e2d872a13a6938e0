"""A sidecar with a certificate that no mesh gave it: run out, not valid yet, of another trust domain or CA.

Its Envoy has all of its configuration from its command line. It is registered in the place of the destination's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tracing.workload import ENVOY_IMAGE, NAMESPACE, PORT, SIDECAR_PORT
from tracing.world import SETTLED_S, World

from meshkit.backends.base import Manifest
from meshkit.lab.waiting import wait_until

NAME = "impostor"
TYPE = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True)
class Validity:
    """From and until when a certificate is valid, in hours from now."""

    begins: float = -72.0
    ends: float = 48.0


VALID, ENDED, FUTURE = Validity(), Validity(ends=-1.0), Validity(begins=24.0, ends=96.0)


@contextmanager
def registered(world: World, spiffe: str, validity: Validity = VALID) -> Iterator[None]:
    """The impostor runs and stands in the catalog as the destination's sidecar."""
    world.lab.kubectl(
        world.destination.datacenter, "-n", NAMESPACE, "apply", "-f", "-", text=json.dumps(_pod(spiffe, validity))
    )
    try:
        with world.replaced(_address(world)):
            yield
    finally:
        world.kubectl(world.destination.datacenter, "delete", "pod", NAME, "--ignore-not-found")


def _address(world: World) -> str:
    def found() -> str:
        pod = world.lab.get(world.destination.datacenter, "-n", NAMESPACE, "pod", NAME)
        states = pod["status"].get("containerStatuses") or [{"ready": False}]
        return str(pod["status"].get("podIP", "")) if states[0]["ready"] else ""

    wait_until(lambda: bool(found()), SETTLED_S, "the impostor")
    return found()


def _pod(spiffe: str, validity: Validity) -> Manifest:
    container = {
        "name": "envoy",
        "image": ENVOY_IMAGE,
        "command": ["/usr/local/bin/envoy", "--config-yaml", json.dumps(_config(spiffe, validity))],
        "readinessProbe": {"tcpSocket": {"port": SIDECAR_PORT}, "periodSeconds": 1},
    }
    spec = {"terminationGracePeriodSeconds": 0, "enableServiceLinks": False, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME}, "spec": spec}


def _config(spiffe: str, validity: Validity) -> Manifest:
    certificate, key = _certificate(spiffe, validity)
    pair = {"certificate_chain": {"inline_string": certificate}, "private_key": {"inline_string": key}}
    context = {
        "@type": f"{TYPE}.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "tls_certificates": [pair],
            "validation_context": {"trusted_ca": {"inline_string": certificate}},
        },
    }
    proxy = {"@type": f"{TYPE}.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "public", "cluster": "local_app"}
    chain = {
        "transport_socket": {"name": "tls", "typed_config": context},
        "filters": [{"name": "tcp", "typed_config": proxy}],
    }
    listener = {"name": "public_listener", "address": _at("0.0.0.0", SIDECAR_PORT), "filter_chains": [chain]}  # noqa: S104 - in its pod
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _at("127.0.0.1", PORT)}}]}]
    cluster = {"name": "local_app", "load_assignment": {"cluster_name": "local_app", "endpoints": endpoints}}
    return {
        "admin": {"address": _at("127.0.0.1", 19000)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


def _at(address: str, port: int) -> Manifest:
    return {"socket_address": {"address": address, "port_value": port}}


def _certificate(spiffe: str, validity: Validity) -> tuple[str, str]:
    """A certificate that has signed itself, and its key, PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(hours=validity.begins))
        .not_valid_after(now + timedelta(hours=validity.ends))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
