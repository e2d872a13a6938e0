"""Kubernetes through the official Python client's configuration and connection pool.

The client reads kubeconfig (exec plugins, proxies, client certificates included) and keeps the TLS pool; requests
themselves are plain JSON over REST. The generated model classes are left out on purpose: a manifest is a dict in the
charts and in the state anyway. Since release 37 the client loads them only when used: the import costs 35 MB.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import urllib3

from meshkit.backends import kube_errors, kubeconfig, loopback
from meshkit.backends.base import Execution, Manifest, Permission, Ref, Reply
from meshkit.backends.exec import Exec
from meshkit.backends.forward import Forward
from meshkit.backends.kube_paths import path_of
from meshkit.errors import MeshkitError, NotFoundError, UnreachableError

FIELD_MANAGER = "meshkit"
BUSY_TRIES, BUSY_S = 8, 0.5
"""An API server that asks to come again is asked again: it sheds load, or it has just learned of a kind."""

OK_BELOW = 300
TIMEOUT = urllib3.Timeout(connect=kube_errors.CONNECT_S, read=kube_errors.READ_S)
REFUSALS = frozenset({kube_errors.UNAUTHORIZED, kube_errors.FORBIDDEN, kube_errors.NOT_FOUND})

HISTORY_LINES, HISTORY_BYTES, CHUNK_BYTES = 20_000, 2 << 20, 1 << 16
"""The newest lines are wanted; the API's own limit, limitBytes, would keep the oldest."""


