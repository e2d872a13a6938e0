"""Releases as Argo CD's Applications.

Argo CD renders a chart as ``helm template`` does and applies what comes out: there is no Helm release afterwards. What
controllers write into the objects (the webhooks' caBundle, which the injector sets itself) is not to be taken back.
A Job that the official chart deletes when it is done would be brought back for ever, so the chart is told of Argo CD.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meshkit.backends.base import Manifest
from meshkit.consul.values import Values, merge
from meshkit.federation.gitops.rendering import Delivery, Rendering
from meshkit.federation.gitops.repository import Repository

NAMESPACE = "argocd"
CABUNDLES = {
    "group": "admissionregistration.k8s.io",
    "kind": "MutatingWebhookConfiguration",
    "jqPathExpressions": [".webhooks[]?.clientConfig.caBundle"],
}
VALIDATING = CABUNDLES | {"kind": "ValidatingWebhookConfiguration"}
OF_CHART: Values = {"global": {"argocd": {"enabled": True}}}
"""Makes the Job ``server-acl-init`` a hook of Argo CD's, and changes nothing else in the official chart."""


def applications(rendering: Rendering, repository: Repository) -> Iterator[Manifest]:
    """One Application per release; the cluster is called as the datacenter is."""
    dc = rendering.datacenter
    for delivery in rendering.deliveries:
        yield {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": f"{dc.name}-{delivery.release}", "namespace": NAMESPACE},
            "spec": {
                "project": "default",
                "source": _source(delivery, repository),
                "destination": {"name": dc.name, "namespace": dc.namespace},
                "syncPolicy": {
                    "automated": {"selfHeal": True},
                    "syncOptions": ["ServerSideApply=true", "RespectIgnoreDifferences=true"],
                },
                "ignoreDifferences": [CABUNDLES, VALIDATING],
            },
        }


def _source(delivery: Delivery, repository: Repository) -> dict[str, Any]:
    values = merge(OF_CHART, delivery.values) if delivery.official else delivery.values
    source, helm = delivery.source, {"releaseName": delivery.release, "valuesObject": values}
    if source.local:
        return {
            "repoURL": repository.url,
            "targetRevision": repository.revision,
            "path": repository.inside(source.path),
            "helm": helm,
        }
    # Argo CD writes a registry without its scheme.
    url = source.repository.removeprefix("oci://")
    return {"repoURL": url, "chart": source.name, "targetRevision": source.version, "helm": helm}
