"""Why a probe failed, as codes that may be metric labels: a fixed set, never an address or a server's words."""

from __future__ import annotations

import errno

OK = "ok"

REASONS = {
    OK: "the target answered as the mechanism asks",
    "refused": "the target's machine refuses connections on this port",
    "reset": "the connection was reset",
    "closed": "the target closed the connection before it answered",
    "unreachable": "a router on the way, or this machine, knows no route",
    "no_route": "this machine has no route to the target",
    "ttl_exceeded": "a router on the way dropped the packet: its time to live ran out",
    "too_big": "the packet is larger than a link on the way takes",
    "prohibited": "a firewall answered that it is not allowed",
    "timeout_resolve": "the name was not resolved in time",
    "timeout_connect": "no answer to the connection attempt in time",
    "timeout_tls": "the TLS handshake did not end in time",
    "timeout_write": "the request could not be sent in time",
    "timeout_processing": "connected, and no answer in time",
    "timeout_transfer": "the answer began, and did not end in time",
    "timeout_setup": "connected, and the first exchange did not end in time",
    "timeout_reply": "no reply in time",
    "name_not_found": "the name does not exist",
    "name_no_data": "the name exists, without a record of this type",
    "dns_refused": "the DNS server refuses to answer",
    "dns_failed": "the DNS server failed to resolve the name",
    "dns_answer": "the DNS answer is not the expected one",
    "dns_garbage": "the answer is not a DNS message for the question",
    "tls_expired": "the certificate is past its validity",
    "tls_not_yet_valid": "the certificate is not valid yet",
    "tls_untrusted": "no trusted CA has signed the certificate",
    "tls_wrong_name": "the certificate is for another name",
    "tls_wrong_identity": "the certificate is for another SPIFFE ID",
    "tls_alert": "the target refused the handshake with an alert",
    "tls_garbage": "the target does not speak TLS",
    "tls_alpn": "the target chose none of the offered protocols",
    "denied": "the mesh refused: an intention does not allow it",
    "http_status": "the HTTP status is not an expected one",
    "http_garbage": "the target does not speak HTTP",
    "http_too_large": "the answer is larger than the limit",
    "http_redirects": "too many redirects",
    "http_body": "the body is not the expected one",
    "grpc_not_serving": "gRPC health says the service does not serve",
    "grpc_status": "the gRPC call ended with an error",
    "reply_garbage": "the reply is not an echo of what was sent",
    "no_identity": "there is no mesh certificate to present yet",
    "not_permitted": "this process may not send such packets",
    "no_ports": "this machine has no free source port",
    "no_files": "this process has no free file descriptor",
    "no_memory": "this machine's kernel has no memory for it",
    "internal": "the prober failed; its message says how",
}
"""Code to one line for a person."""

OWN = frozenset({"no_identity", "not_permitted", "no_ports", "no_files", "no_memory", "internal"})
"""Faults of the prober or its machine: they say nothing about the target, good or bad."""

REFUSALS = frozenset({"refused", "reset", "closed", "denied", "prohibited", "tls_alert"})
"""What is a good result where a refusal is expected."""

_ERRNO = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: "reset",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "no_route",
    errno.ENETDOWN: "no_route",
    errno.EAFNOSUPPORT: "no_route",  # a kernel without IPv6
    errno.EPROTO: "unreachable",  # ICMP's parameter problem
    errno.ENONET: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.EMSGSIZE: "too_big",
    errno.EACCES: "prohibited",
    errno.EPERM: "not_permitted",
    errno.EADDRNOTAVAIL: "no_ports",
    errno.EADDRINUSE: "no_ports",
    errno.EMFILE: "no_files",
    errno.ENFILE: "no_files",
    errno.ENOBUFS: "no_memory",
    errno.ENOMEM: "no_memory",
}


class Failed(Exception):  # noqa: N818, a probe that fails is an observation, not an error
    """Ends a probe with a reason; ``detail`` is one line for a person, without control characters."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def of_errno(code: int, phase: str) -> str:
    """The reason for a system call's errno; ETIMEDOUT is the kernel giving up before the probe's own deadline."""
    if code == errno.ETIMEDOUT:
        return f"timeout_{phase}"
    return _ERRNO.get(code, "internal")


def one_line(text: str, limit: int = 200) -> str:
    """What a target said, fit for one line of a terminal: no control characters, bounded."""
    shown = "".join(c if c.isprintable() else "?" for c in text.strip())
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."