class KubeClient:
    """``base.Kube`` for one context of one kubeconfig."""

    def __init__(self, context: str, kubeconfig_path: str | None = None, *, person: bool = True) -> None:
        """``person``: whether one may be asked to log in."""
        self._context = context
        self._configuration, self._login = kubeconfig.load(context, kubeconfig_path, person=person)
        self._pool: urllib3.PoolManager = kubeconfig.pool(self._configuration)
        self._authorizing = threading.Lock()

    @property
    def context(self) -> str:
        """See ``base.Kube``; so for every public method below."""
        return self._context

    @property
    def server(self) -> str:
        """See ``base.Kube``."""
        return str(self._configuration.host)

    def version(self) -> str:
        """See ``base.Kube``."""
        return str(self._json("GET", "/version").get("gitVersion", ""))

    def api_groups(self) -> frozenset[str]:
        """See ``base.Kube``."""
        return frozenset(str(group["name"]) for group in self._json("GET", "/apis").get("groups") or ())

    def clock(self) -> datetime:
        """See ``base.Kube``."""
        response = self._send("GET", "/version")
        try:
            return parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)
        except (KeyError, ValueError) as error:
            raise kube_errors.of_body(self._context, self._configuration.host, response.data) from error

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
            found: Manifest = self._json("GET", path_of(ref.kind, ref.namespace, ref.name))
        except NotFoundError:
            return None
        return found

    def list(self, kind: str, namespace: str = "", *, selector: str = "", fields: str = "") -> Sequence[Manifest]:
        """See ``base.Kube``."""
        chosen = {"labelSelector": selector, "fieldSelector": fields}
        query = {name: value for name, value in chosen.items() if value}
        items: Sequence[Manifest] = self._json("GET", path_of(kind, namespace), query=query)["items"]
        return items

    def create(self, manifest: Manifest) -> Manifest:
        """See ``base.Kube``."""
        path = path_of(manifest["kind"], manifest["metadata"].get("namespace", ""))
        made: Manifest = self._json("POST", path, manifest, query={"fieldManager": FIELD_MANAGER})
        return made

    def apply(self, manifest: Manifest) -> Manifest:
        """See ``base.Kube``."""
        meta = manifest["metadata"]
        path = path_of(manifest["kind"], meta.get("namespace", ""), meta["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        applied: Manifest = self._json(
            "PATCH", path, manifest, query=query, content_type="application/apply-patch+yaml"
        )
        return applied

    def patch(self, ref: Ref, body: Manifest, *, subresource: str = "") -> Manifest:
        """See ``base.Kube``."""
        path = path_of(ref.kind, ref.namespace, ref.name, subresource)
        query = {"fieldManager": FIELD_MANAGER}
        patched: Manifest = self._json("PATCH", path, body, query=query, content_type="application/merge-patch+json")
        return patched

    def delete(self, ref: Ref, *, version: str = "") -> bool:
        """See ``base.Kube``."""
        options: Manifest = {"propagationPolicy": "Background"}
        if version:
            options["preconditions"] = {"resourceVersion": version}
        try:
            self._json("DELETE", path_of(ref.kind, ref.namespace, ref.name), options)
        except NotFoundError:
            return False
        return True

    def logs(self, pod: str, namespace: str, container: str, *, lines: int = 20) -> str:
        """See ``base.Kube``."""
        query = {"container": container, "tailLines": str(lines)}
        try:
            return self._send("GET", path_of("Pod", namespace, pod, "log"), query=query).data.decode(errors="replace")
        except UnreachableError:
            raise
        except MeshkitError:
            return ""  # 400 while the container waits to start, 404 when the pod is gone

    def history(self, pod: str, namespace: str, container: str, since_s: float, *, previous: bool = False) -> str:
        """See ``base.Kube``."""
        query = {
            "container": container,
            "sinceSeconds": str(max(1, math.ceil(since_s))),
            "timestamps": "true",
            "tailLines": str(HISTORY_LINES),
            "previous": str(previous).lower(),
        }
        try:
            response = self._send("GET", path_of("Pod", namespace, pod, "log"), query=query, stream=True)
        except UnreachableError:
            raise
        except MeshkitError:
            return ""  # as in logs, and 400 also where there is no predecessor
        try:
            return _newest_lines(response, HISTORY_BYTES).decode(errors="replace")
        except urllib3.exceptions.HTTPError as error:
            raise kube_errors.of_transport(self._context, self._configuration.host, error) from error

    def pod_get(self, pod: str, namespace: str, port: int, path: str = "/") -> tuple[int, str]:
        """See ``base.Kube``."""
        url = path_of("Pod", namespace, f"{pod}:{port}", "proxy") + path
        response = self._raw("GET", url, None, {}, "")
        # These are the API server's own words, about the pod or about us; a 503 may be either's, and is an observation.
        if response.status in REFUSALS and b'"kind":"Status"' in response.data:
            raise self._status_error(response, f"GET {url}")
        return response.status, response.data.decode(errors="replace")

    def exec(
        self, pod: str, namespace: str, container: str, command: Sequence[str]
    ) -> AbstractContextManager[Execution]:
        """See ``base.Kube``."""
        query = [("container", container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in command]
        url = f"{self._configuration.host}{path_of('Pod', namespace, pod, 'exec')}?{urlencode(query)}"
        return Exec(self._configuration, url, self._headers, self._context, pod)

    def loopback_get(self, pod: str, namespace: str, port: int, paths: Sequence[str]) -> Sequence[str]:
        """See ``base.Kube``."""
        with self.forward(pod, namespace, port).connection(loopback.OPEN_S) as connection:
            return loopback.get(f"{self._context}: pod {pod}: port {port}", connection, paths)

    def loopback_send(self, pod: str, namespace: str, port: int, payload: bytes, timeout_s: float) -> Reply:
        """See ``base.Kube``."""
        with self.forward(pod, namespace, port).connection(loopback.OPEN_S) as connection:
            return loopback.send(connection, payload, timeout_s)

    def forward(self, pod: str, namespace: str, port: int) -> Forward:
        """See ``base.Kube``."""
        url = f"{self._configuration.host}{path_of('Pod', namespace, pod, 'portforward')}?ports={port}"
        return Forward(self._configuration, url, self._headers, self._context, pod)

    def _headers(self) -> dict[str, str]:
        """Authorization, fresh each time: plugins rotate tokens and certificates. One thread at a time asks."""
        with self._authorizing:
            if self._login and self._login.apply(self._configuration):
                self._pool = kubeconfig.pool(self._configuration)
            settings = self._configuration.auth_settings().values()
        return {s["key"]: s["value"] for s in settings if s["in"] == "header" and s["value"]}

    def _json(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        data = self._send(method, path, body, **options).data
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise kube_errors.of_body(self._context, self._configuration.host, data)
        return answer

    def _send(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """``stream`` leaves the body of a good answer to be read."""
        response = self._raw(method, path, body, query or {}, content_type, stream=stream)
        for _ in range(BUSY_TRIES):
            if response.status != kube_errors.TOO_MANY or "Retry-After" not in response.headers:
                break
            time.sleep(BUSY_S)
            response = self._raw(method, path, body, query or {}, content_type, stream=stream)
        if response.status >= OK_BELOW:
            raise self._status_error(response, f"{method} {path}")
        return response

    def _raw(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        body: Any,
        query: dict[str, str],
        content_type: str,
        *,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self._configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        payload = json.dumps(body).encode() if body is not None else None
        # Every request here may be sent twice: a create then conflicts, and whoever made it looks again. A connection
        # that idled too long is found closed on its next use, and a credential that was revoked, or whose end was not
        # told, is found out by a 401.
        for tries_left in (1, 0):
            login = self._headers()
            headers = login | {"Accept": "application/json"} | ({"Content-Type": content_type} if payload else {})
            try:
                response = self._pool.request(
                    method,
                    url,
                    body=payload,
                    headers=headers,
                    timeout=TIMEOUT,
                    retries=False,
                    redirect=False,
                    preload_content=not stream,
                )
                if stream and response.status >= OK_BELOW:
                    response.read(cache_content=True)
                refused = response.status == kube_errors.UNAUTHORIZED and tries_left and self._login
                if not (refused and self._login and self._login.forget(login.get("authorization", ""))):
                    return response
            except urllib3.exceptions.ProtocolError as error:
                if not tries_left:
                    raise kube_errors.of_transport(self._context, self._configuration.host, error) from error
            except urllib3.exceptions.HTTPError as error:
                raise kube_errors.of_transport(self._context, self._configuration.host, error) from error
        raise AssertionError

    def _status_error(self, response: urllib3.BaseHTTPResponse, request: str) -> MeshkitError:
        return kube_errors.of_status(
            self._context, response.status, response.data, request, self._configuration.cert_file
        )


def _newest_lines(response: urllib3.BaseHTTPResponse, most: int) -> bytes:
    """The last bytes of a body, which is never held as a whole; where some are left out, from a line's begin on."""
    newest, left_out = bytearray(), False
    for chunk in response.stream(CHUNK_BYTES):
        newest += chunk
        left_out = left_out or len(newest) > most
        del newest[:-most]
    return bytes(newest.partition(b"\n")[2] or newest) if left_out else bytes(newest)
