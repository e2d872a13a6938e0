"""Two applications with sidecars that the chart's own webhook injects: a client here, a web server there."""

from __future__ import annotations

from typing import Any

from hashicorp.pair import PRIMARY, SECONDARY, Official

from meshkit.consul.images import PYTHON

NAMESPACE = "shop"
CLIENT, WEB = "client", "web"
PORT, UPSTREAM_PORT = 8080, 9090
INJECT = "consul.hashicorp.com/connect-inject"
UPSTREAMS = "consul.hashicorp.com/connect-service-upstreams"
SERVICE_PORT = "consul.hashicorp.com/connect-service-port"
REQUEST = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{UPSTREAM_PORT}/', timeout=5).status)"


def start(official: Official) -> None:
    """Both, and return when their pods, sidecars included, are ready."""
    upstream = {UPSTREAMS: f"{WEB}:{UPSTREAM_PORT}:{SECONDARY}"}
    _apply(official, PRIMARY, CLIENT, upstream, "import time; time.sleep(86400)")
    _apply(official, SECONDARY, WEB, {SERVICE_PORT: str(PORT)}, _server())
    for datacenter, name in ((PRIMARY, CLIENT), (SECONDARY, WEB)):
        ready = ("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=180s")
        official.kubectl(official.contexts[datacenter], "-n", NAMESPACE, *ready)


def stop(official: Official) -> None:
    """Remove both; the chart's webhook must be there still, to take them out of the catalog."""
    for context in official.names:
        official.kubectl(context, "delete", "namespace", NAMESPACE, "--ignore-not-found")


def reaches(official: Official) -> bool:
    """Whether a request of the client gets the web server's answer."""
    where = ("-n", NAMESPACE, "exec", CLIENT, "-c", CLIENT, "--")
    said = official.kubectl(official.contexts[PRIMARY], *where, "python3", "-c", REQUEST, check=False)
    return said.strip() == "200"


def sidecars(official: Official) -> dict[str, list[str]]:
    """The containers of each application's pod, by its name."""
    found = {}
    for datacenter, name in ((PRIMARY, CLIENT), (SECONDARY, WEB)):
        pod = official.get(official.contexts[datacenter], "-n", NAMESPACE, "pod", name)
        found[name] = [container["name"] for container in pod["spec"]["containers"]]
    return found


def _apply(official: Official, datacenter: str, name: str, annotations: dict[str, str], program: str) -> None:
    context = official.contexts[datacenter]
    official.kubectl(context, "create", "namespace", NAMESPACE)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": PORT, "targetPort": PORT}]},
    }
    official.apply(context, NAMESPACE, account, service)
    metadata = {"name": name, "labels": {"app": name}, "annotations": {INJECT: "true", **annotations}}
    container = {"name": name, "image": official.own_image(PYTHON), "command": ["python3", "-u", "-c", program]}
    # Under ACLs an account's name must be its service's.
    spec = {"serviceAccountName": name, "containers": [container], "terminationGracePeriodSeconds": 0}
    pod: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    official.apply(context, NAMESPACE, pod)


def _server() -> str:
    return f"import http.server as h; h.test(h.SimpleHTTPRequestHandler, port={PORT}, bind='127.0.0.1')"
