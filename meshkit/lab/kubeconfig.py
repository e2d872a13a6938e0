"""The lab's contexts in the user's kubeconfig: merged on ``up``, removed on ``down``, all else untouched.

kubectl's rules hold: KUBECONFIG may list several files, the first is written to, and ``<file>.lock`` keeps two
writers apart as in client-go. Files are replaced whole and never seen half written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from meshkit.errors import MeshkitError, UsageError
from meshkit.lab.waiting import wait_until

SECTIONS = ("clusters", "users", "contexts")
PRIVATE = 0o600
LOCK_TIMEOUT_S = 10
SERVER_PREFIX = "https://10.99."
"""The lab's addresses; an entry that points elsewhere is the user's own, whatever its name."""

Document = dict[str, Any]


def files() -> tuple[Path, ...]:
    """The kubeconfig files, in kubectl's order."""
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return tuple(listed) or (Path.home() / ".kube" / "config",)


def refuse_foreign(name: str) -> None:
    """UsageError when a context, cluster or user of this name exists that is not the lab's."""
    for path in files():
        for section in SECTIONS:
            for entry in _read(path).get(section) or ():
                if entry.get("name") == name and not _ours(path, name):
                    raise UsageError(
                        f"the kubeconfig {path} already has an entry {name!r} that is not the lab's",
                        hint="choose another name, or rename it: kubectl config rename-context",
                    )


def merge(entries: Mapping[str, Any]) -> Path:
    """Put one cluster's entries into the first file; they replace earlier ones of the same names."""
    path = files()[0]
    with _locked(path):
        document = _read(path) or {"apiVersion": "v1", "kind": "Config", "preferences": {}}
        for section in SECTIONS:
            new = list(entries[section])
            names = {entry["name"] for entry in new}
            kept = [entry for entry in document.get(section) or () if entry["name"] not in names]
            document[section] = kept + new
        if not document.get("current-context"):
            document["current-context"] = entries["current-context"]
        _write(path, document)
    return path


def remove(name: str) -> None:
    """Take a cluster's entries out of every file that has them, where they are the lab's."""
    for path in files():
        if not path.exists() or not _ours(path, name):
            continue
        with _locked(path):
            document = _read(path)
            for section in SECTIONS:
                document[section] = [entry for entry in document.get(section) or () if entry["name"] != name]
            if document.get("current-context") == name:
                document["current-context"] = ""
            _write(path, document)


def _ours(path: Path, name: str) -> bool:
    clusters = _read(path).get("clusters") or ()
    servers = [c["cluster"].get("server", "") for c in clusters if c.get("name") == name]
    return any(server.startswith(SERVER_PREFIX) for server in servers)


def _read(path: Path) -> Document:
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"the kubeconfig {path} is not readable as YAML", hint="kubectl config view") from error
    if document is not None and not isinstance(document, dict):
        raise UsageError(f"the kubeconfig {path} is not a mapping", hint="kubectl config view")
    return document or {}


def _write(path: Path, document: Document) -> None:
    """Beside the file, then in its place; through a symbolic link, as its owner meant it."""
    target = path.resolve()
    partial = target.with_name(f"{target.name}.meshkit")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w") as file:
        yaml.safe_dump(document, file, sort_keys=False)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")

    def taken() -> bool:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL, PRIVATE))
        except FileExistsError:
            return False
        return True

    try:
        wait_until(taken, LOCK_TIMEOUT_S, f"the lock {lock}")
    except MeshkitError as error:
        raise MeshkitError(f"the kubeconfig is locked by {lock}", hint="remove it if no kubectl is running") from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
