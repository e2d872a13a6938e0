"""Ephemeral containers, and the capture program in them: it sends what a test gives, and obeys as the real one does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from meshkit.backends.base import Manifest
from meshkit.capture import bundle
from meshkit.capture.packet import Packet
from meshkit.capture.pod import wire
from meshkit.errors import ForbiddenError, MeshkitError

MOMENT_S, LONGEST_S = 0.01, 60.0
"""Between two empty chunks, and until a program that nobody stops ends, so that no test hangs."""

Fetch = Callable[[], Iterator[bytes]]


def packet(one: Packet) -> bytes:
    """A packet as the program sends it."""
    direction = wire.OUTGOING if one.outgoing else wire.INCOMING
    return wire.HEAD.pack(wire.PACKET, direction, len(one.data), one.size, one.time_ns) + one.data


def counts(kernel: int = 0, buffer: int = 0) -> bytes:
    """The program's own count of what it has lost."""
    return wire.message(wire.COUNTS, {"kernel_drops": kernel, "buffer_drops": buffer})


@dataclass
class Captures:
    """What happens in the gateways' pods of one cluster.

    ``packets`` are sent by pod, or in ``raw`` anything else in their place; a MeshkitError among them is the loss of
    the connection. ``pod_security`` refuses containers with NET_RAW, ``waiting`` is a reason why none ever starts.
    """

    packets: dict[str, Sequence[Packet]] = field(default_factory=dict)
    raw: dict[str, Sequence[bytes | MeshkitError]] = field(default_factory=dict)
    last: bytes = b""
    pod_security: str = ""
    waiting: str = ""
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def admit(self, context: str, pod: Manifest, body: Manifest) -> Manifest:
        """The pod's status once the API server and the kubelet have taken new containers."""
        before = pod["spec"].get("ephemeralContainers") or []
        after = body["spec"]["ephemeralContainers"]
        if after[: len(before)] != before:
            raise MeshkitError(f"{context}: existing ephemeral containers may not be changed or removed")
        added = after[len(before) :]
        if self.pod_security and any("NET_RAW" in c["securityContext"]["capabilities"]["add"] for c in added):
            name = pod["metadata"]["name"]
            raise ForbiddenError(f'{context}: pods "{name}" is forbidden: violates PodSecurity "{self.pod_security}"')
        state = {"waiting": {"reason": self.waiting}} if self.waiting else {"running": {}}
        known = pod.get("status", {}).get("ephemeralContainerStatuses") or []
        return {"ephemeralContainerStatuses": [*known, *({"name": c["name"], "state": state} for c in added)]}

    @contextmanager
    def run(self, pod: str, command: Sequence[str]) -> Iterator[Any]:
        """The program in a pod."""
        assert tuple(command) == bundle.COMMAND
        yield _Program(self, pod)
        self.left.append(pod)


class _Program:
    def __init__(self, captures: Captures, pod: str) -> None:
        self._captures = captures
        self._pod = pod
        self._told = threading.Event()

    def send(self, data: bytes) -> None:
        if self._pod not in self._captures.requests:
            archive = int(data[:8])
            self._captures.requests[self._pod] = json.loads(data[8 + archive + 8 :])
        elif data == wire.STOP:
            self._told.set()
            self._captures.stopped.append(self._pod)
        else:
            assert data == wire.HEARTBEAT

    def chunks(self, until: float) -> Iterator[bytes]:
        del until
        if self._pod in self._captures.raw:
            for chunk in self._captures.raw[self._pod]:
                if isinstance(chunk, MeshkitError):
                    raise chunk
                yield chunk
        else:
            yield counts()
            yield b"".join(packet(one) for one in self._captures.packets.get(self._pod, ()))
        deadline = monotonic() + LONGEST_S
        while not self._told.wait(MOMENT_S) and monotonic() < deadline:
            yield b""
        yield self._captures.last or counts()
        yield wire.message(wire.END, {})
