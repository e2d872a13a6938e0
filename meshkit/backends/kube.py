"""Kubernetes through the official Python client's configuration and connection pool.

The client reads kubeconfig (exec plugins, proxies, client certificates included) and keeps the TLS pool; requests
themselves are plain JSON over REST. The generated model classes are left out on purpose: they cost 60 MB and a
second, and a manifest is a dict in the charts and in the state anyway.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

from meshkit.backends.base import Manifest, Permission, Ref
from meshkit.backends.forward import Forward
from meshkit.errors import ConflictError, ForbiddenError, MeshkitError, NotFoundError, UnreachableError, UsageError

CONNECT_S, READ_S = 5.0, 15.0
"""A healthy API server answers in milliseconds; one that hangs must not hang us."""

FIELD_MANAGER = "meshkit"
NOT_FOUND, CONFLICT, UNAUTHORIZED, FORBIDDEN, OK_BELOW = 404, 409, 401, 403, 400

KINDS = {
    "Namespace": ("v1", "namespaces"),
    "Node": ("v1", "nodes"),
    "Secret": ("v1", "secrets"),
    "ConfigMap": ("v1", "configmaps"),
    "Service": ("v1", "services"),
    "Pod": ("v1", "pods"),
    "Event": ("v1", "events"),
    "Endpoints": ("v1", "endpoints"),
    "PersistentVolumeClaim": ("v1", "persistentvolumeclaims"),
    "StatefulSet": ("apps/v1", "statefulsets"),
    "Deployment": ("apps/v1", "deployments"),
    "Job": ("batch/v1", "jobs"),
    "StorageClass": ("storage.k8s.io/v1", "storageclasses"),
}
"""Kind to API version and resource, for every kind meshkit touches."""


class KubeClient:
    """``base.Kube`` for one context of one kubeconfig."""

    def __init__(self, context: str, kubeconfig: str | None = None) -> None:
        self._context = context
        try:
            self._api = kubernetes_config.new_client_from_config(config_file=kubeconfig, context=context)
        except kubernetes_config.ConfigException as error:
            raise _config_error(context, error, kubeconfig) from error
        self._pool: urllib3.PoolManager = self._api.rest_client.pool_manager
        self._configuration: kubernetes_client.Configuration = self._api.configuration
        # The pool warns about each retry; our own errors say it once, with the context's name.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

    @property
    def context(self) -> str:
        """See ``base.Kube``; so for every public method below."""
        return self._context

    def version(self) -> str:
        """See ``base.Kube``."""
        return str(self._json("GET", "/version")["gitVersion"])

    def clock(self) -> datetime:
        """See ``base.Kube``."""
        response = self._send("GET", "/version")
        return parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)

    def can(self, permission: Permission) -> bool:
        """See ``base.Kube``."""
        attributes = {
            "verb": permission.verb,
            "group": permission.group,
            "resource": permission.resource,
            "namespace": permission.namespace,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self._json("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    def get(self, ref: Ref) -> Manifest | None:
        """See ``base.Kube``."""
        try:
            found: Manifest = self._json("GET", _path(ref.kind, ref.namespace, ref.name))
        except NotFoundError:
            return None
        return found

    def list(self, kind: str, namespace: str = "", *, selector: str = "") -> Sequence[Manifest]:
        """See ``base.Kube``."""
        query = {"labelSelector": selector} if selector else {}
        items: Sequence[Manifest] = self._json("GET", _path(kind, namespace), query=query)["items"]
        return items

    def apply(self, manifest: Manifest) -> Manifest:
        """See ``base.Kube``."""
        meta = manifest["metadata"]
        path = _path(manifest["kind"], meta.get("namespace", ""), meta["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        applied: Manifest = self._json(
            "PATCH", path, manifest, query=query, content_type="application/apply-patch+yaml"
        )
        return applied

    def patch(self, ref: Ref, body: Manifest, *, subresource: str = "") -> Manifest:
        """See ``base.Kube``."""
        path = _path(ref.kind, ref.namespace, ref.name, subresource)
        query = {"fieldManager": FIELD_MANAGER}
        patched: Manifest = self._json("PATCH", path, body, query=query, content_type="application/merge-patch+json")
        return patched

    def delete(self, ref: Ref) -> bool:
        """See ``base.Kube``."""
        try:
            self._json("DELETE", _path(ref.kind, ref.namespace, ref.name), {"propagationPolicy": "Background"})
        except NotFoundError:
            return False
        return True

    def logs(self, pod: str, namespace: str, container: str, *, lines: int = 20) -> str:
        """See ``base.Kube``."""
        query = {"container": container, "tailLines": str(lines)}
        try:
            return self._send("GET", _path("Pod", namespace, pod, "log"), query=query).data.decode(errors="replace")
        except UnreachableError:
            raise
        except MeshkitError:
            return ""  # 400 while the container waits to start, 404 when the pod is gone

    def pod_get(self, pod: str, namespace: str, port: int, path: str = "/") -> tuple[int, str]:
        """See ``base.Kube``."""
        url = _path("Pod", namespace, f"{pod}:{port}", "proxy") + path
        response = self._raw("GET", url, None, {}, "")
        return response.status, response.data.decode(errors="replace")

    def forward(self, pod: str, namespace: str, port: int) -> AbstractContextManager[int]:
        """See ``base.Kube``."""
        url = f"{self._configuration.host}{_path('Pod', namespace, pod, 'portforward')}?ports={port}"
        return Forward(self._configuration, url, self._headers, port)

    def _headers(self) -> dict[str, str]:
        """Authorization, fresh each time: exec plugins and token files rotate."""
        return {
            setting["key"]: setting["value"]
            for setting in self._configuration.auth_settings().values()
            if setting["in"] == "header" and setting["value"]
        }

    def _json(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        return json.loads(self._send(method, path, body, **options).data)

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> urllib3.BaseHTTPResponse:
        response = self._raw(method, path, body, query or {}, content_type)
        if response.status >= OK_BELOW:
            raise self._api_error(response, f"{method} {path}")
        return response

    def _raw(
        self, method: str, path: str, body: Any, query: dict[str, str], content_type: str
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self._configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = self._headers() | {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            return self._pool.request(
                method,
                url,
                body=json.dumps(body).encode() if body is not None else None,
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT_S, read=READ_S),
                retries=urllib3.Retry(total=0, redirect=0) if method not in ("GET", "DELETE") else urllib3.Retry(1),
            )
        except urllib3.exceptions.HTTPError as error:
            raise _transport_error(self._context, self._configuration.host, error) from error

    def _api_error(self, response: urllib3.BaseHTTPResponse, request: str) -> MeshkitError:
        """One HTTP error status as one of ours; the server's own message is the evidence."""
        try:
            reason = str(json.loads(response.data).get("message", ""))
        except ValueError:
            reason = response.data.decode(errors="replace")[:200]
        text = f"{self._context}: {reason or f'{request} answered {response.status}'}"
        if response.status == NOT_FOUND:
            return NotFoundError(text)
        if response.status == CONFLICT:
            return ConflictError(text)
        if response.status == UNAUTHORIZED:
            hint = f"log in again, then try: kubectl --context {self._context} get namespaces"
            return ForbiddenError(f"{self._context}: the API server does not accept these credentials", hint=hint)
        if response.status == FORBIDDEN:
            return ForbiddenError(text, hint="ask the cluster's owner for this permission")
        return MeshkitError(text)


