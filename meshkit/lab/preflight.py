"""Whether this machine can run the lab, all that is missing said at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from meshkit.errors import CombinedError, MeshkitError
from meshkit.lab.topology import cache_folder, lab_folder

GIB = 1024**3
MEMORY_GIB = 3
DISK_GIB, DISK_WITH_BUILD_GIB = 4, 15
"""A running pair needs 2 GiB of disk; building the tools needs Go's module and build caches besides."""

COMMANDS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "ip": "iproute2",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "nsenter": "util-linux",
    "umount": "mount",
    "sysctl": "procps",
    "busybox": "busybox-static",
    "curl": "curl",
}
CNI = Path("/usr/lib/cni/bridge")
INSTEAD = "use clusters that you have, or: kind create cluster twice, then meshkit federate kind-aks kind-eks"


def check(*, needs_tools: bool) -> None:
    """Return when the lab can run, else raise with every reason."""
    problems = tuple(MeshkitError(text) for text in _problems(needs_tools=needs_tools))
    if problems:
        raise CombinedError("the lab can't run on this machine", problems, hint=INSTEAD)


def require_root() -> None:
    """MeshkitError unless this is root: the lab's state and sockets are root's."""
    if os.geteuid() != 0:
        raise MeshkitError("the lab needs root", hint="sudo meshkit lab ...")


def _problems(*, needs_tools: bool) -> Iterator[str]:
    if sys.platform != "linux":
        yield f"it needs Linux, this is {sys.platform}"
        return
    if os.geteuid() != 0:
        yield "it needs root, to make network namespaces and mounts"
        return
    packages = {package for command, package in COMMANDS.items() if not shutil.which(command)}
    if not CNI.exists():
        packages.add("containernetworking-plugins")
    if packages:
        yield f"packages are missing: apt-get install {' '.join(sorted(packages))}"
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        yield "network namespaces are not allowed here"
    if not Path("/dev/net/tun").exists():
        yield "there is no /dev/net/tun for the emulated WAN"
    yield from _room(needs_tools=needs_tools)


def _room(*, needs_tools: bool) -> Iterator[str]:
    available = _available_memory()
    if available < MEMORY_GIB * GIB:
        yield f"it needs {MEMORY_GIB} GiB of free memory, there are {available / GIB:.1f}"
    need = DISK_WITH_BUILD_GIB if needs_tools else DISK_GIB
    for folder in {_existing(cache_folder()), _existing(lab_folder())}:
        free = shutil.disk_usage(folder).free
        if free < need * GIB:
            yield f"it needs {need} GiB of free disk at {folder}, there are {free / GIB:.1f}"


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
