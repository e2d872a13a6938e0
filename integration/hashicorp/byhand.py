"""Federating with the official chart by hand, the quickest way that is known, to measure meshkit beside it.

Every secret is made beforehand, so that nothing waits for a job of the chart, and both releases are installed at the
same time. The primary gateway's address has to be known before: its Service is made first, with the labels by which
helm takes it for the release's own. The clock starts at the installs, and stops when each side sees both alive.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from hashicorp.pair import DATACENTERS, NAMESPACE, PRIMARY, SECONDARY, Official, settles

from meshkit.pki import profiles
from meshkit.pki.authority import Authority
from meshkit.pki.material import GossipKey, Token

RELEASE, GATEWAY, PORT = "consul", "consul-mesh-gateway", 443
CA, GOSSIP, SERVER, BOOTSTRAP, REPLICATION = "mk-ca", "mk-gossip", "mk-server", "mk-bootstrap", "mk-replication"
TIMEOUT = "600s"
PROXY_DEFAULTS = {
    "apiVersion": "consul.hashicorp.com/v1alpha1",
    "kind": "ProxyDefaults",
    "metadata": {"name": "global", "namespace": NAMESPACE},
    "spec": {"meshGateway": {"mode": "local"}},
}
MOST_RATIO = 1.1
"""How much of this time meshkit may take."""

ADDRESS = "jsonpath={.status.loadBalancer.ingress[0]}"


def authority() -> Authority:
    """A CA whose key is in no cluster."""
    return Authority.create(profiles.load("ca"), "by-hand", datetime.now(UTC))


def federate(official: Official, ca: Authority, port: int = PORT) -> float:
    """Seconds from the first helm install to a federation, whose gateways' load balancers have a ``port``."""
    prepare(official, ca, port)
    addresses = {dc: _address(official, context) for dc, context in official.contexts.items()}
    begin = time.monotonic()
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(_install, official, dc, addresses, port) for dc in DATACENTERS]:
            done.result()
    apply_proxy_defaults(official)
    settles(lambda: is_federated(official), "both datacenters to see each other alive")
    return time.monotonic() - begin


def prepare(official: Official, ca: Authority, port: int) -> None:
    """Namespaces, secrets and the gateways' Services."""
    shared = {GOSSIP: {"key": GossipKey.create().reveal()}, REPLICATION: {"token": Token.create().reveal()}}
    bootstrap = {BOOTSTRAP: {"token": Token.create().reveal()}}
    profile = profiles.load("server")
    for dc, context in official.contexts.items():
        sans = profile.sans(datacenter=dc, release=RELEASE, namespace=NAMESPACE)
        certificate, key = ca.issue(profile, sans, f"server.{dc}.consul", datetime.now(UTC))
        server = {SERVER: {"tls.crt": certificate, "tls.key": key.reveal()}}
        secrets = {CA: {"tls.crt": ca.certificate_pem}} | server | shared
        secrets |= bootstrap if dc == PRIMARY else {}
        items = [_secret(name, held) for name, held in secrets.items()]
        official.kubectl(context, "create", "namespace", NAMESPACE)
        document = {"apiVersion": "v1", "kind": "List", "items": [*items, _gateway_service(port)]}
        official.kubectl(context, "-n", NAMESPACE, "apply", "-f", "-", text=json.dumps(document))


def apply_proxy_defaults(official: Official) -> None:
    """In the primary, once its webhook answers, and until Consul has taken it over."""
    here = official.contexts[PRIMARY]

    def applied() -> bool:
        official.kubectl(here, "apply", "-f", "-", text=json.dumps(PROXY_DEFAULTS))
        return True

    settles(applied, "the webhook to take ProxyDefaults")
    words = ("wait", "proxydefaults/global", "--for=condition=Synced", f"--timeout={TIMEOUT}")
    official.kubectl(here, "-n", NAMESPACE, *words)


def is_federated(official: Official) -> bool:
    """Whether each server sees both alive and both gateways, and tokens are replicated."""
    token = official.secret(official.contexts[PRIMARY], BOOTSTRAP, "token")
    for dc in DATACENTERS:
        members = official.alive(dc, token)
        gateways = official.consul(dc, "/v1/internal/federation-states/mesh-gateways", token)
        if (
            len(members) < len(DATACENTERS)
            or not all(members.values())
            or not all(gateways.get(d) for d in DATACENTERS)
        ):
            return False
    replication = official.consul(SECONDARY, "/v1/acl/replication", token)
    return bool(replication["Running"] and replication["LastSuccess"] > (replication.get("LastError") or ""))


