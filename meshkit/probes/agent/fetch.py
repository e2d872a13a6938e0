"""One HTTP request with a deadline and a limit, for the few that an agent makes beside its probes.

``http.client`` knows timeouts per read only, so a server that sends a byte now and then could hold a thread for ever.
Here a timer shuts the connection down at the deadline, whatever it is doing.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from meshkit.errors import UnreachableError
from meshkit.probes.reasons import one_line

LIMIT = 16 << 20
"""Bytes of an answer: above a ConfigMap list of 8 MiB, and no server's to exceed."""


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trust:
    """How a server is verified: by which CA, and as which name when the address is another."""

    context: ssl.SSLContext
    server_name: str = ""


class _Connection(http.client.HTTPConnection):
    """TLS with a name of its own: the address is often a Service's, and the certificate the server's."""

    def __init__(self, host: str, port: int, timeout_s: float, trust: Trust | None) -> None:
        super().__init__(host, port, timeout=timeout_s)
        self._trust = trust

    def connect(self) -> None:
        super().connect()
        if self._trust:
            name = self._trust.server_name or self.host
            self.sock = self._trust.context.wrap_socket(self.sock, server_hostname=name)


def request(  # noqa: PLR0913, all but two are named
    url: str,
    method: str = "GET",
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    trust: Trust | None = None,
    timeout_s: float = 5.0,
    limit: int = LIMIT,
) -> Answer:
    """The answer, or UnreachableError: no connection, no valid HTTP, not in time, or larger than ``limit``."""
    where = urlsplit(url)
    secure = where.scheme == "https"
    if secure and trust is None:
        trust = Trust(ssl.create_default_context())
    try:
        port = where.port or (443 if secure else 80)
    except ValueError as error:
        raise UnreachableError(f"{url} has no valid port") from error
    connection = _Connection(where.hostname or "", port, timeout_s, trust if secure else None)
    until = monotonic() + timeout_s
    timer = threading.Timer(timeout_s, _shut, [connection])
    timer.daemon = True
    timer.start()
    try:
        connection.request(method, where.path + (f"?{where.query}" if where.query else ""), body, dict(headers or {}))
        response = connection.getresponse()
        content = response.read(limit + 1)
    except ValueError as error:  # the error's own words may show a header, and with it a token
        raise UnreachableError(f"{method} {where.netloc}{where.path}: this can't be sent as HTTP") from error
    except (OSError, http.client.HTTPException) as error:
        said = "no answer in time" if monotonic() >= until else str(error) or type(error).__name__
        raise UnreachableError(one_line(f"{method} {where.scheme}://{where.netloc}{where.path}: {said}")) from error
    finally:
        timer.cancel()
        connection.close()
    if len(content) > limit:
        raise UnreachableError(f"{where.netloc}{where.path} answers with more than {limit} bytes")
    if monotonic() >= until:  # the end of a connection that was shut down may look like the end of a body
        raise UnreachableError(f"{method} {where.netloc}{where.path}: no answer in time")
    return Answer(response.status, content, dict(response.headers))


def _shut(connection: Any) -> None:
    """End what is under way; it fails in its own thread."""
    sock = connection.sock
    if sock is not None:
        try:
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        except OSError:
            return
