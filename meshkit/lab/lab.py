"""The lab as a whole: ``up``, ``down`` and ``status`` of any number of clusters and the WAN between them."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from meshkit.errors import CombinedError, MeshkitError, UsageError
from meshkit.events import Finished, Note, Observer, Progress, Started, ignore
from meshkit.lab import archive, images, kubeconfig, network, node, pki, preflight, register, toolchain, waiting, wan
from meshkit.lab.command import processes
from meshkit.lab.topology import Node, check_name, lab_folder

UP_EXPECTED_S = 20.0
DOWN_EXPECTED_S = 3.0
LOAD_EXPECTED_S = 10.0
UNCHANGED = wan.LinkChange()
LOCK = Path("/run/meshkit-lab.lock")
"""One lab per machine, since addresses and interface names are the machine's, whatever MESHKIT_LAB_DIR says."""


@dataclass(frozen=True)
class ClusterStatus:
    """One cluster as it is: whether its API and DNS answer, and how many processes it has."""

    name: str
    address: str
    ready: bool
    processes: int
    logs: Path


def up(names: Sequence[str], change: wan.LinkChange = UNCHANGED, observe: Observer = ignore) -> tuple[Node, ...]:
    """Start clusters side by side, those that run already stay; the WAN joins all clusters of the lab.

    ``change`` is made to the links between the named clusters and to every new link; links that were there keep
    the rest of what was set for them. The kubeconfig gets one context per cluster. Safe to repeat, also after a kill
    at any point.
    """
    if len(set(names)) != len(names):
        raise UsageError("a lab cluster is named twice", hint="give each cluster one name")
    for name in names:
        check_name(name)
    if not _all_run(names):
        preflight.check(needs_tools=bool(toolchain.missing()))
    for name in names:
        kubeconfig.refuse_foreign(name)
    toolchain.build_all(observe)
    archives = images.build_all(observe)
    with _locked(observe):
        nodes = register.allocate(names)
        _each(nodes, lambda n: _up(n, archives, observe))
        wan.start(_joinable(register.known()), change.applied(wan.Link()))
        if change != UNCHANGED:
            for a, b in combinations(nodes, 2):
                wan.set_link(a, b, change)
        for n in nodes:
            _merge_context(n)
    return nodes


def down(names: Sequence[str] = (), observe: Observer = ignore) -> tuple[str, ...]:
    """Remove clusters (all when none is named) without a trace; returns the names of those that were there."""
    preflight.require_root()
    with _locked(observe):
        known = register.known()
        chosen = [register.find(name) for name in dict.fromkeys(names)] or list(known)
        left = [n for n in known if n not in chosen]
        if left:
            wan.start(_joinable(left), wan.Link())
        else:
            wan.stop()
        _each(chosen, lambda n: _down(n, observe))
        register.save(left)
        if not left:
            _remove_empty_folders()
    return tuple(n.name for n in chosen)


def load(files: Sequence[Path], names: Sequence[str] = (), observe: Observer = ignore) -> tuple[str, ...]:
    """Give image archives to clusters (all when none is named); returns the full names of the images.

    Every file is looked into, and every cluster must run, before the first is given anything.
    """
    preflight.require_root()
    archives = [archive.read(path) for path in files]
    with _locked(observe):
        nodes = [register.find(name) for name in dict.fromkeys(names)] or list(register.known())
        if not nodes:
            raise UsageError("the lab has no clusters", hint="meshkit lab up aks eks")
        for n in nodes:
            if not node.is_running(n):
                raise MeshkitError(f"{n.name}: the cluster is not running", hint=f"meshkit lab up {n.name}")
        _each(nodes, lambda n: _load(n, archives, observe))
    return tuple(dict.fromkeys(name for one in archives for name in one.images.values()))


def status() -> tuple[ClusterStatus, ...]:
    """Every cluster of the lab."""
    preflight.require_root()
    nodes = register.known()
    with ThreadPoolExecutor(max(len(nodes), 1)) as pool:
        ready = list(pool.map(node.is_running, nodes))
    return tuple(
        ClusterStatus(n.name, n.address, ok, len(processes(n.name)), n.folder / "log")
        for n, ok in zip(nodes, ready, strict=True)
    )