def remove(official: Official) -> None:
    """In the order that leaves nothing behind: custom resources, the release, then what was made by hand."""
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(_remove, official, context) for context in official.names]:
            done.result()


def values(official: Official, datacenter: str, addresses: dict[str, str], port: int) -> dict[str, Any]:
    """Helm values of a datacenter."""
    acls = {"manageSystemACLs": True, "replicationToken": {"secretName": REPLICATION, "secretKey": "token"}}
    federation: dict[str, Any] = {"enabled": True}
    if datacenter == PRIMARY:
        acls |= {"createReplicationToken": True, "bootstrapToken": {"secretName": BOOTSTRAP, "secretKey": "token"}}
    else:
        federation |= {
            "primaryDatacenter": PRIMARY,
            "primaryGateways": [f"{addresses[PRIMARY]}:{port}"],
            "k8sAuthMethodHost": _api_server(official, official.contexts[datacenter]),
        }
    service = {"type": "LoadBalancer", "port": port}
    return {
        "global": {
            "name": RELEASE,
            "datacenter": datacenter,
            # No CA key: the server's certificate is made beforehand.
            "tls": {"enabled": True, "caCert": {"secretName": CA, "secretKey": "tls.crt"}},
            "gossipEncryption": {"secretName": GOSSIP, "secretKey": "key"},
            "acls": acls,
            "federation": federation,
            **(official.images() if official.has.registry else {}),
        },
        "server": {
            "replicas": 1,
            "serverCert": {"secretName": SERVER},
            # The first join of the WAN comes too early; the next would come after 30 s.
            "extraConfig": json.dumps({"disable_update_check": True, "retry_interval_wan": "3s"}),
        },
        "connectInject": {
            "enabled": True,
            "replicas": 1,
            "default": False,
            "transparentProxy": {"defaultEnabled": False},
        },
        "meshGateway": {
            "enabled": True,
            "replicas": 1,
            "service": service,
            "wanAddress": {"source": "Service", "port": port},
        },
    }


def _install(official: Official, datacenter: str, addresses: dict[str, str], port: int) -> None:
    context = official.contexts[datacenter]
    where = ("--namespace", NAMESPACE, "--timeout", TIMEOUT)
    text = json.dumps(values(official, datacenter, addresses, port))
    official.helm(context, "install", RELEASE, *official.has.for_helm, *where, "--values", "-", text=text)
    for deployment in (GATEWAY, "consul-connect-injector"):
        words = ("wait", f"deployment/{deployment}", "--for=condition=Available", f"--timeout={TIMEOUT}")
        official.kubectl(context, "-n", NAMESPACE, *words)


def _remove(official: Official, context: str) -> None:
    where = ("-n", NAMESPACE)
    official.kubectl(context, *where, "delete", "proxydefaults", "--all", check=False)
    official.helm(context, "uninstall", RELEASE, "--namespace", NAMESPACE, "--timeout", TIMEOUT, check=False)
    official.kubectl(context, "delete", "namespace", NAMESPACE, "--ignore-not-found")
    assert official.is_clean(context), list(official.leftovers(context))


def _address(official: Official, context: str) -> str:
    words = ("wait", f"service/{GATEWAY}", f"--for={ADDRESS}", f"--timeout={TIMEOUT}")
    official.kubectl(context, "-n", NAMESPACE, *words)
    ingress = official.get(context, "-n", NAMESPACE, "service", GATEWAY)["status"]["loadBalancer"]["ingress"][0]
    return str(ingress.get("ip") or ingress["hostname"])


def _api_server(official: Official, context: str) -> str:
    """Where the cluster's API server answers to other clusters; a kubeconfig may name a tunnel."""
    subset = official.get(context, "-n", "default", "endpoints", "kubernetes")["subsets"][0]
    return f"https://{subset['addresses'][0]['ip']}:{subset['ports'][0]['port']}"


def _gateway_service(port: int) -> dict[str, Any]:
    labels = {"app": "consul", "release": RELEASE, "component": "mesh-gateway"}
    ours = {"meta.helm.sh/release-name": RELEASE, "meta.helm.sh/release-namespace": NAMESPACE}
    metadata = {
        "name": GATEWAY,
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": ours,
    }
    ports = [{"name": "gateway", "port": port, "targetPort": 8443}]
    spec = {"type": "LoadBalancer", "selector": labels, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _secret(name: str, held: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": held}
