"""Helm through pyhelm3, one client per cluster.

pyhelm3 is asynchronous and passes values on standard input, never in argv. meshkit does its own waiting (Helm's can
only say "timed out waiting for the condition"), so ``--wait`` is never used to install.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pyhelm3
from pyhelm3 import errors as helm_errors

from meshkit.backends.base import Release
from meshkit.errors import MeshkitError, UnreachableError, UsageError

MINIMUM = (3, 14)
"""The first Helm that validates values by JSON schema draft 2019 and stores large releases reliably."""

TIMEOUT = "60s"
T = TypeVar("T")


class HelmClient:
    """``base.Helm`` for one context; ``executable`` is the helm binary, from PATH or from the lab's tools."""

    def __init__(self, context: str, *, executable: str = "helm", kubeconfig: str | None = None) -> None:
        self._context = context
        # The library logs every command that fails; that a release is not there yet is not worth a line.
        logging.getLogger("pyhelm3").setLevel(logging.CRITICAL)
        try:
            self._client = pyhelm3.Client(
                executable=executable,
                kubecontext=context,
                kubeconfig=Path(kubeconfig) if kubeconfig else None,
                default_timeout=TIMEOUT,
            )
        except (FileNotFoundError, ValueError, helm_errors.Error) as error:
            raise UsageError(f"helm does not run: {error}", hint=INSTALL_HINT) from error
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

    def install(
        self, name: str, namespace: str, chart: Path | str, values: Mapping[str, Any], description: str
    ) -> None:
        """See ``base.Helm``."""

        async def go() -> None:
            await self._client.get_proceedable_revision(name, namespace=namespace, timeout=TIMEOUT)
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

    def uninstall(self, name: str, namespace: str) -> None:
        """See ``base.Helm``."""
        try:
            self._run(self._client.uninstall_release(name, namespace=namespace, wait=True, timeout=TIMEOUT))
        except helm_errors.ReleaseNotFoundError:
            return

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run(work)
        except helm_errors.ReleaseNotFoundError:
            raise
        except helm_errors.Error as error:
            raise self._mapped(error) from error

    def _mapped(self, error: helm_errors.Error) -> MeshkitError:
        """Helm's own words, one line of them as the message and the rest as detail."""
        text = error.stderr.decode(errors="replace").strip()
        if isinstance(error, helm_errors.ConnectionError):
            return UnreachableError(f"{self._context}: helm cannot reach the API server", detail=text)
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("WARNING:")]
        first = re.sub(r"^Error: (INSTALLATION|UPGRADE) FAILED: |^Error: ", "", lines[0] if lines else "no output")
        return MeshkitError(f"{self._context}: helm: {first}", detail="\n".join(lines[1:]))


INSTALL_HINT = "install helm 3.14 or later and put it on PATH, or build the pinned one: meshkit lab tools"
