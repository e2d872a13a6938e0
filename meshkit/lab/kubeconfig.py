"""The lab's contexts in the user's kubeconfig: merged on ``up``, removed on ``down``, all else untouched.

kubectl's rules hold: KUBECONFIG may list several files, of which the first that exists is written to, and
``<file>.lock`` keeps two writers apart as in client-go. Files are replaced whole and never seen half written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
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


def default_file() -> Path:
    """The file that new entries go to: the first that exists, else the last, as kubectl chooses."""
    return next((path for path in files() if path.exists()), files()[-1])


def refuse_foreign(name: str) -> None:
    """UsageError when a context, cluster or user of this name exists that is not the lab's."""
    for path in files():
        document = _read(path)
        if not _ours(document, name) and any(_named(document, section, name) for section in SECTIONS):
            raise UsageError(
                f"the kubeconfig {path} already has an entry {name!r} that is not the lab's",
                hint="choose another name, or rename it: kubectl config rename-context",
            )


def merge(path: Path, entries: Mapping[str, Any]) -> None:
    """Put one cluster's entries into a file; they replace earlier ones of the same names."""
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


def remove(path: Path, name: str) -> None:
    """Take a cluster's entries out of a file, where they are the lab's."""
    if not _partial(path).exists() and not _ours(_read(path), name):
        return
    with _locked(path):
        # What a killed run left half written; only under the lock, or it is what another thread is writing.
        _partial(path).unlink(missing_ok=True)
        document = _read(path)
        if not _ours(document, name):
            return
        for section in SECTIONS:
            document[section] = [entry for entry in document.get(section) or () if entry["name"] != name]
        if document.get("current-context") == name:
            document["current-context"] = ""
        _write(path, document)


def _ours(document: Document, name: str) -> bool:
    return any(
        str((entry.get("cluster") or {}).get("server", "")).startswith(SERVER_PREFIX)
        for entry in _named(document, "clusters", name)
    )


def _named(document: Document, section: str, name: str) -> list[Document]:
    return [entry for entry in document.get(section) or () if entry["name"] == name]


class _Loader(yaml.SafeLoader):
    """Dates stay the text they are; written back in Python's form, others could not read them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _read(path: Path) -> Document:
    """A kubeconfig's content, empty when there is no file; UsageError unless it has a kubeconfig's shape."""
    try:
        document = yaml.load(path.read_text(), _Loader)  # noqa: S506 - a SafeLoader less its dates
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"the kubeconfig {path} can't be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"the kubeconfig {path} is not readable as YAML", hint="kubectl config view") from error
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(_is_list_of_named(document.get(s)) for s in SECTIONS):
        raise UsageError(f"the kubeconfig {path} has not the form of one", hint="kubectl config view")
    return document


def _is_list_of_named(section: object) -> bool:
    if section is None:
        return True
    return isinstance(section, list) and all(isinstance(entry, dict) and "name" in entry for entry in section)


def _partial(path: Path) -> Path:
    target = path.resolve()
    return target.with_name(f"{target.name}.meshkit")


def _write(path: Path, document: Document) -> None:
    """Beside the file, then in its place; through a symbolic link, and keeping the owner, as it was meant."""
    target, partial = path.resolve(), _partial(path)
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w") as file:
        if target.exists():
            owner = target.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        yaml.safe_dump(document, file, sort_keys=False)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """client-go's lock file, as a symbolic link whose target names our process.

    For client-go it exists or not, whatever it is; for the next run it tells whether its maker was killed. A plain
    file would have a moment in which it exists and names nobody.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")

    def taken() -> bool:
        try:
            lock.symlink_to(f"meshkit-{os.getpid()}")
        except FileExistsError:
            if _is_left_behind(lock):
                lock.unlink(missing_ok=True)
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


def _is_left_behind(lock: Path) -> bool:
    """Whether a killed meshkit made it; the lab's own lock keeps two of them from thinking so at once."""
    with suppress(OSError):
        maker, _, pid = lock.readlink().name.rpartition("-")
        return maker == "meshkit" and not Path("/proc", pid).exists()
    return False
