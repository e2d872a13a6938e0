"""Running other programs: short ones to their end, long ones detached with a log, and finding them again.

Everything the lab starts carries ``MESHKIT_LAB_CLUSTER`` in its environment, set before it runs. A process is found
by that, or by its control group, and never by a pid file alone: a run killed between starting a process and noting
it down must leave nothing that ``lab down`` can't find.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from meshkit.errors import DeadlineError, MeshkitError
from meshkit.lab.waiting import wait_until

MARK = "MESHKIT_LAB_CLUSTER"
KILL_TIMEOUT_S = 20


def run(*argv: str | Path, check: bool = True, text: str | None = None) -> str:
    """Run a program to its end and return what it printed; MeshkitError shows the command and its last words."""
    words = [str(word) for word in argv]
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if check and done.returncode:
        output = (done.stderr or done.stdout).strip()[-1500:]
        raise MeshkitError(
            f"{Path(words[0]).name} failed with exit code {done.returncode}", detail=f"$ {' '.join(words)}\n{output}"
        )
    return done.stdout


def spawn(cluster: str, log: Path, argv: Sequence[str | Path], *, namespace: str = "") -> int:
    """Start a program for good, in a network namespace when one is named; its output goes to ``log``.

    nsenter and not ``ip netns exec``: that one makes a mount namespace of its own, in which volumes that the kubelet
    mounts would be invisible to containerd.
    """
    prefix = ["nsenter", f"--net=/run/netns/{namespace}", "--"] if namespace else []
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*prefix, *(str(word) for word in argv)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | {MARK: cluster},
            start_new_session=True,
            cwd="/",
        )
    return process.pid


def is_alive(pid: int) -> bool:
    """Whether a process that this one started still runs."""
    try:
        return _state(Path("/proc") / str(pid)) != "Z"
    except OSError:
        return False


def processes(cluster: str) -> tuple[int, ...]:
    """All processes of a cluster: those started by ``spawn``, their children, and everything in its pods."""
    return tuple(_matching(lambda pid: _belongs(pid, cluster)))


def kill_all(cluster: str) -> None:
    """End every process of a cluster, and return when none is left."""

    def none_left() -> bool:
        left = processes(cluster)
        for pid in left:
            _kill(pid)
        return not left

    try:
        wait_until(none_left, KILL_TIMEOUT_S, "processes to end")
    except DeadlineError as error:
        left = ", ".join(str(pid) for pid in processes(cluster))
        raise DeadlineError(
            f"{cluster}: processes do not end: {left}", hint="see what they wait for in ps -l"
        ) from error


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, os.WNOHANG)
    except (ProcessLookupError, ChildProcessError):
        return


def _matching(test: Callable[[int], bool]) -> Iterator[int]:
    own = os.getpid()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != own and test(int(entry.name)):
            yield int(entry.name)


def _belongs(pid: int, cluster: str) -> bool:
    """By environment or control group; a zombie waits only for its parent and counts as gone."""
    folder = Path("/proc") / str(pid)
    try:
        if _state(folder) == "Z":
            return False
        if f"{MARK}={cluster}".encode() in (folder / "environ").read_bytes().split(b"\0"):
            return True
        groups = (folder / "cgroup").read_text()
    except (OSError, ValueError):
        return False
    return any(line.split(":", 2)[2].startswith(f"/meshkit-{cluster}/") for line in groups.splitlines())


def _state(folder: Path) -> str:
    return (folder / "stat").read_text().rpartition(")")[2].split()[0]
