"""Errors that reach the user: one clear line, one hint, one exit code.

The exception tree is shallow on purpose: a class exists only where some caller branches on it. Backends map
foreign exceptions to these with ``raise ... from``; the command line catches ``MeshkitError`` once and prints
``meshkit: error: <message>`` and ``meshkit: hint: <hint>``. Messages are lower case and have no full stop.
"""

from __future__ import annotations


class MeshkitError(Exception):
    """Something failed; nothing else needs to be known to print it.

    ``message`` says what failed and where, ``hint`` what to do next (or is empty), ``detail`` holds evidence that
    is printed indented below the message (a failed command and its output, a pod's last log lines).
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail


class UsageError(MeshkitError):
    """The call itself is wrong: an argument, an option or a line of mesh.yaml. Nothing was touched."""

    exit_code = 2


class NotFoundError(MeshkitError):
    """The object asked for does not exist (HTTP 404); callers treat it as an ordinary observation."""


class ConflictError(MeshkitError):
    """The object exists already or was changed meanwhile (HTTP 409); callers observe again."""


class ForbiddenError(MeshkitError):
    """The credentials are valid but may not do this (HTTP 401 or 403)."""


class UnreachableError(MeshkitError):
    """No answer: refused, timed out or not trusted. It may pass, so waits go on until their deadline."""


class DeadlineError(MeshkitError):
    """A condition did not come true before its deadline; ``detail`` says what was seen last."""


class CombinedError(MeshkitError):
    """Several independent failures, one per cluster or check, reported together."""

    def __init__(self, message: str, errors: tuple[MeshkitError, ...], hint: str = "") -> None:
        super().__init__(message, hint)
        self.errors = errors
