"""A service with a sidecar in the lab, registered without an injector: what a trace's test puts at either end.

Its pod holds three things: the service (``service.py``), Envoy, and before them Consul's own program that writes
Envoy's bootstrap. The catalog entries are written by the test, which can then write others in their place.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clusters import CONSUL_IMAGE, Lab

from meshkit.backends.base import Manifest
from meshkit.federation.context import Context
from meshkit.lab.waiting import wait_until

NAMESPACE = "consul"
PORT, SIDECAR_PORT = 8080, 20000
TOKEN_SECRET = "trace-token"
PYTHON_IMAGE, ENVOY_IMAGE = "docker.io/library/python:3.13-slim", "docker.io/envoyproxy/envoy:v1.36.4"
STARTED_S = 60.0

BOOTSTRAP = """
until consul connect envoy -proxy-id="$PROXY_ID" -node-name="$NODE" -grpc-addr="$CONSUL_GRPC" \\
  -grpc-ca-file="$CONSUL_CACERT" -envoy-ready-bind-address="$POD_IP" -envoy-ready-bind-port=20200 \\
  -ignore-envoy-compatibility -bootstrap > /envoy/bootstrap.json
do sleep 0.2
done
"""


@dataclass(frozen=True)
class Upstream:
    """What a service reaches through its sidecar, and on which port of its own loopback."""

    service: str
    datacenter: str
    port: int = 9000

    def document(self) -> Manifest:
        """As a sidecar's registration holds it."""
        gateway = {"Mode": "local"}
        named = {"DestinationName": self.service, "Datacenter": self.datacenter, "MeshGateway": gateway}
        return named | {"LocalBindAddress": "127.0.0.1", "LocalBindPort": self.port}


@dataclass(frozen=True)
class Workload:
    """A pod ``name`` with a sidecar, in a datacenter; ``address`` once it runs."""

    datacenter: str
    name: str
    upstreams: Sequence[Upstream] = ()
    address: str = ""
    proxy: Mapping[str, Any] = field(default_factory=dict)

    @property
    def node(self) -> str:
        """The synthetic node of its catalog entries."""
        return f"{self.name}-node"

    def service(self, **more: Any) -> Manifest:
        """Its catalog entry; ``more`` is laid over the service."""
        body = {"ID": self.name, "Service": self.name, "Address": self.address, "Port": PORT}
        return {"Node": self.node, "Address": self.address, "Service": body | more}

    def sidecar(self, **more: Any) -> Manifest:
        """The catalog entry of its proxy; ``more`` is laid over the proxy's settings."""
        name = f"{self.name}-sidecar-proxy"
        proxy = {
            "DestinationServiceName": self.name,
            "DestinationServiceID": self.name,
            "LocalServiceAddress": "127.0.0.1",
            "LocalServicePort": PORT,
            "Upstreams": [upstream.document() for upstream in self.upstreams],
            "Config": {"xds_fetch_timeout_ms": 2000},
        }
        body = {"Kind": "connect-proxy", "ID": name, "Service": name, "Address": self.address, "Port": SIDECAR_PORT}
        return {"Node": self.node, "Address": self.address, "Service": body | {"Proxy": proxy | self.proxy | more}}

    def pod(self) -> Manifest:
        """The pod; it becomes ready once its entries are in the catalog."""
        ip = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
        spec = {
            "terminationGracePeriodSeconds": 0,
            "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "initContainers": [self._bootstrap(ip)],
            "containers": [self._server(ip), _envoy()],
            "volumes": [
                {"name": "envoy", "emptyDir": {}},
                {"name": "ca", "secret": {"secretName": "meshkit-ca", "items": [{"key": "tls.crt", "path": "ca.crt"}]}},
                {"name": "token", "secret": {"secretName": TOKEN_SECRET}},
            ],
        }
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.name, "labels": {"app": self.name}}} | {
            "spec": spec
        }

    def _bootstrap(self, ip: Manifest) -> Manifest:
        values = {
            "PROXY_ID": f"{self.name}-sidecar-proxy",
            "NODE": self.node,
            "CONSUL_HTTP_ADDR": "https://consul-server-api:8501",
            "CONSUL_GRPC": "https://consul-server-api:8503",
            "CONSUL_CACERT": "/ca/ca.crt",
            "CONSUL_TLS_SERVER_NAME": f"server.{self.datacenter}.consul",
            "CONSUL_HTTP_TOKEN_FILE": "/token/value",
        }
        mounts = [("envoy", "/envoy"), ("ca", "/ca"), ("token", "/token")]
        return {
            "name": "bootstrap",
            "image": CONSUL_IMAGE,
            "command": ["/bin/sh", "-c", BOOTSTRAP],
            "env": [ip, *({"name": name, "value": value} for name, value in values.items())],
            "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts],
        }

    def _server(self, ip: Manifest) -> Manifest:
        program = Path(__file__).with_name("service.py").read_text()
        values = [{"name": "PORT", "value": str(PORT)}, {"name": "NAME", "value": self.name}]
        return {
            "name": "service",
            "image": PYTHON_IMAGE,
            "command": ["python3", "-c", program],
            "env": [ip, *values],
            "ports": [{"containerPort": PORT}],
        }


