"""How helm is run: as an argument list, with a deadline, and so that it can be stopped.

pyhelm3's own way goes through a shell and has no deadline, and helm itself waits for a hanging API server for ever.
How long one command may take is set around the call, since the library leaves no room for it in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from pyhelm3 import errors as helm_errors
from pyhelm3.command import Command

TIMEOUT = "60s"
DEADLINE_S = 120.0
"""Helm's own timeout covers its waits, not its requests; twice that for the whole command."""

LOOK_S = 0.25
GRACE_S = 10.0
"""A helm that is told to end notes first that its release has failed, so that the next one can go on from there."""

NOT_FOUND = "release: not found"
_limits: ContextVar[tuple[float, threading.Event | None] | None] = ContextVar("limits", default=None)


class StoppedError(Exception):
    """Helm was told to end."""


@contextlib.contextmanager
def limits(deadline_s: float, stop: threading.Event | None) -> Iterator[None]:
    """Another deadline for the commands inside, and an event that ends them."""
    token = _limits.set((deadline_s, stop))
    try:
        yield
    finally:
        _limits.reset(token)


class HelmCommand(Command):  # type: ignore[misc]  # the library has no types
    """Runs helm for one context, and ends it, with whatever it started, when the deadline has passed."""

    def __init__(self, context: str, executable: str, kubeconfig: str | None) -> None:
        super().__init__(executable=executable, default_timeout=TIMEOUT)
        self._argv = (executable, "--kube-context", context, *(("--kubeconfig", kubeconfig) if kubeconfig else ()))

    async def run(self, command: list[Any], input: bytes | None = None) -> bytes:  # noqa: A002 - the library's name for it
        """Helm's standard output; the library's Error for an exit code other than 0, TimeoutError, StoppedError."""
        process = await asyncio.create_subprocess_exec(
            *self._argv,
            *map(str, command),
            stdin=asyncio.subprocess.PIPE if input is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            stdout, stderr = await _talk(process, input)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if process.returncode:
            kind = (
                helm_errors.ReleaseNotFoundError if NOT_FOUND in stderr.decode(errors="replace") else helm_errors.Error
            )
            raise kind(process.returncode, stdout, stderr)
        return stdout


async def _talk(process: asyncio.subprocess.Process, given: bytes | None) -> tuple[bytes, bytes]:
    """All that a process prints until it ends."""
    deadline_s, stop = _limits.get() or (DEADLINE_S, None)
    talk = asyncio.ensure_future(process.communicate(given))
    end = asyncio.get_running_loop().time() + deadline_s
    while not talk.done() and (left := end - asyncio.get_running_loop().time()) > 0:
        if stop is not None and stop.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            await asyncio.wait({talk}, timeout=GRACE_S)
            raise StoppedError
        await asyncio.wait({talk}, timeout=left if stop is None else min(LOOK_S, left))
    if not talk.done():
        raise TimeoutError(f"{deadline_s:g}")
    return talk.result()
