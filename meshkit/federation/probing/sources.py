"""How a source is asked to probe: the agent inside a cluster by exec, this machine by the same program in a process.

A request goes to the program's stdin and its answers come line by line from its stdout, in both cases.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from meshkit.consul.names import AGENT_CONTAINER, PROBE_SELECTOR
from meshkit.errors import DeadlineError, UnreachableError
from meshkit.federation.context import Context
from meshkit.model import Datacenter
from meshkit.probes.wanted import LOCAL

COMMAND = ("python3", "/agent/agent.zip", "run")
Lines = Callable[[bytes, float, Callable[[], bool]], Iterator[bytes]]


def inside(context: Context, dc: Datacenter) -> Lines:
    """The agent in a datacenter's cluster."""

    def lines(request: bytes, until: float, stopped: Callable[[], bool]) -> Iterator[bytes]:
        kube = context.kube[dc.name]
        with kube.exec(agent_pod(context, dc), dc.namespace, AGENT_CONTAINER, COMMAND) as execution:
            execution.send(request)
            yield from execution.lines(until, stopped)

    return lines


def agent_pod(context: Context, dc: Datacenter) -> str:
    """The pod whose agent runs."""
    pods = context.kube[dc.name].list("Pod", dc.namespace, selector=PROBE_SELECTOR)
    for pod in pods:
        states = pod.get("status", {}).get("containerStatuses", ())
        if any(state["name"] == AGENT_CONTAINER and state.get("ready") for state in states):
            return str(pod["metadata"]["name"])
    raise UnreachableError(f"{dc.name}: no probe agent runs", hint="meshkit federate puts it back")


def local(request: bytes, until: float, stopped: Callable[[], bool]) -> Iterator[bytes]:
    """The same program on this machine."""
    argv = [sys.executable, "-m", "meshkit.probes.agent", "run"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        watch = threading.Thread(target=_end_in_time, args=(child, until, stopped), daemon=True)
        watch.start()
        if child.stdin and child.stdout:
            with suppress(BrokenPipeError):  # it has ended, and its answers say why
                child.stdin.write(request)
                child.stdin.flush()
            yield from child.stdout
            with suppress(BrokenPipeError):
                child.stdin.close()
    if time.monotonic() > until:
        raise DeadlineError(f"{LOCAL}: the run did not end in time")


def _end_in_time(child: subprocess.Popen[bytes], until: float, stopped: Callable[[], bool]) -> None:
    while child.poll() is None:
        if stopped() or time.monotonic() > until:
            child.terminate()
            return
        try:
            child.wait(0.25)
        except subprocess.TimeoutExpired:
            continue
