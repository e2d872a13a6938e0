"""Helm through pyhelm3, one client per cluster.

pyhelm3 is asynchronous and passes values on standard input, never in argv. meshkit does its own waiting (Helm's can
only say "timed out waiting for the condition"), so ``--wait`` is never used to install. How helm is run is replaced:
the library's way goes through a shell and has no deadline, and helm itself waits for a hanging API server for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import subprocess
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pyhelm3
import yaml
from pyhelm3 import errors as helm_errors
from pyhelm3.command import Command

from meshkit.backends.base import InstalledChart, Release
from meshkit.errors import ForbiddenError, MeshkitError, UnreachableError, UsageError

MINIMUM = (3, 14)
"""The first Helm that validates values by JSON schema draft 2019 and stores large releases reliably."""

TIMEOUT = "60s"
DEADLINE_S = 120.0
"""Helm's own timeout covers its waits, not its requests; twice that for the whole command."""

INSTALL_HINT = "install helm 3.14 or later and put it on PATH, or build the pinned one: meshkit lab tools"
NOT_FOUND = "release: not found"
UNREACHABLE = (
    "cluster unreachable",
    "connection refused",
    "network is unreachable",
    "no route to host",
    "i/o timeout",
    "tls handshake timeout",
    "operation timed out",
    "etcdserver",
)
T = TypeVar("T")


class HelmClient:
    """``base.Helm`` for one context; ``executable`` is the helm binary, from PATH or from the lab's tools."""

    def __init__(self, context: str, *, executable: str = "helm", kubeconfig: str | None = None) -> None:
        self._context = context
        # The library logs every command that fails; that a release is not there yet is not worth a line.
        logging.getLogger("pyhelm3").setLevel(logging.CRITICAL)
        self._command = _Command(context, executable, kubeconfig)
        try:
            self._client = pyhelm3.Client(self._command, executable=executable)
        except AssertionError as error:
            raise UsageError("helm is not installed", hint=INSTALL_HINT) from error
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise UsageError(
                f"{executable} is not a helm that runs: {_first_line(error)}", hint=INSTALL_HINT
            ) from error
        version = self._client.version
        if (version.major, version.minor) < MINIMUM:
            raise UsageError(f"helm {version} is too old: 3.14 or later is needed", hint=INSTALL_HINT)

    def release(self, name: str, namespace: str) -> Release | None:
        """See ``base.Helm``; so for every public method below."""
        try:
            revision = self._run(self._client.get_current_revision(name, namespace=namespace))
        except helm_errors.ReleaseNotFoundError:
            return None
        return Release(revision.status.value, revision.revision, revision.description or "")

    def chart(self, name: str, namespace: str) -> InstalledChart | None:
        """See ``base.Helm``."""
        found = self._json("get", "metadata", name, "--namespace", namespace)
        return InstalledChart(found["chart"], found["version"], found["appVersion"]) if found else None

    def values(self, name: str, namespace: str) -> Mapping[str, Any]:
        """See ``base.Helm``."""
        return self._json("get", "values", name, "--namespace", namespace) or {}

    def install(
        self, name: str, namespace: str, chart: Path | str, values: Mapping[str, Any], description: str
    ) -> None:
        """See ``base.Helm``."""

        async def go() -> None:
            await self._repair(name, namespace)
            await self._client.install_or_upgrade_release(
                name,
                await self._client.get_chart(chart),
                dict(values),
                namespace=namespace,
                description=description,
                create_namespace=False,
                reset_values=True,
                wait=False,
            )

        self._run(go())

    def uninstall(self, name: str, namespace: str, *, hooks: bool = True) -> None:
        """See ``base.Helm``."""
        options = {"namespace": namespace, "no_hooks": not hooks, "wait": True, "timeout": TIMEOUT}
        self._run(self._client.uninstall_release(name, **options))

    async def _repair(self, name: str, namespace: str) -> None:
        """Take a release out of the pending state in which a killed helm left it; Helm itself refuses to.

        Unlike the library's ``get_proceedable_revision`` this does not wait for the pods of the revision gone back to:
        the next one replaces them at once, and they may be the ones that never became ready.
        """
        try:
            found = await self._client.get_current_revision(name, namespace=namespace)
        except helm_errors.ReleaseNotFoundError:
            return
        if found.status.value in ("pending-install", "uninstalling"):
            await self._client.uninstall_release(name, namespace=namespace, wait=True, timeout=TIMEOUT)
        elif found.status.value in ("pending-upgrade", "pending-rollback"):
            await found.release.rollback(wait=False, timeout=TIMEOUT)

    def _json(self, *command: str) -> dict[str, Any] | None:
        """What helm prints as JSON about a release; None when there is no such release."""

        async def go() -> dict[str, Any]:
            found = json.loads(await self._command.run([*command, "--output", "json"]))
            return dict(found or {})

        try:
            return self._run(go())
        except helm_errors.ReleaseNotFoundError:
            return None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run(work)
        except helm_errors.ReleaseNotFoundError:
            raise
        except helm_errors.Error as error:
            raise self._mapped(error) from error
        except TimeoutError as error:
            raise UnreachableError(
                f"{self._context}: helm did not end within {DEADLINE_S:g} s", hint="is the API server reachable?"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError, OSError, yaml.YAMLError) as error:
            raise MeshkitError(
                f"{self._context}: helm gave an answer that can't be read", detail=repr(error)
            ) from error

    def _mapped(self, error: helm_errors.Error) -> MeshkitError:
        """Helm's own words, one line of them as the message and the rest as detail."""
        text = error.stderr.decode(errors="replace").strip()
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("WARNING:")]
        _, login, said = text.partition("getting credentials: ")
        if login:
            return ForbiddenError(
                f"{self._context}: helm can't log in: {said.partition(chr(10))[0]}",
                hint=f"kubectl --context {self._context} get namespaces logs in the same way",
            )
        if isinstance(error, helm_errors.ConnectionError) or any(words in text.lower() for words in UNREACHABLE):
            return UnreachableError(f"{self._context}: helm cannot reach the API server", detail="\n".join(lines))
        first = re.sub(r"^Error: (INSTALLATION|UPGRADE) FAILED: |^Error: ", "", lines[0] if lines else "no output")
        return MeshkitError(f"{self._context}: helm: {first}", detail="\n".join(lines[1:]))


class _Command(Command):  # type: ignore[misc]  # the library has no types
    """Runs helm as an argument list, and ends it, with whatever it started, when the deadline has passed."""

    def __init__(self, context: str, executable: str, kubeconfig: str | None) -> None:
        super().__init__(executable=executable, default_timeout=TIMEOUT)
        self._argv = (executable, "--kube-context", context, *(("--kubeconfig", kubeconfig) if kubeconfig else ()))

    async def run(self, command: list[Any], input: bytes | None = None) -> bytes:  # noqa: A002 - the library's name for it
        """Helm's standard output; ``pyhelm3.errors.Error`` for an exit code other than 0."""
        process = await asyncio.create_subprocess_exec(
            *self._argv,
            *map(str, command),
            stdin=asyncio.subprocess.PIPE if input is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            stdout, stderr = await asyncio.wait_for(process.communicate(input), DEADLINE_S)
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


def _first_line(error: Exception) -> str:
    """What a program that is not helm, or a broken one, printed; else the error's own words."""
    printed = getattr(error, "stderr", b"") or b""
    lines = (printed.decode(errors="replace").strip() or str(error)).splitlines()
    return lines[0] if lines else type(error).__name__