def _path(kind: str, namespace: str, name: str = "", subresource: str = "") -> str:
    """The REST path of a kind's collection, of an object or of its subresource."""
    version, resource = KINDS[kind]
    parts = ["/api/v1" if version == "v1" else f"/apis/{version}"]
    if namespace:
        parts.append(f"namespaces/{quote(namespace)}")
    parts.append(resource)
    parts.extend(quote(part, safe=":") for part in (name, subresource) if part)
    return "/".join(parts)


def _config_error(context: str, error: Exception, kubeconfig: str | None) -> MeshkitError:
    """An unreadable kubeconfig, or a context that is not in it, as a usage error that names those that are."""
    try:
        contexts, _ = kubernetes_config.list_kube_config_contexts(config_file=kubeconfig)
        names = sorted(entry["name"] for entry in contexts)
    except kubernetes_config.ConfigException:
        return UsageError(
            f"no usable kubeconfig: {str(error).lower()}", hint="set KUBECONFIG, or pass --kubeconfig FILE"
        )
    if context in names:
        return UsageError(f"{context}: the kubeconfig entry is not usable: {error}", hint="kubectl config view")
    listed = ", ".join(names) or "none"
    return UsageError(f"context {context!r} is not in the kubeconfig", hint=f"contexts there: {listed}")


def _transport_error(context: str, host: str, error: Exception) -> UnreachableError:
    """Why there was no answer, in the words of an operator."""
    text = str(error)
    if "certificate has expired" in text:
        return UnreachableError(
            f"{context}: the API server's certificate has expired", hint="renew it, or check this machine's clock"
        )
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return UnreachableError(
            f"{context}: the API server's certificate is not signed by the kubeconfig's CA",
            hint="fetch the kubeconfig again: the cluster may have been made anew under the same name",
        )
    if "alert certificate expired" in text or "ALERT_CERTIFICATE" in text:
        return UnreachableError(f"{context}: the client certificate in the kubeconfig was refused", hint="log in again")
    if "Timeout" in type(error).__name__ or "timed out" in text:
        hint = f"is {host} reachable from here (VPN, authorised networks)?"
        return UnreachableError(f"{context}: the API server did not answer within {READ_S:g} s", hint=hint)
    return UnreachableError(
        f"{context}: the API server at {host} cannot be reached", hint="is the cluster up?", detail=text[:300]
    )
