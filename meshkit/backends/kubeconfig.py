"""A context of the user's kubeconfig as a configured client, or one sentence on why it can't be one.

The official client reads the file: exec plugins, client certificates, proxies, several files in KUBECONFIG. It reports
a failing login plugin to the root logger only and goes on without credentials; that is made an error here, since the
API server's "401 Unauthorized" would send the user looking in the wrong place.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from kubernetes import config as kubernetes_config

from meshkit.errors import ForbiddenError, MeshkitError, UsageError

DEFAULT = "~/.kube/config"
MALFORMED = (KeyError, TypeError, AttributeError, ValueError, IndexError)
"""What the library raises on a kubeconfig whose parts have other types than it expects."""


def load(context: str, kubeconfig: str | None) -> Any:
    """An ``ApiClient`` for the context; UsageError for a kubeconfig that can't be used, ForbiddenError for a login."""
    # The library's own default is KUBECONFIG as it was when the module was imported.
    files = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT
    with plugin_failures() as failures:
        try:
            client = kubernetes_config.new_client_from_config(config_file=files, context=context)
        except kubernetes_config.ConfigException as error:
            raise _config_error(context, error, files) from error
        except yaml.YAMLError as error:
            raise _not_yaml(error, files) from error
        except OSError as error:
            raise UsageError(
                f"the kubeconfig can't be read: {error.filename}: {error.strerror}", hint=f"ls -l {error.filename}"
            ) from error
        except MALFORMED as error:
            raise UsageError(
                f"{context}: the kubeconfig entry is malformed", hint="kubectl config view", detail=repr(error)
            ) from error
    if failures:
        raise login_failed(context, failures)
    return client


def login_failed(context: str, failures: list[str]) -> MeshkitError:
    """A login plugin's failure, in the first line of its own words."""
    lines = failures[0].splitlines() or [""]
    hint = f"log in again, then try: kubectl --context {context} get namespaces"
    return ForbiddenError(
        f"{context}: the kubeconfig's login plugin failed: {lines[0]}", hint=hint, detail="\n".join(lines[1:])
    )


@contextmanager
def plugin_failures() -> Iterator[list[str]]:
    """What the library logs while the block runs; the list stays empty when the plugin, if any, succeeds."""
    handler = _Collector()
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield handler.messages
    finally:
        root.removeHandler(handler)


class _Collector(logging.Handler):
    """Keeps the messages that the kubeconfig module logs at level error in the thread that made this.

    Clients of several contexts are made at once, and the root logger hands everyone's messages to everyone.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._thread = threading.get_ident()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.module == "kube_config" and threading.get_ident() == self._thread:
            self.messages.append(record.getMessage())


def _config_error(context: str, error: Exception, files: str) -> MeshkitError:
    """An unreadable kubeconfig, or a context that is not in it, as a usage error that names those that are."""
    names = _contexts(files)
    if not names:
        return UsageError(
            f"no usable kubeconfig: {_lower(error)}", hint="set KUBECONFIG to a file that kubectl can use"
        )
    if context in names:
        return UsageError(f"{context}: the kubeconfig entry is not usable: {_lower(error)}", hint="kubectl config view")
    return UsageError(f"context {context!r} is not in the kubeconfig", hint=f"contexts there: {', '.join(names)}")


def _contexts(files: str) -> list[str]:
    """Names of the contexts in the kubeconfig, without anything in it having to be complete."""
    names: set[str] = set()
    for name in files.split(os.pathsep):
        try:
            content = yaml.safe_load(Path(name).expanduser().read_text(encoding="utf-8")) or {}
            names |= {str(entry["name"]) for entry in content.get("contexts") or ()}
        except (OSError, yaml.YAMLError, *MALFORMED):
            continue
    return sorted(names)


def _not_yaml(error: yaml.YAMLError, files: str) -> UsageError:
    mark = getattr(error, "problem_mark", None)
    where = f"{mark.name}, line {mark.line + 1}" if mark else files
    problem = getattr(error, "problem", None) or "unreadable"
    return UsageError(f"the kubeconfig is not YAML: {where}: {problem}", hint="kubectl config view")


def _lower(error: Exception) -> str:
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:]
