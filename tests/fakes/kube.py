"""A Kubernetes cluster in memory: objects with uids and generations, load balancers, workloads that come up."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fakes import objects, workloads
from fakes.agent import Agents
from fakes.captures import Captures
from fakes.clock import FakeClock
from fakes.definitions import DEFINITION, Kinds
from fakes.faults import Faults
from fakes.loopback import Loopback
from fakes.workloads import Rollout
from meshkit.backends.base import Execution, Manifest, Permission, Ref, Reply
from meshkit.errors import ConflictError, MeshkitError, NotFoundError

Key = tuple[str, str, str]
Answer = Callable[[str, int, str], tuple[int, str]]
Admission = Callable[[Manifest, Manifest | None], None]
"""Asked of each write with the object as it would be and as it is; raises to refuse it."""

NAMESPACE_LINGERS = 2
"""Looks at a deleted namespace before it is gone."""


@dataclass
class LoadBalancers:
    """What the cloud does with a Service of type LoadBalancer; neither address means that none ever comes."""

    ip: str = "203.0.113.1"
    hostname: str = ""
    polls: int = 0

    def look(self) -> list[Manifest]:
        """One observation: the Service's ingress."""
        if self.polls > 0:
            self.polls -= 1
            return []
        return [{"hostname": self.hostname}] if self.hostname else [{"ip": self.ip}] if self.ip else []


