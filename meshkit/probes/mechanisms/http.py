"""HTTP: one request, in version 1.1 or 2, in the clear or through TLS, and where it leads.

Every hop has a connection of its own, so that resolve, connect and tls are always measured; over redirects the phases
add up. The kernel's round trip is that of the last connection.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from meshkit.probes.io import Io
from meshkit.probes.loop import Steps, Wait
from meshkit.probes.mechanisms import http1, pattern
from meshkit.probes.mechanisms.http1 import Answer, Body
from meshkit.probes.mechanisms.request import REDIRECTS, Request, build
from meshkit.probes.mechanisms.secure import Offer, Trust, dial
from meshkit.probes.mechanisms.tls import RBAC_DENIED, check_alpn
from meshkit.probes.reasons import Failed, one_line
from meshkit.probes.sample import Record

MAX_BYTES = 1 << 20
FORBIDDEN = 403
KEPT = 256
"""Of a body that nothing is looked for in."""

VERSIONS = {"1.1": "http/1.1", "2": "h2"}
"""Version to the name that ALPN has for it."""


@dataclass(frozen=True)
class HttpTarget(Trust):
    """A URL and what to send there.

    ``headers`` are lines, ``Name: value``; Host among them is what the target is told. ``connect_host`` and
    ``connect_port`` take the place of the URL's own for the connection (a sidecar's upstream, asked for any host).
    ``statuses`` are the good ones, all of 200 to 299 when empty. ``contains`` and ``matches`` (a regular expression)
    are looked for in the body, of which ``max_bytes`` at most may come. ``redirects`` is how many to follow; with 0
    a redirect is an answer like any other. ``version`` 2 means prior knowledge in the clear, ALPN through TLS.
    """

    url: str
    method: str = "GET"
    headers: tuple[str, ...] = ()
    body: str = ""
    version: str = "1.1"
    statuses: tuple[int, ...] = ()
    contains: str = ""
    matches: str = ""
    max_bytes: int = MAX_BYTES
    redirects: int = 0
    connect_host: str = ""
    connect_port: int = 0
    mechanism: ClassVar[str] = "http"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.version not in VERSIONS:
            raise ValueError(f"version is {' or '.join(VERSIONS)}, not {self.version!r}")
        try:
            re.compile(self.matches)
        except re.error as error:
            raise ValueError(f"{self.matches!r} is not a regular expression: {error}") from error
        _ = self._first

    @cached_property
    def _first(self) -> Request:
        return build(self.method, self.url, self.headers, self.body)

    @cached_property
    def _kept(self) -> int:
        return self.max_bytes if self.contains or self.matches else KEPT

    def observe(self, io: Io, record: Record) -> Steps:
        """Ask, follow redirects, and hold the answer against what is wanted."""
        request = self._first
        for _ in range(self.redirects + 1):
            answer = yield from self._ask(io, record, request)
            if not self.redirects or answer.status not in REDIRECTS or "location" not in answer.headers:
                record.facts |= {"status": answer.status, "body_bytes": answer.length}
                self._judge(answer)
                return
            record.facts.setdefault("hops", []).append({"url": one_line(request.url), "status": answer.status})
            try:
                request = request.following(answer.status, answer.headers["location"])
            except ValueError as error:
                raise Failed("http_garbage", one_line(f"the redirect leads nowhere: {error}")) from error
        raise Failed("http_redirects", one_line(f"more than {self.redirects}, the next one to {request.url}"))

    def _ask(self, io: Io, record: Record, request: Request) -> Generator[Wait, Any, Answer]:
        """One request on a connection of its own."""
        host, port = request.host, request.port
        if (host, port) == (self._first.host, self._first.port):
            host, port = self.connect_host or host, self.connect_port or port
        alpn = (VERSIONS[self.version],)
        offer = Offer(self, request.host, alpn) if request.secure else None
        stream = yield from dial(io, record, host, port, offer)
        try:
            body = Body(self.max_bytes, self._kept)
            if self.version == "1.1":
                return (yield from http1.exchange(stream, io, record, request, body))
            from meshkit.probes.mechanisms import http2  # noqa: PLC0415, h2 costs 6 MB that most agents don't need

            check_alpn(stream, alpn)
            return (yield from http2.exchange(stream, io, record, request, body))
        finally:
            stream.close()

    def _judge(self, answer: Answer) -> None:
        """Failed when the answer is not what is wanted."""
        status = answer.status
        good = status in self.statuses if self.statuses else 200 <= status <= 299  # noqa: PLR2004, RFC 9110, 15.3
        if not good:
            if is_denial(answer):
                raise Failed("denied", one_line(RBAC_DENIED.decode()))
            raise Failed("http_status", f"status {status}")
        if self.contains and self.contains.encode() not in answer.body:
            raise Failed("http_body", one_line(f"{self.contains!r} is not in the body"))
        if self.matches and not pattern.search(self.matches, answer.body.decode(errors="replace")):
            raise Failed("http_body", one_line(f"{self.matches!r} does not match the body"))


def is_denial(answer: Answer) -> bool:
    """Whether it is an Envoy that refuses for the mesh's intentions, not the service."""
    return answer.status == FORBIDDEN and answer.body.startswith(RBAC_DENIED)
