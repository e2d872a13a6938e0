"""Helm through pyhelm3, one client per cluster.

pyhelm3 is asynchronous and passes values on standard input, never in argv. meshkit does its own waiting (Helm's can
only say "timed out waiting for the condition"), so ``--wait`` is never used to install. Helm does wait for a chart's
hooks, so an install has a time of its own, and can be stopped.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import tempfile
import threading
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyhelm3
import yaml
from pyhelm3 import errors as helm_errors

from meshkit.backends.base import InstalledChart, Manifest, Release
from meshkit.backends.helm_command import DEADLINE_S, TIMEOUT, HelmCommand, StoppedError, limits
from meshkit.backends.helm_errors import of_pull
from meshkit.errors import ForbiddenError, MeshkitError, UnreachableError, UsageError

MINIMUM = (3, 14)
"""The first Helm that validates values by JSON schema draft 2019 and stores large releases reliably."""

INSTALL_HINT = "install helm 3.14 or later and put it on PATH, or build the pinned one: meshkit lab tools"
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
        self._command = HelmCommand(context, executable, kubeconfig)
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
        return self._run(self._current(name, namespace))

    def chart(self, name: str, namespace: str) -> InstalledChart | None:
        """See ``base.Helm``."""
        found = self._json("get", "metadata", name, "--namespace", namespace)
        return InstalledChart(found["chart"], found["version"], found["appVersion"]) if found else None

    def values(self, name: str, namespace: str) -> Mapping[str, Any]:
        """See ``base.Helm``."""
        return self._json("get", "values", name, "--namespace", namespace) or {}

    def pull(self, repository: str, chart: str, version: str, folder: Path) -> Path:
        """See ``base.Helm``."""
        source = (
            [f"{repository.rstrip('/')}/{chart}"] if repository.startswith("oci://") else [chart, "--repo", repository]
        )
        with tempfile.TemporaryDirectory(dir=folder) as place:
            try:
                self._run(self._command.run(["pull", *source, "--version", version, "--destination", place]))
            except MeshkitError as error:
                raise of_pull(repository, chart, version, error) from error
            found = next(Path(place).glob("*.tgz"), None)
            if found is None:
                raise MeshkitError(f"helm pull left no chart {chart} {version}", hint=f"helm pull {' '.join(source)}")
            return found.replace(folder / found.name)

    def template(self, name: str, namespace: str, chart: Path | str, values: Mapping[str, Any]) -> Sequence[Manifest]:
        """See ``base.Helm``."""
        command = ["template", name, chart, "--namespace", namespace, "--values", "-"]

        async def go() -> list[Manifest]:
            text = await self._command.run(command, json.dumps(values).encode())
            return [manifest for manifest in yaml.safe_load_all(text) if manifest]

        return self._run(go())

    def check(self, name: str, namespace: str, chart: Path | str, values: Mapping[str, Any]) -> None:
        """See ``base.Helm``."""
        self.template(name, namespace, chart, values)

    def repair(self, name: str, namespace: str) -> None:
        """See ``base.Helm``."""
        self._run(self._repair(name, namespace))

    def install(  # noqa: PLR0913 - what, where, and for how long
        self,
        name: str,
        namespace: str,
        chart: Path | str,
        values: Mapping[str, Any],
        description: str,
        *,
        timeout_s: float = DEADLINE_S / 2,
        stop: threading.Event | None = None,
    ) -> None:
        """See ``base.Helm``."""

        async def go() -> None:
            await self._repair(name, namespace)
            await self._command.install_or_upgrade(
                name,
                chart,
                dict(values),
                namespace=namespace,
                description=description,
                create_namespace=False,
                reset_values=True,
                wait=False,
                timeout=f"{int(timeout_s)}s",
            )

        with limits(2 * timeout_s, stop):
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
        found = await self._current(name, namespace)
        status = found.status if found else ""
        if found and status == "pending-install" and await self._finished(name, namespace, found.revision):
            return
        if status in ("pending-install", "uninstalling"):
            await self._client.uninstall_release(name, namespace=namespace, wait=True, timeout=TIMEOUT)
        elif status in ("pending-upgrade", "pending-rollback"):
            await self._command.rollback(name, None, namespace=namespace, timeout=TIMEOUT)

    async def _current(self, name: str, namespace: str) -> Release | None:
        """The last line of the release's history: its whole status would be parsed, for seconds with many CRDs."""
        try:
            (found,) = await self._command.history(name, max_revisions=1, namespace=namespace)
        except helm_errors.ReleaseNotFoundError:
            return None
        return Release(found["status"], int(found["revision"]), found.get("description") or "")

    async def _finished(self, name: str, namespace: str, revision: int) -> bool:
        """Whether going "back" to a first revision that was cut short made its objects whole, without their hooks.

        What runs of it goes on running; an uninstall would take it away, with its custom resources.
        """
        try:
            await self._command.rollback(name, revision, namespace=namespace, no_hooks=True, timeout=TIMEOUT)
        except helm_errors.Error:
            return False
        return True

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
        except StoppedError as error:
            raise MeshkitError(f"{self._context}: helm was stopped") from error
        except TimeoutError as error:
            raise UnreachableError(
                f"{self._context}: helm did not end within {error} s", hint="is the API server reachable?"
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


def _first_line(error: Exception) -> str:
    """What a program that is not helm, or a broken one, printed; else the error's own words."""
    printed = getattr(error, "stderr", b"") or b""
    lines = (printed.decode(errors="replace").strip() or str(error)).splitlines()
    return lines[0] if lines else type(error).__name__