class FakeCluster:
    """``base.Kube``. A new cluster has the namespaces, the node and the StorageClass that real ones start with."""

    def __init__(self, context: str = "aks", clock: FakeClock | None = None, *, skew_s: float = 0.0) -> None:
        self._context = context
        self._time = clock or FakeClock()
        self.lock = threading.RLock()
        self._versions = itertools.count(1)
        self._objects: dict[Key, Manifest] = {}
        self._applied: dict[Key, Manifest] = {}
        self._lingering: dict[str, int] = {}
        self.faults = Faults(context, self._time)
        self.skew_s = skew_s
        self.gitversion = "v1.34.4"
        self.groups = {"apps", "batch", "networking.k8s.io", "policy", "rbac.authorization.k8s.io", "storage.k8s.io"}
        self.load_balancers = LoadBalancers()
        self.rollouts: dict[Key, Rollout] = {}
        self.pod_logs: dict[tuple[str, str], str] = {}
        self.answer: Answer | None = None
        self.agents = Agents()
        self.captures = Captures()
        self.loopback = Loopback(context)
        self.admission: Admission | None = None
        self.controllers: list[Callable[[], None]] = []
        for name in ("default", "kube-system"):
            self.put({"kind": "Namespace", "metadata": {"name": name}})
        self.put(
            {
                "kind": "Node",
                "metadata": {"name": f"{context}-node"},
                "spec": {"providerID": f"meshkit-lab://{context}"},
                "status": {"allocatable": {"cpu": "4", "memory": "8Gi"}},
            }
        )
        default = {"storageclass.kubernetes.io/is-default-class": "true"}
        self.put({"kind": "StorageClass", "metadata": {"name": "standard", "annotations": default}})

    # What tests do behind the API's back.

    def put(self, manifest: Manifest) -> Manifest:
        """Create or replace an object without permissions, faults or namespace being asked."""
        with self.lock:
            return deepcopy(self._store(_key(manifest), manifest))

    def remove(self, ref: Ref) -> None:
        """Drop an object and what it owns."""
        with self.lock:
            self._remove((ref.kind, ref.namespace, ref.name))

    def find(self, ref: Ref) -> Manifest | None:
        """An object as ``get`` gives it, without counting as an observation or meeting a fault."""
        with self.lock:
            return deepcopy(self._objects.get((ref.kind, ref.namespace, ref.name)))

    def every(self, kind: str) -> list[Manifest]:
        """All objects of a kind, as ``find`` gives one."""
        with self.lock:
            return [deepcopy(manifest) for (found, _, _), manifest in sorted(self._objects.items()) if found == kind]

    def everything(self) -> list[str]:
        """All objects as ``kind namespace/name``, sorted: what is left of a test."""
        return sorted(f"{kind} {namespace}/{name}" for kind, namespace, name in self._objects)

    def terminate(self, namespace: str) -> None:
        """Leave a namespace hanging in its deletion, as a finalizer of somebody else does."""
        with self.lock:
            self._objects["Namespace", "", namespace]["status"] = {"phase": "Terminating"}

    # base.Kube

    @property
    def context(self) -> str:
        return self._context

    @property
    def server(self) -> str:
        return f"https://{self._context}.example:6443"

    def version(self) -> str:
        self.faults.check("get", "version")
        return self.gitversion

    def api_groups(self) -> frozenset[str]:
        self.faults.check("get", "apis")
        return frozenset(self.groups)

    def clock(self) -> datetime:
        self.faults.check("get", "version")
        return (self._time.now() + timedelta(seconds=self.skew_s)).replace(microsecond=0)

    def can(self, permission: Permission) -> bool:
        self.faults.check("create", "selfsubjectaccessreviews")
        return self.faults.allows(permission.verb, permission.resource)

    def get(self, ref: Ref) -> Manifest | None:
        ref = self._plain(ref)
        self.faults.check("get", objects.resource_of(ref.kind))
        with self.lock:
            self._settle(ref.kind, ref.namespace, ref.name)
            return self.find(ref)

    def list(self, kind: str, namespace: str = "", *, selector: str = "", fields: str = "") -> Sequence[Manifest]:
        kind = self._plain(Ref(kind, "")).kind
        self.faults.check("list", objects.resource_of(kind))
        with self.lock:
            self._kinds().require(kind)
            self._settle(kind, namespace, "")
            chosen = [
                deepcopy(manifest)
                for (found, where, _), manifest in sorted(self._objects.items())
                if found == kind and namespace in ("", where) and objects.matches(manifest, selector, fields)
            ]
        # The API server leaves these out of a list's items.
        return [{k: v for k, v in item.items() if k not in ("kind", "apiVersion")} for item in chosen]

    def create(self, manifest: Manifest) -> Manifest:
        self.faults.check("create", objects.resource_of(manifest["kind"]))
        key = _key(manifest)
        with self.lock:
            self._kinds().require_lasting(manifest["kind"])
            self._require_namespace(key)
            if key in self._objects:
                raise ConflictError(f'{self._context}: {objects.resource_of(key[0])} "{key[2]}" already exists')
            self._admit(manifest, None)
            return deepcopy(self._store(key, manifest))

    def apply(self, manifest: Manifest) -> Manifest:
        self.faults.check("apply", objects.resource_of(manifest["kind"]))
        key = _key(manifest)
        with self.lock:
            self._require_namespace(key)
            found = self._objects.get(key, {})
            left = objects.without(found, self._applied.get(key, {}), manifest)
            self._applied[key] = deepcopy(manifest)
            return deepcopy(self._store(key, objects.merge(left, manifest)))

    def patch(self, ref: Ref, body: Manifest, *, subresource: str = "") -> Manifest:
        ref = self._plain(ref)
        resource = objects.resource_of(ref.kind)
        self.faults.check("patch", f"{resource}/{subresource}" if subresource == "ephemeralcontainers" else resource)
        key = (ref.kind, ref.namespace, ref.name)
        with self.lock:
            found = self._objects.get(key)
            if found is None:
                raise NotFoundError(f'{self._context}: {objects.resource_of(ref.kind)} "{ref.name}" not found')
            asked = body.get("metadata", {}).get("resourceVersion")
            if asked not in (None, found["metadata"]["resourceVersion"]):
                raise ConflictError(f"{self._context}: {ref} has been modified; apply to the latest version")
            changed = {k: v for k, v in body.items() if (k == "status") == (subresource == "status")}
            if subresource == "ephemeralcontainers":
                changed |= {"status": self.captures.admit(self._context, found, body)}
            if not subresource:
                self._admit(objects.merge_patch(found, changed), found)
            patched = deepcopy(self._store(key, objects.merge_patch(found, changed)))
            if patched["metadata"].get("deletionTimestamp") and not patched["metadata"].get("finalizers"):
                self._remove(key)
            return patched

    def delete(self, ref: Ref, *, version: str = "") -> bool:
        ref = self._plain(ref)
        self.faults.check("delete", objects.resource_of(ref.kind))
        key = (ref.kind, ref.namespace, ref.name)
        with self.lock:
            if key not in self._objects:
                return False
            if version not in ("", self._objects[key]["metadata"]["resourceVersion"]):
                raise ConflictError(f"{self._context}: {ref}: the ResourceVersion in the precondition does not match")
            if self._objects[key]["metadata"].get("finalizers"):
                self._objects[key]["metadata"].setdefault("deletionTimestamp", self._stamp())
            elif ref.kind == "Namespace":
                self._empty(ref.name)
            else:
                self._remove(key)
            return True

    def logs(self, pod: str, namespace: str, container: str, *, lines: int = 20) -> str:
        self.faults.check("get", "pods/log")
        if self.find(Ref("Pod", pod, namespace)) is None:
            return ""
        return "".join(self.pod_logs.get((pod, container), "").splitlines(keepends=True)[-lines:])

    def history(self, pod: str, namespace: str, container: str, since_s: float, *, previous: bool = False) -> str:
        del since_s
        self.faults.check("get", "pods/log")
        if self.find(Ref("Pod", pod, namespace)) is None:
            return ""
        lines = self.pod_logs.get((pod, f"{container} before" if previous else container), "").splitlines(keepends=True)
        return "".join(f"2026-01-01T00:00:00Z {line}" for line in lines)

    def pod_get(self, pod: str, namespace: str, port: int, path: str = "/") -> tuple[int, str]:
        self.faults.check("pod_get", "pods/proxy")
        self._require_pod(pod, namespace)
        if self.answer is None:
            return 503, '{"kind":"Status","message":"error trying to reach service: connection refused"}'
        return self.answer(pod, port, path)

    @contextmanager
    def exec(self, pod: str, namespace: str, container: str, command: Sequence[str]) -> Iterator[Execution]:
        self.faults.check("exec", "pods/exec")
        self._require_pod(pod, namespace)
        if container in {state["name"] for state in self._containers(pod, namespace, "ephemeralContainerStatuses")}:
            with self.captures.run(pod, command) as execution:
                yield execution
            return
        assert container in {state["name"] for state in self._containers(pod, namespace, "containerStatuses")}
        if command[0] == "cat":
            yield self.loopback.sockets(pod)
            return
        with self.agents.run(command) as execution:
            yield execution

    def loopback_get(self, pod: str, namespace: str, port: int, paths: Sequence[str]) -> Sequence[str]:
        self.faults.check("forward", "pods/portforward")
        self._require_pod(pod, namespace)
        return [self.loopback.get(pod, port, path) for path in paths]

    def loopback_send(self, pod: str, namespace: str, port: int, payload: bytes, timeout_s: float) -> Reply:
        self.faults.check("forward", "pods/portforward")
        self._require_pod(pod, namespace)
        return self.loopback.send(pod, port, payload, timeout_s)

    @contextmanager
    def forward(self, pod: str, namespace: str, port: int) -> Iterator[int]:
        self.faults.check("forward", "pods/portforward")
        self._require_pod(pod, namespace)
        yield 10_000 + port

    # The rules behind it.

    def _kinds(self) -> Kinds:
        return Kinds(self._context, [m for (kind, _, _), m in self._objects.items() if kind == DEFINITION])

    def _plain(self, ref: Ref) -> Ref:
        with self.lock:
            return replace(ref, kind=self._kinds().plain(ref.kind))

    def _admit(self, manifest: Manifest, found: Manifest | None) -> None:
        if self.admission:
            self.admission(deepcopy(manifest), deepcopy(found))

    def _store(self, key: Key, manifest: Manifest) -> Manifest:
        """Keep an object, with the metadata that the API server adds; an unchanged one keeps its version."""
        manifest = deepcopy(manifest)
        found = self._objects.get(key)
        meta = manifest["metadata"]
        before = found["metadata"] if found else {}
        meta["uid"] = before.get("uid") or str(uuid.uuid4())
        meta["creationTimestamp"] = before.get("creationTimestamp") or self._stamp()
        meta["generation"] = before.get("generation", 1)
        meta["resourceVersion"] = before.get("resourceVersion", "0")
        _add_defaults(manifest)
        if found is None or manifest.get("spec") != found.get("spec"):
            meta["generation"] = before.get("generation", 0) + 1
        if manifest != found:
            meta["resourceVersion"] = str(next(self._versions))
        self._objects[key] = manifest
        return manifest

    def settle(self, kind: str, namespace: str, name: str) -> None:
        """Count as one look at a workload without giving it: for whoever asks the pods themselves."""
        with self.lock:
            self._settle(kind, namespace, name)

    def _settle(self, kind: str, namespace: str, name: str) -> None:
        """Let controllers have done what they do between two looks at these objects."""
        for controller in self.controllers:
            controller()
        for definition in self._kinds().terminating():
            self._clean_up(definition)
        for key in [k for k in self._objects if k[0] == kind and namespace in ("", k[1]) and name in ("", k[2])]:
            manifest = self._objects[key]
            if kind in workloads.WORKLOADS:
                self._roll_out(key, manifest)
            elif kind == "Service" and manifest["spec"].get("type") == "LoadBalancer":
                if not manifest["status"]["loadBalancer"].get("ingress"):
                    manifest["status"] = {"loadBalancer": {"ingress": self.load_balancers.look()}}
            elif kind == "Namespace" and key[2] in self._lingering:
                self._lingering[key[2]] -= 1
                if self._lingering[key[2]] <= 0:
                    del self._lingering[key[2]], self._objects[key]

    def _clean_up(self, kind: str) -> None:
        """Delete what there is of a kind whose definition goes, and the definition with the last of it."""
        for key in [key for key in self._objects if key[0] == kind]:
            self.delete(Ref(*(key[0], key[2], key[1])))
        if not any(key[0] == kind for key in self._objects):
            names = [k for k, m in self._objects.items() if k[0] == DEFINITION and m["spec"]["names"]["kind"] == kind]
            for key in names:
                self._remove(key)

    def _roll_out(self, key: Key, manifest: Manifest) -> None:
        reason = self.rollouts.get(key, Rollout()).look()
        manifest["status"] = workloads.status(manifest, reason)
        names = workloads.pod_names(manifest)
        for pod in [k for k, m in self._objects.items() if k[0] == "Pod" and _owned_by(m, manifest["metadata"]["uid"])]:
            if pod[2] not in names:
                self._remove(pod)
        for name in names:
            self.put(workloads.pod(manifest, name, reason))

    def _require_namespace(self, key: Key) -> None:
        if not key[1]:
            return
        namespace = self._objects.get(("Namespace", "", key[1]))
        if namespace is None:
            raise NotFoundError(f'{self._context}: namespaces "{key[1]}" not found')
        if namespace["status"]["phase"] == "Terminating" and key not in self._objects:
            raise MeshkitError(
                f"{self._context}: namespace {key[1]} is being deleted", hint="wait until it is gone, then run again"
            )

    def _require_pod(self, pod: str, namespace: str) -> None:
        if self.find(Ref("Pod", pod, namespace)) is None:
            raise NotFoundError(f'{self._context}: pods "{pod}" not found')

    def _containers(self, pod: str, namespace: str, part: str) -> Sequence[Manifest]:
        found = self.find(Ref("Pod", pod, namespace)) or {}
        states: Sequence[Manifest] = found.get("status", {}).get(part, ())
        return states

    def _empty(self, namespace: str) -> None:
        """Begin a namespace's deletion: its objects go at once, the namespace itself lingers."""
        for key in [k for k in self._objects if k[1] == namespace]:
            self._objects.pop(key, None)
        self._objects["Namespace", "", namespace]["status"] = {"phase": "Terminating"}
        self._lingering.setdefault(namespace, NAMESPACE_LINGERS)

    def _remove(self, key: Key) -> None:
        gone = self._objects.pop(key, None)
        self._applied.pop(key, None)
        if gone:
            uid = gone["metadata"]["uid"]
            for owned in [k for k, m in self._objects.items() if _owned_by(m, uid)]:
                self._remove(owned)

    def _stamp(self) -> str:
        return self._time.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _key(manifest: Manifest) -> Key:
    meta = manifest["metadata"]
    return manifest["kind"], meta.get("namespace", ""), meta["name"]


def _owned_by(manifest: Manifest, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in manifest["metadata"].get("ownerReferences") or ())


def _add_defaults(manifest: Manifest) -> None:
    """The few defaults of the API server that meshkit meets."""
    kind = manifest["kind"]
    if kind == "Namespace":
        manifest.setdefault("status", {"phase": "Active"})
    elif kind == "Secret":
        manifest.setdefault("type", "Opaque")
    elif kind == "Service":
        manifest["spec"].setdefault("clusterIP", "10.43.0.10")
        manifest["spec"].setdefault("sessionAffinity", "None")
        manifest.setdefault("status", {"loadBalancer": {}})
    elif kind in workloads.WORKLOADS:
        manifest["spec"].setdefault("replicas", 1)
        manifest.setdefault("status", {})


__all__ = ["Answer", "FakeCluster", "LoadBalancers", "Rollout"]
