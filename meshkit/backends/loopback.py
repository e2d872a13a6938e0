"""What is spoken over a forward to a pod's own loopback: HTTP to Envoy's admin, and one request to any TCP server.

Envoy's admin listens on loopback only, and its image may hold no other program, so that exec is no way in. A forward is
joined to the port inside the pod's network by the kubelet, whatever the image.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Sequence
from time import monotonic

from meshkit.backends.base import Reply
from meshkit.errors import UnreachableError

HOST = "127.0.0.1"
OPEN_S, GET_S = 3.0, 5.0
"""For each step of opening a forward, which is a few round trips to the API server; and for a page."""

KEPT = 16384


def get(where: str, connection: socket.socket, paths: Sequence[str]) -> list[str]:
    """The bodies of these paths, over this connection; UnreachableError when one is not answered with 200."""
    connection.settimeout(GET_S)
    client = http.client.HTTPConnection(HOST)
    client.sock, client.auto_open = connection, 0
    try:
        return [_body(client, path) for path in paths]
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{where} does not answer", detail=type(error).__name__) from error


def _body(connection: http.client.HTTPConnection, path: str) -> str:
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read().decode(errors="replace")
    if response.status != http.client.OK:
        raise http.client.HTTPException(f"{path}: status {response.status}")
    return body


def send(connection: socket.socket, payload: bytes, timeout_s: float) -> Reply:
    """Send, and wait for the first bytes, the end, or the deadline."""
    began, data = monotonic(), b""
    try:
        connection.settimeout(timeout_s)
        connection.sendall(payload)
        while len(data) < KEPT and (left := began + timeout_s - monotonic()) > 0:
            connection.settimeout(left)
            part = connection.recv(KEPT)
            if not part:
                return Reply(data, ended=True, took_s=monotonic() - began)
            data += part
            if b"\r\n\r\n" in data or not data.startswith(b"HTTP/"):
                break
    except TimeoutError:
        return Reply(data, ended=False, took_s=monotonic() - began)
    except OSError:  # reset: the forward ends so whatever ended it
        return Reply(data, ended=True, took_s=monotonic() - began)
    return Reply(data, ended=False, took_s=monotonic() - began)
