"""What an API server, or the way to it, says when something is wrong: mapped once, in an operator's words."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from urllib3 import exceptions
from websocket import WebSocketBadStatusException

from meshkit.errors import ConflictError, ForbiddenError, MeshkitError, NotFoundError, UnreachableError

CONNECT_S, READ_S = 5.0, 15.0
"""A healthy API server answers in milliseconds; one that hangs must not hang us."""

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, SERVER_ERROR = 401, 403, 404, 409, 500
TOO_MANY = 429
PASSING = frozenset({TOO_MANY, 502, 503, 504})
"""Overload, and a server or load balancer whose backend is away: worth another look."""

AGAIN = "log in again, then try: kubectl --context {} get namespaces"
WORDS_SHOWN = 200
WAITED = re.compile(r"timeout=([\d.]+)")
"""In urllib3's words; during a TLS handshake it is the connection's time, though the error is that of reading."""


def of_status(context: str, status: int, body: bytes, request: str, client_certificate: str | None) -> MeshkitError:
    """One HTTP error status as one of ours; the server's own message is the evidence."""
    answer = _status_object(body)
    reason = str(answer.get("message", "")) or body.decode(errors="replace").strip()[:WORDS_SHOWN]
    text = f"{context}: {reason or f'{request} answered {status}'}"
    if status == NOT_FOUND:
        return NotFoundError(text)
    if status == CONFLICT:
        return ConflictError(text)
    if status in (UNAUTHORIZED, FORBIDDEN):
        return _of_refusal(context, status, answer, text, client_certificate)
    if status in PASSING or (status == SERVER_ERROR and "etcdserver" in reason):
        return UnreachableError(text, hint="is the cluster healthy?")
    return MeshkitError(text)


def of_transport(context: str, host: str, error: exceptions.HTTPError) -> UnreachableError:
    """Why there was no answer."""
    cause = getattr(error, "reason", None) or error
    text = str(cause)
    if isinstance(cause, exceptions.SSLError) or "SSL" in text:
        return _of_tls(context, host, text)
    if isinstance(cause, exceptions.ProxyError):
        return UnreachableError(
            f"{context}: the proxy on the way to {host} cannot be used", hint="check HTTPS_PROXY", detail=text
        )
    if isinstance(cause, exceptions.NewConnectionError):
        return _of_connection(context, host, cause)
    if isinstance(cause, exceptions.TimeoutError):
        told = WAITED.search(text)
        what = "took no connection" if isinstance(cause, exceptions.ConnectTimeoutError) else "did not answer"
        hint = f"is {host} reachable from here (VPN, authorised networks)?"
        waited_s = float(told[1]) if told else READ_S
        return UnreachableError(f"{context}: the API server {what} within {waited_s:g} s", hint=hint)
    return UnreachableError(
        f"{context}: what answers at {host} broke the connection",
        hint="is it a Kubernetes API server?",
        detail=_last_words(text),
    )


def of_channel(context: str, pod: str, client_certificate: str | None, error: Exception) -> MeshkitError:
    """Why no WebSocket to a pod could be opened."""
    if isinstance(error, WebSocketBadStatusException):
        request = f"a connection to pod {pod}"
        return of_status(context, error.status_code, error.resp_body or b"", request, client_certificate)
    return UnreachableError(
        f"{context}: no connection to pod {pod} could be opened ({type(error).__name__})",
        hint=f"is it still there? kubectl --context {context} get pods -A",
    )


def of_body(context: str, host: str, body: bytes) -> MeshkitError:
    """An answer that is not the JSON of an API server: a proxy's login page, or another service on its port."""
    words = body.decode(errors="replace").strip()[:WORDS_SHOWN]
    return MeshkitError(
        f"{context}: what answers at {host} is not a Kubernetes API server",
        hint="check the server in: kubectl config view",
        detail=words,
    )


def _of_refusal(
    context: str, status: int, answer: dict[str, Any], text: str, client_certificate: str | None
) -> MeshkitError:
    """401: who are you; 403: you may not, or nobody may."""
    if status == UNAUTHORIZED:
        ended = _expiry(client_certificate)
        why = (
            f"the client certificate ended on {ended}" if ended else "the API server does not accept these credentials"
        )
        return ForbiddenError(f"{context}: {why}", hint=AGAIN.format(context))
    if _terminating(answer):
        hint = "wait until it is gone, then run again"
        return MeshkitError(f"{context}: the namespace is being deleted", hint=hint, detail=text)
    return ForbiddenError(text, hint="ask the cluster's owner for this permission")


def _of_connection(context: str, host: str, cause: Exception) -> UnreachableError:
    """No connection at all: no such name, or nothing that listens."""
    if isinstance(cause, exceptions.NameResolutionError):
        return UnreachableError(
            f"{context}: the name in {host} cannot be resolved", hint="does the cluster still exist?"
        )
    return UnreachableError(
        f"{context}: the API server at {host} cannot be reached",
        hint="is the cluster up?",
        detail=_last_words(str(cause)),
    )


def _of_tls(context: str, host: str, text: str) -> UnreachableError:
    """Which of the two sides' certificates is at fault, and how."""
    if "certificate has expired" in text:
        return UnreachableError(
            f"{context}: the API server's certificate has expired", hint="renew it, or check this machine's clock"
        )
    if "not yet valid" in text:
        return UnreachableError(
            f"{context}: the API server's certificate is not valid yet", hint="check this machine's clock"
        )
    if "mismatch" in text or "not valid for" in text:
        return UnreachableError(
            f"{context}: the API server's certificate is for another name than {host}",
            hint="use the name in the certificate, or set tls-server-name in the kubeconfig",
        )
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return UnreachableError(
            f"{context}: the API server's certificate is not signed by the kubeconfig's CA",
            hint="fetch the kubeconfig again: the cluster may have been made anew under the same name",
        )
    if "ALERT" in text.upper() and any(words in text.upper() for words in ("CERTIFICATE", "UNKNOWN_CA")):
        return UnreachableError(
            f"{context}: the client certificate in the kubeconfig was refused", hint=AGAIN.format(context)
        )
    return UnreachableError(
        f"{context}: no TLS connection to {host}", hint="is it a Kubernetes API server?", detail=_last_words(text)
    )


def _status_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _terminating(answer: dict[str, Any]) -> bool:
    """The API server forbids new objects in a namespace in deletion; no permission would help."""
    causes = (answer.get("details") or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def _expiry(certificate: str | None) -> str:
    """The day on which a client certificate ended, empty when it is still good or there is none."""
    if not certificate:
        return ""
    from cryptography import x509  # noqa: PLC0415 - 16 MB that only this one refusal needs

    try:
        ends = x509.load_pem_x509_certificate(Path(certificate).read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return ""
    return ends.strftime("%Y-%m-%d") if ends < datetime.now(UTC) else ""


def _last_words(text: str) -> str:
    """The end of urllib3's sentence: what comes before names its own objects."""
    return text.rpartition(">: ")[2][:WORDS_SHOWN]
