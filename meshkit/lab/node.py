"""One node: the processes of a real Kubernetes cluster, in the order in which they can start.

The flags that are not Kubernetes' defaults each have a reason: this machine may lack swap control, cgroup v2 or
CAP_SYS_RESOURCE, and several nodes share one kernel.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from meshkit.errors import DeadlineError, MeshkitError
from meshkit.events import Observer, Progress
from meshkit.lab import addons, api, cgroups, configs, images, limits, mounts, network, pki
from meshkit.lab.archive import Archive
from meshkit.lab.command import is_alive, kill_all, processes, run, spawn
from meshkit.lab.toolchain import tool
from meshkit.lab.topology import Node
from meshkit.lab.waiting import wait_until

READY_TIMEOUT_S = 120
CONTAINERD_TIMEOUT_S = 30
LAST_LINES = 10
TASK = "lab up"
CLOUD = "meshkit.lab.cloud"


def up(node: Node, archives: Sequence[Path], observe: Observer) -> bool:
    """Bring a node up to the point where CoreDNS answers; False when it was there already.

    A half-started node is cleared and started anew.
    """
    if is_running(node):
        return False
    clear_processes(node)
    if not node.folder.exists():
        shutil.rmtree(configs.runtime_folder(node), ignore_errors=True)
    limits.ensure()
    network.up(node)
    pki.ensure(node)
    cgroups.make(node)
    observe(Progress(TASK, "control plane starting", node.name))
    with ThreadPoolExecutor(2) as pool:
        containers = pool.submit(_start_containerd, node, archives)
        control = pool.submit(_start_control_plane, node)
        control.result()
        observe(Progress(TASK, "API server ready; loading images", node.name))
        containers.result()
    started = _start_node(node)
    observe(Progress(TASK, "waiting for CoreDNS", node.name))
    _wait(node, lambda: addons.dns_ready(node), "CoreDNS", started)
    return True


def load(node: Node, archive: Archive) -> None:
    """Import an archive's images into a running node, under the names by which its kubelet asks for them."""
    ctr = _ctr(node)
    run(*ctr, "images", "import", archive.path)
    for name, full in archive.images.items():
        if name != full:
            run(*ctr, "images", "tag", "--force", name, full)
    present = set(run(*ctr, "images", "list", "-q").split())
    missing = [full for full in archive.images.values() if full not in present]
    if missing:
        raise MeshkitError(
            f"{node.name}: containerd did not take {', '.join(missing)} from {archive.path}",
            hint="it takes images for this machine's architecture only",
        )


def clear_processes(node: Node) -> None:
    """End every process and undo every mount of a node; its data stays."""
    kill_all(node.name)
    mounts.undo(node.folder)
    mounts.undo(configs.runtime_folder(node))


def down(node: Node) -> None:
    """Remove a node without a trace.

    The folder changes its name first: a run killed while deleting must not leave half a set of keys behind for the
    next ``up`` to trust.
    """
    clear_processes(node)
    network.down(node)
    cgroups.remove(node)
    gone = node.folder.with_name(f"{node.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)
    if node.folder.exists():
        node.folder.rename(gone)
        shutil.rmtree(gone)
    shutil.rmtree(configs.runtime_folder(node), ignore_errors=True)


def is_running(node: Node) -> bool:
    """Whether the API server answers and every component is there."""
    if not network.exists(node) or not (node.folder / "pki").exists():
        return False
    names = {_program(pid) for pid in processes(node.name)}
    return {*configs.COMPONENTS, "containerd", CLOUD} <= names and api.ready(node) and addons.dns_ready(node)


def _start_control_plane(node: Node) -> None:
    started = {name: _spawn(node, name) for name in ("etcd", "kube-apiserver")}
    _wait(node, lambda: api.ready(node), "the API server", started)
    for name in ("kube-controller-manager", "kube-scheduler"):
        _spawn(node, name)
    addons.apply(node)


def _start_containerd(node: Node, archives: Sequence[Path]) -> None:
    configs.write_containerd(node)
    command: list[str | Path] = ["containerd", "-c", configs.containerd_config(node)]
    started = {"containerd": spawn(node.name, _log(node, "containerd"), command, namespace=node.namespace)}
    ctr = _ctr(node)
    # The client's version is printed in any case; the server's only by one that answers.
    _wait(node, lambda: "Server:" in run(*ctr, "version", check=False), "containerd", started, CONTAINERD_TIMEOUT_S)
    present = set(run(*ctr, "images", "list", "-q").split())
    wanted = [image.name for image in images.catalogue()]
    for name, archive in zip(wanted, archives, strict=True):
        if name not in present:
            run(*ctr, "images", "import", archive)


def _ctr(node: Node) -> tuple[str | Path, ...]:
    """The command line of containerd's own client, in the namespace where the kubelet's images are."""
    return ("ctr", "--address", configs.containerd_socket(node), "-n", "k8s.io")


def _start_node(node: Node) -> dict[str, int]:
    configs.write_kubelet(node)
    started = {name: _spawn(node, name) for name in ("kube-proxy", "kubelet")}
    command = [sys.executable, "-m", CLOUD, node.name, str(node.index)]
    spawn(node.name, _log(node, "cloud"), command)
    return started


def _spawn(node: Node, name: str) -> int:
    argv: list[str | Path] = [tool(name), *configs.flags(node, name)]
    return spawn(node.name, _log(node, name), argv, namespace=node.namespace)


def _log(node: Node, name: str) -> Path:
    return node.folder / "log" / f"{name}.log"


def _wait(
    node: Node,
    condition: Callable[[], bool],
    what: str,
    started: Mapping[str, int],
    timeout_s: float = READY_TIMEOUT_S,
) -> None:
    """Wait for a condition that started components bring about; one that ended is reported at once, with its log."""

    def holds() -> bool:
        for name, pid in started.items():
            if not is_alive(pid):
                detail = _last_lines(_log(node, name))
                raise MeshkitError(f"{node.name}: {name} ended", hint=f"see {_log(node, name)}", detail=detail)
        return condition()

    try:
        wait_until(holds, timeout_s, what)
    except DeadlineError as error:
        path = _log(node, list(started)[-1])
        raise DeadlineError(
            f"{node.name}: {what} is not ready after {timeout_s} s",
            hint=f"see the logs in {path.parent}",
            detail=f"last lines of {path}:\n{_last_lines(path)}",
        ) from error


def _last_lines(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-LAST_LINES:]) if path.exists() else ""


def _program(pid: int) -> str:
    """What a process runs: its binary's name, or for Python the module."""
    folder = Path("/proc") / str(pid)
    try:
        words = (folder / "cmdline").read_bytes().split(b"\0")
        return CLOUD if CLOUD.encode() in words else (folder / "exe").resolve().name
    except OSError:
        return ""