def pair(a: str, b: str) -> tuple[Node, Node]:
    """Two different clusters of the lab by name, or UsageError."""
    preflight.require_root()
    if a == b:
        raise UsageError(f"a link joins two clusters, {a!r} is one", hint="meshkit lab link aks eks")
    return register.find(a), register.find(b)


def build_tools(observe: Observer = ignore) -> None:
    """Build what ``up`` would build, and start nothing."""
    missing = toolchain.missing()
    preflight.check(needs_tools=bool(missing))
    if not missing:
        observe(Note("tools are built already"))
    toolchain.build_all(observe)
    images.build_all(observe)


def _joinable(nodes: Sequence[Node]) -> list[Node]:
    """Those that the WAN can join; an ``up`` that was killed leaves clusters that have no network yet."""
    return [n for n in nodes if network.exists(n)]


def _all_run(names: Sequence[str]) -> bool:
    known = {n.name: n for n in register.known()}
    return all(name in known and node.is_running(known[name]) for name in names)


def _up(n: Node, archives: Sequence[Path], observe: Observer) -> None:
    begin = time.monotonic()
    observe(Started(node.TASK, n.name, UP_EXPECTED_S))
    changed = node.up(n, archives, observe)
    text = f"ready at {n.address}" if changed else "was already running"
    observe(Finished(node.TASK, time.monotonic() - begin, n.name, changed=changed, text=text))


def _down(n: Node, observe: Observer) -> None:
    begin = time.monotonic()
    observe(Started("lab down", n.name, DOWN_EXPECTED_S))
    for path in {*kubeconfig.files(), *_noted(n)}:
        kubeconfig.remove(path, n.name)
    node.down(n)
    observe(Finished("lab down", time.monotonic() - begin, n.name, text="nothing left"))


def _load(n: Node, archives: Sequence[archive.Archive], observe: Observer) -> None:
    begin = time.monotonic()
    observe(Started("lab load", n.name, LOAD_EXPECTED_S * len(archives)))
    for one in archives:
        observe(Progress("lab load", f"importing {', '.join(one.images.values())}", n.name))
        node.load(n, one)
    count = sum(len(one.images) for one in archives)
    text = "1 image" if count == 1 else f"{count} images"
    observe(Finished("lab load", time.monotonic() - begin, n.name, text=text))


def _merge_context(n: Node) -> None:
    """Merge, and note the file before: ``down`` may run with another KUBECONFIG than ``up``."""
    path = kubeconfig.default_file()
    _notes(n).write_text("".join(f"{file}\n" for file in {*_noted(n), path.absolute()}))
    kubeconfig.merge(path, pki.kubeconfig(n, pki.ADMIN))


def _noted(n: Node) -> frozenset[Path]:
    try:
        return frozenset(Path(line) for line in _notes(n).read_text().splitlines())
    except FileNotFoundError:
        return frozenset()


def _notes(n: Node) -> Path:
    return n.folder / "kubeconfig-files"


def _each(nodes: Sequence[Node], work: Callable[[Node], None]) -> None:
    """The same for all nodes at once; every failure is reported, and none hides another."""
    errors: list[MeshkitError] = []
    with ThreadPoolExecutor(max(len(nodes), 1)) as pool:
        try:
            for future in [pool.submit(work, n) for n in nodes]:
                try:
                    future.result()
                except MeshkitError as error:
                    errors.append(error)
        except KeyboardInterrupt:
            waiting.interrupt()
            raise
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise CombinedError(f"{len(errors)} lab clusters failed", tuple(errors))


@contextmanager
def _locked(observe: Observer) -> Iterator[None]:
    """One ``up`` or ``down`` at a time; the lock ends with its process."""
    with LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            observe(Note("another lab command is at work; waiting for it"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_empty_folders() -> None:
    for folder in (lab_folder(), Path("/run/meshkit-lab")):
        if folder.exists() and not any(folder.iterdir()):
            folder.rmdir()
