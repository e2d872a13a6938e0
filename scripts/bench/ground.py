"""The ground: processes that end with the benchmark, C programs compiled for it, and what a process has used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

PARTS = Path(__file__).parent
PROBER_CORE, OTHER_CORE = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")


class Ground:
    """A temporary folder and the processes started in it; ``stack`` undoes everything, in reverse."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack

    def compile(self, name: str) -> Path:
        """The binary of one of the C programs beside this file."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise SystemExit("bench-probes: a C compiler is needed for the responder (apt install gcc libc6-dev)")
        target = self.folder / name
        if not target.exists():
            run(compiler, "-O2", "-w", "-o", target, PARTS / f"{name}.c")
        return target

    def start(
        self, *argv: object, core: int = OTHER_CORE, namespace: str = "", **options: Any
    ) -> subprocess.Popen[str]:
        """Start a program on a core, in a network namespace, its log in the folder; it ends with the benchmark."""
        prefix = ["taskset", "-c", str(core % (os.cpu_count() or 1))]
        if namespace:
            prefix += ["nsenter", f"--net=/run/netns/{namespace}"]
        log = self.stack.enter_context((self.folder / f"{Path(str(argv[0])).name}.log").open("a"))
        process = subprocess.Popen(
            [*prefix, *map(str, argv)], **({"stdout": log, "stderr": log, "text": True} | options)
        )
        self.stack.callback(end, process)
        return process


def end(process: subprocess.Popen[str]) -> None:
    """End a process, whatever it does; fine when it has ended."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def cpu_s(pid: int) -> float:
    """User and system seconds that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def run(*argv: object) -> str:
    """A program's output; its own words when it fails."""
    words = [str(word) for word in argv]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench-probes: $ {' '.join(words)}\n{done.stderr}")
    return done.stdout


def say(text: str) -> None:
    """One line of narration."""
    print(f"bench-probes: {text}", file=sys.stderr, flush=True)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of them is not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
