"""The Kubernetes API and Consul as an agent sees them, small and real: HTTPS on loopback, and faults on demand."""

from __future__ import annotations

import copy
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography import x509

from probes.agent import tls

NAMESPACE = "consul"
TOKEN = "service-account-token"
CONSUL_TOKEN = "9c5f9f9c-canary-of-consul"

Reply = tuple[int, bytes]


@dataclass
class Fake:
    """What a server knows. ``fault`` sees each request first: a reply of its own, or None to go on."""

    fault: Callable[[str, str], Reply | None] = lambda _method, _path: None
    asked: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://localhost:{self.port}"

    def reply(self, method: str, path: str, headers: Any, body: bytes) -> Reply:
        """Answer a request."""
        raise NotImplementedError


@dataclass
class FakeKubernetes(Fake):
    """ConfigMaps with resource versions, as the API server keeps them."""

    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    maps: dict[str, dict[str, Any]] = field(default_factory=dict)
    version: int = 0

    def reply(self, method: str, path: str, headers: Any, body: bytes) -> Reply:
        if headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return 401, _status("Unauthorized")
        where = urlsplit(path)
        prefix = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
        if not where.path.startswith(prefix):
            return 404, _status("no such path")
        name = unquote(where.path[len(prefix) :].lstrip("/"))
        with self.lock:
            if method == "GET":
                return self._get(name, parse_qs(where.query).get("labelSelector", [""])[0])
            return self._put(method, name, json.loads(body))

    def _get(self, name: str, selector: str) -> Reply:
        if name:
            return _found(self.maps.get(name))
        wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
        items = [m for m in self.maps.values() if wanted.items() <= m["metadata"].get("labels", {}).items()]
        return 200, json.dumps({"kind": "ConfigMapList", "items": items}).encode()

    def _put(self, method: str, name: str, item: dict[str, Any]) -> Reply:
        name = name or item["metadata"]["name"]
        known = self.maps.get(name)
        if method == "POST" and known:
            return 409, _status("already exists")
        if method == "PUT" and not known:
            return 404, _status("not found")
        if known and item["metadata"].get("resourceVersion") not in (None, known["metadata"]["resourceVersion"]):
            return 409, _status("the object has been modified")
        return 200, json.dumps(self.set(name, item)).encode()

    def set(self, name: str, item: dict[str, Any]) -> dict[str, Any]:
        """Store a ConfigMap as its next version."""
        self.version += 1
        stored = copy.deepcopy(item)
        stored.setdefault("metadata", {}).update({"name": name, "resourceVersion": str(self.version)})
        self.maps[name] = stored
        return stored

    def schedule(self, probes: list[dict[str, Any]], window_s: float = 1.0) -> None:
        """What the agent is to probe."""
        self.set("mesh-probe-schedule", {"data": {"probes.json": json.dumps({"probes": probes, "window_s": window_s})}})


@dataclass
class FakeConsul(Fake):
    """Leaf certificates for one service."""

    tokens: set[str] = field(default_factory=lambda: {CONSUL_TOKEN})
    life_s: float = 3600.0
    age_s: float = 0.0
    issued: int = 0

    def reply(self, method: str, path: str, headers: Any, body: bytes) -> Reply:  # noqa: ARG002, it only reads
        if headers.get("X-Consul-Token", "") not in self.tokens:
            return 403, b"Permission denied"
        if path == "/v1/agent/connect/ca/roots":
            return 200, json.dumps({"TrustDomain": "t.consul", "Roots": [{"RootCert": tls.ca()}]}).encode()
        pair = tls.issue("mesh-probe-aks", life_s=self.life_s, age_s=self.age_s)
        self.issued += 1
        begin, end = _validity(pair.certificate)
        wire = {"SerialNumber": f"0{self.issued}", "CertPEM": pair.certificate, "PrivateKeyPEM": pair.key}
        return 200, json.dumps(wire | {"ValidAfter": begin, "ValidBefore": end}).encode()


def _validity(pem: str) -> tuple[str, str]:
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return tuple(
        f"{when:%Y-%m-%dT%H:%M:%SZ}" for when in (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    )  # type: ignore[return-value]


def _found(item: dict[str, Any] | None) -> Reply:
    return (404, _status("not found")) if item is None else (200, json.dumps(item).encode())


def _status(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message}).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, fake: Fake, context: ssl.SSLContext) -> None:
        self.fake, self.context = fake, context
        super().__init__(("127.0.0.1", fake.port), _Handler)

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self.context.wrap_socket(request, server_side=True) as wrapped:
            _Handler(wrapped, client_address, self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Agents that are killed leave connections behind."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        fake = self.server.fake
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        method, path = self.command, self.path
        with fake.lock:
            fake.asked.append((method, path))
        status, content = fake.fault(method, path) or fake.reply(method, path, self.headers, body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = _answer  # noqa: N815, the names are http.server's

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, the name is http.server's
        """Quiet."""


@contextmanager
def serving(fake: Fake, folder: Path, name: str = "localhost") -> Iterator[None]:
    """Serve it, on the port it had before if it had one."""
    server = _Server(fake, tls.server_context(folder, tls.issue(name)))
    fake.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
