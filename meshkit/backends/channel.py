"""A WebSocket to the API server, with the kubeconfig's trust, identity and proxy: below port forwards and exec."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import websocket
from urllib3.util import ssl_

CONNECT_S, STALLED_S = 5.0, 15.0
"""Longest wait for the connection where nobody has less time, and for the rest of a frame that has begun."""

FAILURES = (websocket.WebSocketException, OSError, ValueError)
"""What websocket-client raises; WebSocketBadStatusException is the API server's refusal."""


def connect(configuration: Any, url: str, headers: dict[str, str], protocols: Sequence[str], timeout_s: float) -> Any:
    """Open one, or raise one of FAILURES; ``timeout_s`` is for each step: TCP, TLS, the API server's answer."""
    options: dict[str, Any] = {}
    if configuration.proxy:
        proxy = urlsplit(configuration.proxy)
        options = {
            "http_proxy_host": proxy.hostname,
            "http_proxy_port": proxy.port,
            "proxy_type": proxy.scheme.replace("https", "http"),
            "http_proxy_auth": (proxy.username, proxy.password) if proxy.username else None,
            "http_no_proxy": (configuration.no_proxy or "").split(","),
        }
    connection = websocket.create_connection(
        url.replace("http", "ws", 1),
        timeout=timeout_s,
        header=[f"{name}: {value}" for name, value in headers.items()],
        subprotocols=list(protocols),
        suppress_origin=True,
        sslopt={"context": _tls(configuration), "server_hostname": configuration.tls_server_name},
        **options,
    )
    connection.settimeout(STALLED_S)
    return connection


def pending(connection: Any) -> bool:
    """Whether TLS holds decrypted bytes that no selector would report."""
    sock = connection.sock
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


def _tls(configuration: Any) -> ssl.SSLContext:
    """The same trust and identity as the client's other connections."""
    context = ssl_.create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE)
    if configuration.ssl_ca_cert:
        context.load_verify_locations(cafile=configuration.ssl_ca_cert)
    else:
        context.load_default_certs()
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context
