"""Where the Kubernetes API has the objects of a kind."""

from __future__ import annotations

from urllib.parse import quote

KINDS = {
    "Namespace": ("v1", "namespaces"),
    "Node": ("v1", "nodes"),
    "Secret": ("v1", "secrets"),
    "ConfigMap": ("v1", "configmaps"),
    "CronJob": ("batch/v1", "cronjobs"),
    "Service": ("v1", "services"),
    "ServiceAccount": ("v1", "serviceaccounts"),
    "Pod": ("v1", "pods"),
    "Event": ("v1", "events"),
    "Endpoints": ("v1", "endpoints"),
    "PersistentVolumeClaim": ("v1", "persistentvolumeclaims"),
    "StatefulSet": ("apps/v1", "statefulsets"),
    "Deployment": ("apps/v1", "deployments"),
    "ReplicaSet": ("apps/v1", "replicasets"),
    "Job": ("batch/v1", "jobs"),
    "Lease": ("coordination.k8s.io/v1", "leases"),
    "NetworkPolicy": ("networking.k8s.io/v1", "networkpolicies"),
    "Role": ("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("rbac.authorization.k8s.io/v1", "rolebindings"),
    "StorageClass": ("storage.k8s.io/v1", "storageclasses"),
    "CustomResourceDefinition": ("apiextensions.k8s.io/v1", "customresourcedefinitions"),
    "MutatingWebhookConfiguration": ("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations"),
    "ValidatingWebhookConfiguration": ("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations"),
    "ProxyDefaults": ("consul.hashicorp.com/v1alpha1", "proxydefaults"),
    "ServiceIntentions": ("consul.hashicorp.com/v1alpha1", "serviceintentions"),
}
"""Kind to API version and resource, for every kind meshkit touches by name."""


def path_of(kind: str, namespace: str, name: str = "", subresource: str = "") -> str:
    """The REST path of a kind's collection, of an object or of its subresource."""
    version, resource = KINDS[kind] if kind in KINDS else _dotted(kind)
    parts = ["/api/v1" if version == "v1" else f"/apis/{version}"]
    if namespace:
        parts.append(f"namespaces/{quote(namespace)}")
    parts.append(resource)
    parts.extend(quote(part, safe=":") for part in (name, subresource) if part)
    return "/".join(parts)


def _dotted(kind: str) -> tuple[str, str]:
    resource, version, group = kind.split(".", 2)
    return f"{quote(group)}/{quote(version)}", quote(resource)
