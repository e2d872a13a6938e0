"""A node's API server over the standard library: the lab stands beside the backends and needs four calls of them."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from meshkit.errors import MeshkitError
from meshkit.lab import pki
from meshkit.lab.topology import Node

TIMEOUT_S = 10.0
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
PORT = 6443


def connect(node: Node, timeout_s: float = TIMEOUT_S) -> http.client.HTTPSConnection:
    """A connection as the cluster's administrator."""
    folder = node.folder / "pki"
    trust = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    trust.load_cert_chain(folder / f"{pki.ADMIN}.crt", folder / f"{pki.ADMIN}.key")
    return http.client.HTTPSConnection(node.address, PORT, context=trust, timeout=timeout_s)


def request(node: Node, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:
    """One request: parsed JSON; MeshkitError for a status of 400 and over, OSError when there is no answer."""
    connection = connect(node)
    try:
        text = json.dumps(body) if body is not None else None
        connection.request(method, path, text, {"Content-Type": content_type} if text else {})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status >= http.client.BAD_REQUEST:
        raise MeshkitError(f"{node.name}: {method} {path} answered {answer.status}", detail=content[:500].decode())
    return json.loads(content) if content.startswith(b"{") else content.decode()


def ready(node: Node) -> bool:
    """Whether ``/readyz`` says ok."""
    try:
        request(node, "GET", "/readyz")
    except (OSError, http.client.HTTPException, MeshkitError):
        return False
    return True
