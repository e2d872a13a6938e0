"""ConfigMaps through the Kubernetes API, as the pod's service account: three verbs need no client library.

The token is read for each request, since the kubelet renews it; the CA each time its file has changed.
"""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote

from meshkit.errors import ConflictError, ForbiddenError, MeshkitError, NotFoundError, UnreachableError
from meshkit.probes.agent import config
from meshkit.probes.agent.fetch import Answer, Trust, request
from meshkit.probes.reasons import one_line

TIMEOUT_S = 5.0
NOT_FOUND, CONFLICT, FORBIDDEN = 404, 409, (401, 403)

Object = dict[str, Any]


class Kubernetes:
    """The ConfigMaps of one namespace; MeshkitError's kinds say what came of a request."""

    def __init__(self, given: config.Kubernetes) -> None:
        self._server = given.server or _in_cluster()
        self._account = Path(given.service_account)
        self._path = f"/api/v1/namespaces/{quote(given.namespace, safe='')}/configmaps"
        self._trust: tuple[int, Trust] | None = None

    def get(self, name: str) -> Object:
        """One by its name."""
        return self._ask("GET", f"{self._path}/{quote(name, safe='')}")

    def all(self, selector: str) -> list[Object]:
        """Those with these labels (``app=mesh-probe,component=results``)."""
        items = self._ask("GET", f"{self._path}?labelSelector={quote(selector)}").get("items")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise UnreachableError("the API server's list of ConfigMaps is none")
        return items

    def put(self, item: Object) -> Object:
        """Create, or replace the version that ``item`` was read as; ConflictError when there is another."""
        if "resourceVersion" not in item["metadata"]:
            return self._ask("POST", self._path, item)
        return self._ask("PUT", f"{self._path}/{quote(item['metadata']['name'], safe='')}", item)

    def _ask(self, method: str, path: str, item: Object | None = None) -> Object:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            headers["Authorization"] = f"Bearer {(self._account / 'token').read_text().strip()}"
            trust = self._trusted()
        except (OSError, ValueError) as error:
            raise UnreachableError(one_line(f"the service account can't be read: {error}")) from error
        body = json.dumps(item).encode() if item else None
        answer = request(self._server + path, method, body=body, headers=headers, trust=trust, timeout_s=TIMEOUT_S)
        if answer.status in range(200, 300):
            return _object(answer.body)
        raise _refusal(answer, f"{method} {path.partition('?')[0].rpartition('/')[2]}")

    def _trusted(self) -> Trust:
        path = self._account / "ca.crt"
        stamp = path.stat().st_mtime_ns
        if self._trust is None or self._trust[0] != stamp:
            self._trust = stamp, Trust(ssl.create_default_context(cafile=str(path)))
        return self._trust[1]


def _in_cluster() -> str:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise MeshkitError("there is no Kubernetes here", hint="run it in a pod, or give kubernetes.server")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _object(body: bytes) -> Object:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreachableError("the API server's answer is not JSON") from error
    if not isinstance(found, dict):
        raise UnreachableError("the API server's answer is not an object")
    return found


def _refusal(answer: Answer, what: str) -> MeshkitError:
    try:
        said = str(json.loads(answer.body)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        said = ""
    text = one_line(f"{what}: HTTP {answer.status} {said}")
    if answer.status == NOT_FOUND:
        return NotFoundError(text)
    if answer.status == CONFLICT:
        return ConflictError(text)
    if answer.status in FORBIDDEN:
        return ForbiddenError(text)
    return UnreachableError(text)
