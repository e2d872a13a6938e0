"""The lab as a whole: ``up``, ``down`` and ``status`` of any number of clusters and the WAN between them."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from meshkit.errors import CombinedError, MeshkitError, UsageError
from meshkit.events import Finished, Observer, Started, ignore
from meshkit.lab import images, kubeconfig, node, pki, preflight, toolchain, wan
from meshkit.lab.command import processes
from meshkit.lab.topology import MAX_NODES, Node, check_name, lab_folder

UP_EXPECTED_S = 20.0


@dataclass(frozen=True)
class ClusterStatus:
    """One cluster as it is: whether its API and DNS answer, and how many processes it has."""

    name: str
    address: str
    ready: bool
    processes: int
    logs: Path


def up(names: Sequence[str], link: wan.Link, observe: Observer = ignore) -> tuple[Node, ...]:
    """Start clusters side by side, those that run already stay; the WAN joins all clusters of the lab.

    The kubeconfig gets one context per cluster. Safe to repeat, also after a kill at any point.
    """
    if len(set(names)) != len(names):
        raise UsageError("a lab cluster is named twice", hint="give each cluster one name")
    for name in names:
        check_name(name)
    preflight.check(needs_tools=bool(toolchain.missing()))
    for name in names:
        kubeconfig.refuse_foreign(name)
    toolchain.build_all(observe)
    archives = images.build_all(observe)
    with _locked():
        nodes = _allocate(names)
        _each(nodes, lambda n: _up(n, archives, observe))
        wan.start(_known(), link, observe)
        for n in nodes:
            kubeconfig.merge(pki.kubeconfig(n, pki.ADMIN))
    return nodes


def down(names: Sequence[str] = (), observe: Observer = ignore) -> tuple[str, ...]:
    """Remove clusters (all when none is named) without a trace; returns the names of those that were there."""
    with _locked():
        known = {n.name: n for n in _known()}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UsageError(f"no lab cluster {unknown[0]!r}", hint=f"there are: {', '.join(known) or 'none'}")
        chosen = [known[name] for name in names or known]
        left = [n for n in known.values() if n not in chosen]
        if left:
            wan.start(left, wan.Link(), observe)
        else:
            wan.stop()
        _each(chosen, lambda n: _down(n, observe))
        _save(left)
        if not left:
            _remove_empty_folders()
    return tuple(n.name for n in chosen)


def status() -> tuple[ClusterStatus, ...]:
    """Every cluster of the lab."""
    nodes = _known()
    with ThreadPoolExecutor(max(len(nodes), 1)) as pool:
        ready = list(pool.map(node.is_running, nodes))
    return tuple(
        ClusterStatus(n.name, n.address, ok, len(processes(n.name)), n.folder / "log")
        for n, ok in zip(nodes, ready, strict=True)
    )


def find(name: str) -> Node:
    """A running cluster by name, or UsageError."""
    for n in _known():
        if n.name == name:
            return n
    names = ", ".join(n.name for n in _known()) or "none"
    raise UsageError(f"no lab cluster {name!r}", hint=f"there are: {names}; start one with meshkit lab up {name}")


def _up(n: Node, archives: Sequence[Path], observe: Observer) -> None:
    begin = time.monotonic()
    was_running = node.is_running(n)
    observe(Started(node.TASK, n.name, UP_EXPECTED_S))
    node.up(n, archives, observe)
    text = "was already running" if was_running else f"ready at {n.address}"
    observe(Finished(node.TASK, time.monotonic() - begin, n.name, changed=not was_running, text=text))


def _down(n: Node, observe: Observer) -> None:
    begin = time.monotonic()
    observe(Started("lab down", n.name, 3.0))
    kubeconfig.remove(n.name)
    node.down(n)
    observe(Finished("lab down", time.monotonic() - begin, n.name, text="nothing left"))


def _each(nodes: Sequence[Node], work: Callable[[Node], None]) -> None:
    """The same for all nodes at once; every failure is reported, and none hides another."""
    errors: list[MeshkitError] = []
    with ThreadPoolExecutor(max(len(nodes), 1)) as pool:
        for future in [pool.submit(work, n) for n in nodes]:
            try:
                future.result()
            except MeshkitError as error:
                errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise CombinedError(f"{len(errors)} lab clusters failed", tuple(errors))


@contextmanager
def _locked() -> Iterator[None]:
    """One ``up`` or ``down`` at a time; the lock ends with its process."""
    path = Path("/run/meshkit-lab.lock")
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _register() -> Path:
    return lab_folder() / "clusters.json"


def _known() -> tuple[Node, ...]:
    try:
        entries = json.loads(_register().read_text())
    except FileNotFoundError:
        return ()
    return tuple(Node(name, index) for name, index in entries.items())


def _allocate(names: Sequence[str]) -> tuple[Node, ...]:
    """Nodes for the names, new ones at the lowest free index; noted before anything is started for them."""
    known = {n.name: n for n in _known()}
    for name in names:
        if name not in known:
            used = {n.index for n in known.values()}
            free = next((i for i in range(1, MAX_NODES + 1) if i not in used), None)
            if free is None:
                raise UsageError(f"the lab is full: {MAX_NODES} clusters", hint="meshkit lab down NAME")
            known[name] = Node(name, free)
    _save(list(known.values()))
    return tuple(known[name] for name in names)


def _save(nodes: Sequence[Node]) -> None:
    path = _register()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({n.name: n.index for n in nodes}))
    partial.replace(path)


def _remove_empty_folders() -> None:
    _register().unlink(missing_ok=True)
    for folder in (lab_folder(), Path("/run/meshkit-lab")):
        if folder.exists() and not any(folder.iterdir()):
            folder.rmdir()
