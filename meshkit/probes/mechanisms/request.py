"""An HTTP request as a value: where it goes, what it says in either version, and where a redirect leads."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import quote, urljoin, urlsplit

PORTS = {"http": 80, "https": 443}
PATH_SAFE = "/%:;=@!$&'()*+,~?[]|"
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*)")

DEFAULTS = {"user-agent": "meshkit-probe", "accept": "*/*"}
CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})
CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "content-length", "te"})
"""Fields that the protocol's own code sets."""

HOST_LIMIT = 253
"""Characters of a host name (RFC 1035, 2.3.4): a redirect may name any, and names are kept."""

SEE_OTHER = 303
MOVED = frozenset({301, 302})
REDIRECTS = frozenset({*MOVED, SEE_OTHER, 307, 308})


@dataclass(frozen=True)
class Request:
    """``host`` and ``port`` are the URL's, ``authority`` what the target is told; ``fields`` have lower-case names."""

    method: str
    secure: bool
    host: str
    port: int
    authority: str
    path: str
    fields: tuple[tuple[str, str], ...]
    body: bytes = b""

    @property
    def url(self) -> str:
        """The URL again."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}{self.path}"

    @cached_property
    def as_http1(self) -> bytes:
        """The whole request in the form of HTTP/1.1."""
        length = (("content-length", str(len(self.body))),) if self.body or self.method in {"POST", "PUT"} else ()
        fields = (("host", self.authority), *self.fields, *length, ("connection", "close"))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"{self.method} {self.path} HTTP/1.1\r\n{head}\r\n".encode() + self.body

    @cached_property
    def as_http2(self) -> list[tuple[str, str]]:
        """The header of the request in the form of HTTP/2."""
        length = (("content-length", str(len(self.body))),) if self.body else ()
        return [
            (":method", self.method),
            (":scheme", "https" if self.secure else "http"),
            (":authority", self.authority),
            (":path", self.path),
            *self.fields,
            *length,
        ]

    def following(self, status: int, location: str) -> Request:
        """What a redirect asks for; credentials stay with the host they are for. ValueError when it leads nowhere."""
        secure, host, port, path = parse(urljoin(self.url, location))
        here = (secure, host, port) == (self.secure, self.host, self.port)
        kept = tuple(field for field in self.fields if here or field[0] not in CREDENTIALS)
        to = replace(self, secure=secure, host=host, port=port, path=path, fields=kept)
        if not here:
            to = replace(to, authority=authority(secure, host, port))
        if status == SEE_OTHER or (status in MOVED and self.method == "POST"):
            to = replace(to, method="HEAD" if self.method == "HEAD" else "GET", body=b"")
        return to


def parse(url: str) -> tuple[bool, str, int, str]:
    """Whether it is https, and its host, port and path with query; ValueError says what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError(f"a URL begins with http:// or https://, and {url[:100]!r} does not")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL with credentials would show them")
    host = parts.hostname or ""
    if not host or len(host) > HOST_LIMIT or not host.isascii() or not host.isprintable() or " " in host:
        raise ValueError(f"no host in {url[:100]!r}")
    path = quote(parts.path or "/", safe=PATH_SAFE) + (f"?{quote(parts.query, safe=PATH_SAFE)}" if parts.query else "")
    return parts.scheme == "https", host, parts.port or PORTS[parts.scheme], path


def authority(secure: bool, host: str, port: int) -> str:  # noqa: FBT001, the first of parse()'s results
    """Host and port as a Host header says them."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port == PORTS["https" if secure else "http"] else f"{shown}:{port}"


def build(method: str, url: str, headers: tuple[str, ...], body: str) -> Request:
    """The request of a target's own values; ValueError says which is wrong."""
    if not TOKEN.fullmatch(method):
        raise ValueError(f"{method!r} is not an HTTP method")
    secure, host, port, path = parse(url)
    fields = _fields(headers)
    told = fields.pop("host", "") or authority(secure, host, port)
    return Request(method, secure, host, port, told, path, tuple((DEFAULTS | fields).items()), body.encode())


def _fields(headers: tuple[str, ...]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for header in headers:
        match = FIELD.fullmatch(header)
        if match is None:
            raise ValueError(f"a header is written 'Name: value', and one is not: {header.partition(':')[0][:40]!r}")
        name = match[1].lower()
        if name in CONNECTION:
            raise ValueError(f"{name} is set by the protocol")
        fields[name] = match[2].strip()
    return fields
