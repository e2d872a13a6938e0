"""One gateway pod's packets, as the program there sends them, until it is told to stop or is lost."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from meshkit.backends.base import Execution, Kube
from meshkit.capture import bundle
from meshkit.capture.packet import Packet
from meshkit.capture.pod import wire
from meshkit.capture.pod.wire import Record, UnknownRecordError
from meshkit.capture.result import NOTHING_LOST, Losses
from meshkit.errors import MeshkitError

HEARTBEAT_S = 5.0
LAST_WORDS_S = 10.0
"""How long the program may take to send what is left, once it is told to stop."""

Take = Callable[[Packet, str], None]


@dataclass
class Tap:
    """``running`` is set once packets are being captured, ``stop`` ends it; ``losses`` are the latest counts."""

    kube: Kube
    pod: str
    namespace: str
    container: str
    stop: threading.Event
    running: threading.Event = field(default_factory=threading.Event)
    losses: Losses = NOTHING_LOST

    def run(self, ports: frozenset[int], longest_s: float, take: Take, lock: threading.Lock) -> None:
        """Capture; MeshkitError when the pod, or the way to it, is lost. Packets are taken under the lock."""
        with self.kube.exec(self.pod, self.namespace, self.container, bundle.COMMAND) as execution:
            execution.send(bundle.request(ports, longest_s))
            reader, ended = wire.Reader(), False
            for chunk in self._attended(execution, time.monotonic() + longest_s):
                with lock:
                    ended = self._take(reader, chunk, take) or ended
        if not ended and not self.stop.is_set():
            raise MeshkitError(
                f"{self.kube.context}: the capture in pod {self.pod} has ended by itself", hint="try again"
            )

    def _attended(self, execution: Execution, until: float) -> Iterator[bytes]:
        """What comes, while the program is kept going or told to stop."""
        beat, leave = time.monotonic(), 0.0
        for chunk in execution.chunks(until):
            yield chunk
            now = time.monotonic()
            if leave and now > leave:
                return
            if self.stop.is_set() and not leave:
                execution.send(wire.STOP)
                leave = now + LAST_WORDS_S
            elif not leave and now - beat > HEARTBEAT_S:
                execution.send(wire.HEARTBEAT)
                beat = now

    def _take(self, reader: wire.Reader, chunk: bytes, take: Take) -> bool:
        """The records of a chunk; True with the last one."""
        try:
            for record in reader.feed(chunk):
                if record.kind == wire.PACKET:
                    outgoing = record.direction == wire.OUTGOING
                    take(Packet(record.time_ns, outgoing, record.length, record.data), self.pod)
                elif self._heard(record):
                    return True
        except UnknownRecordError as error:
            raise MeshkitError(
                f"{self.kube.context}: what pod {self.pod} sends is not to be understood",
                hint="is the image a Python one?",
                detail=repr(error.args[0]),
            ) from error
        return False

    def _heard(self, record: Record) -> bool:
        content = wire.content(record)
        if record.kind == wire.ERROR:
            raise self._refused(content)
        if record.kind == wire.COUNTS:
            self.running.set()
            self.losses = Losses(int(content.get("kernel_drops", 0)), int(content.get("buffer_drops", 0)))
        return record.kind == wire.END

    def _refused(self, content: dict[str, object]) -> MeshkitError:
        allowed = content.get("errno") not in (errno.EPERM, errno.EACCES)
        return MeshkitError(
            f"{self.kube.context}: pod {self.pod} can't capture: {content.get('error')}",
            hint="has its node packet sockets? capture there with tcpdump, and look at it with --read"
            if allowed
            else "its container has no NET_RAW: what changes containers in this cluster has taken it away",
        )
