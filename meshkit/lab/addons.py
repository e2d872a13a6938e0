"""What a cluster has from the start: CoreDNS and a default StorageClass."""

from __future__ import annotations

from typing import Any

from meshkit.errors import MeshkitError
from meshkit.lab import api, configs, images
from meshkit.lab.topology import Node

STORAGE_CLASS = "standard"
PROVISIONER = "meshkit.dev/lab"
DNS = "coredns"

# In kubeadm's form, so that tools which add a server block find what they know; no upstream exists to forward to.
COREFILE = """.:53 {
    errors
    health {
       lameduck 1s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       ttl 5
    }
    cache 5
    loop
    reload 2s
    loadbalance
}
"""


def apply(node: Node) -> None:
    """Create or update all of it, by server-side apply."""
    for path, manifest in _manifests(node):
        name = manifest["metadata"]["name"]
        api.request(node, "PATCH", f"{path}/{name}?fieldManager=meshkit-lab&force=true", manifest, api.APPLY)


def dns_ready(node: Node) -> bool:
    """Whether a CoreDNS pod is ready, which its ``ready`` plugin says once it serves the cluster's zone."""
    try:
        found = api.request(node, "GET", f"/apis/apps/v1/namespaces/kube-system/deployments/{DNS}")
    except (OSError, MeshkitError):
        return False
    return bool(found.get("status", {}).get("readyReplicas"))


def _manifests(node: Node) -> tuple[tuple[str, dict[str, Any]], ...]:
    system, roles = "/api/v1/namespaces/kube-system", "/apis/rbac.authorization.k8s.io/v1"
    return (
        ("/apis/storage.k8s.io/v1/storageclasses", _storage_class()),
        (f"{system}/serviceaccounts", _object("v1", "ServiceAccount", DNS)),
        (f"{roles}/clusterroles", _cluster_role()),
        (f"{roles}/clusterrolebindings", _cluster_role_binding()),
        (f"{system}/configmaps", _object("v1", "ConfigMap", DNS) | {"data": {"Corefile": COREFILE}}),
        (f"{system}/services", _dns_service(node)),
        ("/apis/apps/v1/namespaces/kube-system/deployments", _dns_deployment()),
    )


def _storage_class() -> dict[str, Any]:
    metadata = {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata,
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def _cluster_role() -> dict[str, Any]:
    rules = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    return _object("rbac.authorization.k8s.io/v1", "ClusterRole", "system:coredns", "") | {"rules": rules}


def _cluster_role_binding() -> dict[str, Any]:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"}
    subjects = [{"kind": "ServiceAccount", "name": DNS, "namespace": "kube-system"}]
    binding = _object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "system:coredns", "")
    return binding | {"roleRef": reference, "subjects": subjects}


def _dns_service(node: Node) -> dict[str, Any]:
    ports = [{"name": f"dns-{p.lower()}", "protocol": p, "port": 53, "targetPort": 53} for p in ("UDP", "TCP")]
    spec = {"clusterIP": configs.dns_address(node), "selector": {"k8s-app": "kube-dns"}, "ports": ports}
    return _object("v1", "Service", "kube-dns") | {"spec": spec}


def _dns_deployment() -> dict[str, Any]:
    container = {
        "name": DNS,
        "image": images.COREDNS,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "40Mi"}, "limits": {"memory": "170Mi"}},
    }
    items = [{"key": "Corefile", "path": "Corefile"}]
    pod = {
        "serviceAccountName": DNS,
        # Not ClusterFirst: the DNS server must not ask itself.
        "dnsPolicy": "Default",
        "priorityClassName": "system-cluster-critical",
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": DNS, "items": items}}],
    }
    labels = {"k8s-app": "kube-dns"}
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return _object("apps/v1", "Deployment", DNS) | {"spec": spec}


def _object(version: str, kind: str, name: str, namespace: str = "kube-system") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}
