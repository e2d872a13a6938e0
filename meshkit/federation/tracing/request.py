"""The tagged request: what the source itself would send, from its pod's loopback into its sidecar's upstream."""

from __future__ import annotations

import uuid

from meshkit.backends.base import Kube, Reply
from meshkit.trace.evidence import Ended, Pod, Request, Upstream

WAIT_S = 3.0
"""A second for the handshakes of both clouds, two for the service; slower than that is called slow."""


def tag() -> str:
    """A mark that finds the request in access logs and in the service's own."""
    return f"meshkit-trace-{uuid.uuid4().hex[:12]}"


def send(kube: Kube, pod: Pod, upstream: Upstream, mark: str, path: str) -> Request:
    """One GET. Envoy closes what it can't pass on, so an end without an answer is an answer too."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {upstream.service}",
        f"User-Agent: {mark}",
        f"x-request-id: {mark}",
        "Connection: close",
    )
    payload = ("\r\n".join(lines) + "\r\n\r\n").encode()
    reply = kube.loopback_send(pod.name, pod.namespace, upstream.port, payload, WAIT_S)
    return Request(mark, _ended(reply), reply.took_s, status(reply.data), head(reply.data), upstream.port)


def _ended(reply: Reply) -> Ended:
    if reply.data:
        return "answered"
    return "closed" if reply.ended else "timeout"


def status(data: bytes) -> int:
    """The HTTP status, 0 when it is no HTTP."""
    words = data.split(b" ", 2)
    return int(words[1]) if data.startswith(b"HTTP/") and len(words) > 1 and words[1].isdigit() else 0


def head(data: bytes) -> str:
    """The first of it as one printable line; the rest is the service's own business."""
    text = data[:400].decode("ascii", errors="replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