def _envoy() -> Manifest:
    path = "/envoy/bootstrap.json"
    return {
        "name": "envoy",
        "image": ENVOY_IMAGE,
        "command": ["/usr/local/bin/envoy", "--config-path", path, "--concurrency", "1", "--log-level", "warning"],
        "args": ["--disable-hot-restart"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 20200}, "periodSeconds": 1},
        "volumeMounts": [{"name": "envoy", "mountPath": "/envoy"}],
    }


def register(context: Context, datacenter: str, entry: Manifest) -> None:
    """Write a catalog entry."""
    consul: Any = context.consul(datacenter)
    consul._request("put", "/v1/catalog/register", body=entry)


def deregister(context: Context, datacenter: str, node: str, service: str = "") -> None:
    """Remove a service from a node, or the node."""
    consul: Any = context.consul(datacenter)
    body = {"Node": node, "Datacenter": datacenter} | ({"ServiceID": service} if service else {})
    consul._request("put", "/v1/catalog/deregister", body=body)


def start(lab: Lab, context: Context, workload: Workload) -> Workload:
    """Run it, and return it with its address once its sidecar is ready."""
    held = context.state.secrets()
    assert held
    token = base64.b64encode(held.tokens["bootstrap"].reveal().encode()).decode()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": TOKEN_SECRET}, "data": {"value": token}}
    where = ("-n", NAMESPACE)
    lab.kubectl(workload.datacenter, *where, "apply", "-f", "-", text=json.dumps(secret))
    lab.kubectl(workload.datacenter, *where, "apply", "-f", "-", text=json.dumps(workload.pod()))

    def address() -> str:
        return str(lab.get(workload.datacenter, *where, "pod", workload.name)["status"].get("podIP", ""))

    wait_until(lambda: bool(address()), STARTED_S, f"an address of pod {workload.name}")
    placed = replace(workload, address=address())
    register(context, placed.datacenter, placed.service())
    register(context, placed.datacenter, placed.sidecar())
    lab.kubectl(placed.datacenter, *where, "wait", f"pod/{placed.name}", "--for=condition=Ready", "--timeout=60s")
    return placed


def stop(lab: Lab, context: Context, workload: Workload) -> None:
    """Remove the pod, its token and its catalog entries; the others of its datacenter have read the token already."""
    things = (f"pod/{workload.name}", f"secret/{TOKEN_SECRET}")
    lab.kubectl(workload.datacenter, "-n", NAMESPACE, "delete", *things, "--ignore-not-found")
    deregister(context, workload.datacenter, workload.node)


def switch(lab: Lab, workload: Workload, mode: str) -> None:
    """Switch a fault of the service on; empty for none."""
    command = ("sh", "-c", f"printf %s '{mode}' > /tmp/mode")
    lab.kubectl(workload.datacenter, "-n", NAMESPACE, "exec", workload.name, "-c", "service", "--", *command)
