"""What ``base.Kube`` promises, whichever cluster is behind it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from meshkit.backends.base import Kube, Manifest, Permission, Ref
from meshkit.errors import ConflictError, ForbiddenError, MeshkitError, NotFoundError
from meshkit.lab.waiting import wait_until


def config_map(name: str, namespace: str, **data: str) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "labels": {"app": "contract", "item": name}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


class KubeContract:
    """Subclasses provide ``kube``, and ``namespace``: an empty namespace that exists."""

    def test_get_missing(self, kube: Kube, namespace: str) -> None:
        """An object that does not exist is None, and so is one in a namespace that does not."""
        assert kube.get(Ref("ConfigMap", "missing", namespace)) is None
        assert kube.get(Ref("ConfigMap", "missing", f"{namespace}-missing")) is None

    def test_api_groups(self, kube: Kube) -> None:
        """The groups of Kubernetes itself are among them, the nameless one of the oldest kinds is not."""
        found = kube.api_groups()
        assert {"apps", "batch", "storage.k8s.io"} <= found
        assert "" not in found

    def test_apply_returns_the_object(self, kube: Kube, namespace: str) -> None:
        """Apply gives back what it was given and what the server added."""
        made = kube.apply(config_map("one", namespace, key="value"))
        assert made["data"] == {"key": "value"}
        assert {"uid", "resourceVersion", "creationTimestamp"} <= made["metadata"].keys()
        found = kube.get(Ref("ConfigMap", "one", namespace))
        assert found is not None
        assert found["data"] == {"key": "value"}

    def test_apply_twice(self, kube: Kube, namespace: str) -> None:
        """A second apply of the same changes nothing, not even the version."""
        first = kube.apply(config_map("one", namespace, key="value"))
        second = kube.apply(config_map("one", namespace, key="value"))
        assert second["metadata"]["uid"] == first["metadata"]["uid"]
        assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    def test_apply_replaces_what_it_owns(self, kube: Kube, namespace: str) -> None:
        """A key that is no longer applied goes, one that somebody else added stays."""
        kube.apply(config_map("one", namespace, old="1", kept="1"))
        kube.patch(Ref("ConfigMap", "one", namespace), {"metadata": {"annotations": {"theirs": "1"}}})
        applied = kube.apply(config_map("one", namespace, kept="2"))
        assert applied["data"] == {"kept": "2"}
        assert applied["metadata"]["annotations"]["theirs"] == "1"

    def test_apply_into_a_missing_namespace(self, kube: Kube, namespace: str) -> None:
        """The namespace has to be there first."""
        with pytest.raises(NotFoundError, match="namespaces"):
            kube.apply(config_map("one", f"{namespace}-missing"))

    def test_create(self, kube: Kube, namespace: str) -> None:
        """Create makes what is not there, and leaves what is there as it is."""
        made = kube.create(config_map("one", namespace, key="value"))
        assert {"uid", "resourceVersion", "creationTimestamp"} <= made["metadata"].keys()
        with pytest.raises(ConflictError, match="one"):
            kube.create(config_map("one", namespace, key="other"))
        assert (kube.get(Ref("ConfigMap", "one", namespace)) or {})["data"] == {"key": "value"}

    def test_create_in_a_missing_namespace(self, kube: Kube, namespace: str) -> None:
        """The namespace has to be there first."""
        with pytest.raises(NotFoundError, match="namespaces"):
            kube.create(config_map("one", f"{namespace}-missing"))

    def test_secret(self, kube: Kube, namespace: str) -> None:
        """A Secret keeps its bytes, and is Opaque when nothing else was said."""
        data = {"key": base64.b64encode(b"\0\xff").decode()}
        metadata = {"name": "one", "namespace": namespace}
        made = kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
        assert made["data"] == data
        assert made["type"] == "Opaque"

    def test_list(self, kube: Kube, namespace: str) -> None:
        """A list is of one namespace and what both selectors choose; all namespaces when none is named."""
        for name in ("one", "two"):
            kube.apply(config_map(name, namespace))
        assert _names(kube.list("ConfigMap", namespace, selector="app=contract")) == ["one", "two"]
        assert _names(kube.list("ConfigMap", namespace, selector="app=contract,item=two")) == ["two"]
        assert kube.list("ConfigMap", namespace, selector="app=other") == []
        assert _names(kube.list("ConfigMap", namespace, fields="metadata.name=two")) == ["two"]
        assert _names(kube.list("ConfigMap", namespace, selector="item=one", fields="metadata.name=two")) == []
        assert {"one", "two"} <= set(_names(kube.list("ConfigMap", selector="app=contract")))
        assert kube.list("ConfigMap", f"{namespace}-missing") == []

    def test_patch(self, kube: Kube, namespace: str) -> None:
        """A merge patch changes what it names, and null removes."""
        kube.apply(config_map("one", namespace, a="1", b="1"))
        patched = kube.patch(Ref("ConfigMap", "one", namespace), {"data": {"a": "2", "b": None}})
        assert patched["data"] == {"a": "2"}

    def test_patch_missing(self, kube: Kube, namespace: str) -> None:
        """There is nothing to patch."""
        with pytest.raises(NotFoundError, match="missing"):
            kube.patch(Ref("ConfigMap", "missing", namespace), {"data": {}})

    def test_patch_outdated(self, kube: Kube, namespace: str) -> None:
        """A patch that names a version the object no longer has is refused."""
        old = kube.apply(config_map("one", namespace, a="1"))["metadata"]["resourceVersion"]
        kube.apply(config_map("one", namespace, a="2"))
        with pytest.raises(ConflictError):
            kube.patch(Ref("ConfigMap", "one", namespace), {"metadata": {"resourceVersion": old}, "data": {"a": "3"}})

    def test_patch_status(self, kube: Kube, namespace: str) -> None:
        """A Service's status is written through its own subresource, and its spec is not."""
        spec = {"selector": {"app": "x"}, "ports": [{"name": "p", "port": 80, "protocol": "TCP", "targetPort": 80}]}
        metadata = {"name": "one", "namespace": namespace}
        made = kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
        assert made["spec"]["ports"][0]["port"] == 80
        assert made["spec"]["clusterIP"]
        condition = {"type": "contract", "status": "True", "reason": "c", "message": "", "lastTransitionTime": STAMP}
        body = {"status": {"conditions": [condition]}}
        patched = kube.patch(Ref("Service", "one", namespace), body, subresource="status")
        assert patched["status"]["conditions"][0]["type"] == "contract"

    def test_delete(self, kube: Kube, namespace: str) -> None:
        """The first delete says True, the second False."""
        kube.apply(config_map("one", namespace))
        assert kube.delete(Ref("ConfigMap", "one", namespace)) is True
        assert kube.get(Ref("ConfigMap", "one", namespace)) is None
        assert kube.delete(Ref("ConfigMap", "one", namespace)) is False

    def test_delete_outdated(self, kube: Kube, namespace: str) -> None:
        """An object that has changed since is not deleted; with its own version, or when it is gone, all is as ever."""
        ref = Ref("ConfigMap", "one", namespace)
        old = kube.apply(config_map("one", namespace, a="1"))["metadata"]["resourceVersion"]
        new = kube.apply(config_map("one", namespace, a="2"))["metadata"]["resourceVersion"]
        with pytest.raises(ConflictError):
            kube.delete(ref, version=old)
        assert kube.get(ref) is not None
        assert kube.delete(ref, version=new) is True
        assert kube.delete(ref, version=new) is False

    def test_dotted_kind(self, kube: Kube, namespace: str) -> None:
        """A kind may be named as kubectl does, by plural, version and group."""
        kind = "leases.v1.coordination.k8s.io"
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        kube.apply(lease | {"metadata": {"name": "one", "namespace": namespace}, "spec": {"holderIdentity": "me"}})
        assert (kube.get(Ref(kind, "one", namespace)) or {})["spec"]["holderIdentity"] == "me"
        assert _names(kube.list(kind, namespace)) == ["one"]
        kube.patch(Ref(kind, "one", namespace), {"spec": {"holderIdentity": "you"}})
        assert (kube.get(Ref("Lease", "one", namespace)) or {})["spec"]["holderIdentity"] == "you"
        assert kube.delete(Ref(kind, "one", namespace)) is True

    def test_unknown_kind(self, kube: Kube, namespace: str) -> None:
        """Of a kind whose definition is not in the cluster there is nothing, and nothing can be made or listed."""
        kind = "ServiceIntentions"
        assert kube.get(Ref(kind, "one", namespace)) is None
        with pytest.raises(NotFoundError):
            kube.list(kind, namespace)
        metadata = {"name": "one", "namespace": namespace}
        with pytest.raises(NotFoundError):
            kube.create({"apiVersion": "consul.hashicorp.com/v1alpha1", "kind": kind, "metadata": metadata})

    def test_finalizer(self, kube: Kube, namespace: str) -> None:
        """A deleted object with a finalizer stays, marked; without the finalizer it goes."""
        manifest = config_map("one", namespace)
        manifest["metadata"]["finalizers"] = ["meshkit.dev/contract"]
        kube.apply(manifest)
        ref = Ref("ConfigMap", "one", namespace)
        assert kube.delete(ref) is True
        found = kube.get(ref)
        assert found is not None
        assert found["metadata"]["deletionTimestamp"]
        kube.patch(ref, {"metadata": {"finalizers": None}})
        assert kube.get(ref) is None

    def test_made_anew(self, kube: Kube, namespace: str) -> None:
        """An object made again under its name is another one."""
        first = kube.apply(config_map("one", namespace))["metadata"]["uid"]
        kube.delete(Ref("ConfigMap", "one", namespace))
        assert kube.apply(config_map("one", namespace))["metadata"]["uid"] != first

    def test_version(self, kube: Kube) -> None:
        """The version is Kubernetes' own, with a v."""
        assert kube.version().startswith("v1.")

    def test_clock(self, kube: Kube) -> None:
        """The API server's time is in UTC, to the second."""
        seen = kube.clock()
        assert seen.tzinfo == UTC
        assert seen.microsecond == 0
        assert seen > datetime(2026, 1, 1, tzinfo=UTC)

    def test_can(self, kube: Kube, namespace: str) -> None:
        """An administrator may make Secrets."""
        assert kube.can(Permission("create", "secrets", "", namespace)) is True

    def test_logs_missing(self, kube: Kube, namespace: str) -> None:
        """A pod that is not there has said nothing."""
        assert kube.logs("missing", namespace, "main") == ""
        assert kube.history("missing", namespace, "main", 60.0) == ""

    def test_pod_get_missing(self, kube: Kube, namespace: str) -> None:
        """A request to a pod that is not there is not mistaken for an answer of its own."""
        with pytest.raises(NotFoundError, match="missing"):
            kube.pod_get("missing", namespace, 80)

    def test_ephemeral_containers(self, kube: Kube, namespace: str) -> None:
        """They are added through a subresource of their own, and never changed or taken out again."""
        wait_until(lambda: _applied(kube, _pod("one", namespace)), 30, "the namespace's service account")
        ref, first = Ref("Pod", "one", namespace), _ephemeral("first")
        kube.patch(ref, {"spec": {"ephemeralContainers": [first]}}, subresource="ephemeralcontainers")
        found = kube.get(ref)
        assert found is not None
        there = found["spec"]["ephemeralContainers"]
        added = {"spec": {"ephemeralContainers": [*there, _ephemeral("second")]}}
        kube.patch(ref, added, subresource="ephemeralcontainers")
        with pytest.raises(MeshkitError, match="existing ephemeral containers"):
            kube.patch(ref, {"spec": {"ephemeralContainers": there}}, subresource="ephemeralcontainers")
        assert [c["name"] for c in (kube.get(ref) or {})["spec"]["ephemeralContainers"]] == ["first", "second"]

    def test_ephemeral_containers_of_a_missing_pod(self, kube: Kube, namespace: str) -> None:
        """There is nothing to add to."""
        with pytest.raises(NotFoundError, match="missing"):
            kube.patch(
                Ref("Pod", "missing", namespace),
                {"spec": {"ephemeralContainers": [_ephemeral("first")]}},
                subresource="ephemeralcontainers",
            )

    def test_cluster_scoped(self, kube: Kube, namespace: str) -> None:
        """Namespaces and StorageClasses have no namespace; one class is the default."""
        found = kube.get(Ref("Namespace", namespace))
        assert found is not None
        assert found["status"]["phase"] == "Active"
        classes = [c["metadata"].get("annotations") or {} for c in kube.list("StorageClass")]
        assert "true" in [c.get("storageclass.kubernetes.io/is-default-class") for c in classes]


STAMP = "2026-01-01T00:00:00Z"


def _pod(name: str, namespace: str) -> Manifest:
    """A pod that no node is asked to run."""
    container = {"name": "main", "image": "contract", "imagePullPolicy": "Never"}
    spec = {"containers": [container], "schedulerName": "nobody", "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _ephemeral(name: str) -> Manifest:
    return {
        "name": name,
        "image": "contract",
        "imagePullPolicy": "Never",
        "securityContext": {"capabilities": {"add": ["NET_RAW"]}},
    }


def _applied(kube: Kube, pod: Manifest) -> bool:
    """Pods are refused until a controller has made a new namespace's service account."""
    try:
        kube.apply(pod)
    except ForbiddenError:
        return False
    return True


def _names(items: Any) -> list[str]:
    return sorted(item["metadata"]["name"] for item in items)
