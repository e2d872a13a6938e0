"""The official chart's controller and webhooks for config entries, as consul-k8s 1.9.11 and 2.0.3 have them.

What a controller makes of a resource is in ``reconcile``; here is when it does, what the webhooks refuse (as
serviceintentions_webhook.go and proxydefaults_webhook.go do), and that both need an injector.
"""

from __future__ import annotations

from typing import Any

from fakes.definitions import definition
from fakes.kube import FakeCluster
from fakes.reconcile import reconcile
from fakes.wan import FakeWan
from meshkit.backends.base import Manifest, Ref
from meshkit.consul import resources
from meshkit.errors import MeshkitError

INJECTOR = "consul-connect-injector"
KINDS = (resources.INTENTIONS_KIND, resources.PROXY_DEFAULTS_KIND)
HELM = {"meta.helm.sh/release-name": "consul", "meta.helm.sh/release-namespace": "consul"}
LABELS = {"app": "consul", "component": "connect-injector", "release": "consul", "heritage": "Helm"}


def install(wan: FakeWan, datacenter: str, *, lag: int = 1) -> FakeController:
    """Put definitions, injector and webhooks into a datacenter's cluster, with the controller at work."""
    cluster = wan.clusters[datacenter]
    for kind in (*KINDS, "ServiceDefaults"):
        cluster.put(definition(kind, annotations=HELM))
    meta = {"name": INJECTOR, "namespace": wan.namespace, "labels": LABELS}
    spec = {"replicas": 1, "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "sidecar"}]}}}
    cluster.put({"kind": "Deployment", "metadata": meta, "spec": spec, "status": {"availableReplicas": 1}})
    hook = {"name": "mutate-serviceintentions.consul.hashicorp.com"}
    service = {"name": INJECTOR, "namespace": wan.namespace}
    hook |= {"clientConfig": {"caBundle": "Y2E=", "service": service}, "failurePolicy": "Fail"}
    meta = {"name": INJECTOR, "labels": LABELS, "annotations": HELM}
    cluster.put({"kind": "MutatingWebhookConfiguration", "metadata": meta, "webhooks": [hook]})
    cluster.put({"kind": "Service", "metadata": service | {"annotations": HELM}, "spec": {"type": "ClusterIP"}})
    controller = FakeController(wan, datacenter, lag=lag)
    cluster.controllers.append(controller.look)
    cluster.admission = controller.admit
    return controller


class FakeController:
    """One cluster's controller; it comes to a resource ``lag`` looks at the cluster after a change."""

    def __init__(self, wan: FakeWan, datacenter: str, *, lag: int = 1) -> None:
        self._wan = wan
        self._datacenter = datacenter
        self._cluster: FakeCluster = wan.clusters[datacenter]
        self._lag = lag
        self._seen: dict[str, tuple[Any, int]] = {}
        self._turns = 0
        self.fails_with = ""
        """What Consul says to every write, as in ConsulAgentError."""

    @property
    def available(self) -> bool:
        found = self._cluster.find(Ref("Deployment", INJECTOR, self._wan.namespace))
        return bool(found and found.get("status", {}).get("availableReplicas"))

    def stop(self) -> None:
        """The injector's pods are gone, its webhooks stay."""
        self._scale(0)

    def start(self) -> None:
        """The injector is there again."""
        self._scale(1)

    def _scale(self, replicas: int) -> None:
        found = self._cluster.find(Ref("Deployment", INJECTOR, self._wan.namespace))
        if found:
            status = {"availableReplicas": replicas}
            self._cluster.put(found | {"spec": found["spec"] | {"replicas": replicas}, "status": status})

    # The webhooks.

    def admit(self, manifest: Manifest, found: Manifest | None) -> None:
        if manifest["kind"] not in KINDS or not self._cluster.every("MutatingWebhookConfiguration"):
            return
        name = f"mutate-{manifest['kind'].lower()}.consul.hashicorp.com"
        if not self.available:
            raise MeshkitError(
                f'{self._datacenter}: Internal error occurred: failed calling webhook "{name}": '
                f'no endpoints available for service "{INJECTOR}"'
            )
        denied = f'{self._datacenter}: admission webhook "{name}" denied the request: '
        others = [r for r in self._cluster.every(manifest["kind"]) if found is None]
        destination = (manifest["spec"].get("destination") or {}).get("name")
        if manifest["kind"] == resources.PROXY_DEFAULTS_KIND and others:
            raise MeshkitError(f"{denied}proxydefaults resource already defined - only one global entry is supported")
        if destination and destination in [r["spec"]["destination"]["name"] for r in others]:
            raise MeshkitError(
                f"{denied}an existing ServiceIntentions resource has `spec.destination.name: {destination}`"
            )
        if manifest["kind"] == resources.INTENTIONS_KIND and not manifest["spec"].get("sources"):
            raise MeshkitError(f"{denied}spec.sources: Required value: at least one source must be specified")

    # The controller.

    def look(self) -> None:
        """One turn: reconcile what has changed long enough ago."""
        if not self.available:
            return
        for kind in KINDS:
            for resource in self._cluster.every(kind):
                if self._is_due(resource):
                    self._reconcile(resource)
        for kind in ("HTTPRoute", "Gateway", "GatewayClass"):
            for found in self._cluster.every(kind):
                if found["metadata"].get("deletionTimestamp") or self._is_orphan(found):
                    self._release(found)

    def _is_orphan(self, found: Manifest) -> bool:
        """Whether an object is a route whose Gateways are all being deleted: its controller lets go of those."""
        parents = [ref["name"] for ref in found["spec"].get("parentRefs", ())]
        gateways = [g for g in self._cluster.every("Gateway") if g["metadata"]["name"] in parents]
        return bool(gateways) and all(gateway["metadata"].get("deletionTimestamp") for gateway in gateways)

    def _is_due(self, resource: Manifest) -> bool:
        meta = resource["metadata"]
        state = (resource.get("spec"), meta.get("annotations"), meta.get("deletionTimestamp"))
        before, left = self._seen.get(meta["uid"], (None, 0))
        left = left - 1 if state == before else self._lag
        self._seen[meta["uid"]] = (state, left)
        return left <= 0

    def _reconcile(self, resource: Manifest) -> None:
        store = self._wan.store(self._wan.primary(self._datacenter))
        outcome = reconcile(resource, store, self._datacenter, self.fails_with)
        if outcome.released:
            self._release(resource)
        if outcome.condition:
            self._turns += 1  # a condition's time is always new, also where it says the same again
            condition = outcome.condition | {"lastTransitionTime": f"turn {self._turns}"}
            meta = resource["metadata"] | {"finalizers": [resources.FINALIZER]}
            self._cluster.put(resource | {"metadata": meta, "status": {"conditions": [condition]}})

    def _release(self, resource: Manifest) -> None:
        """Take Consul's finalizer away; who else has one keeps the object."""
        meta = resource["metadata"]
        kept = [name for name in meta.get("finalizers") or () if not name.endswith(resources.GROUP)]
        self._cluster.put(resource | {"metadata": meta | {"finalizers": kept}})
        if meta.get("deletionTimestamp") and not kept:
            self._cluster.remove(Ref(resource["kind"], meta["name"], meta.get("namespace", "")))
