"""A capture at all gateways of a datacenter at the same time, until its time is over, enough has come, or Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from meshkit.capture.packet import Packet
from meshkit.capture.result import Losses, Result
from meshkit.capture.session import Session
from meshkit.errors import MeshkitError
from meshkit.events import Finished, Started
from meshkit.federation.capture import container
from meshkit.federation.capture.place import Place
from meshkit.federation.capture.tap import Tap
from meshkit.federation.context import Context

LOOK_S = 0.5
GRACE_S = 60.0
"""Beyond the wanted time: starting the programs, and their last words."""

LONGEST_S = 86_400.0
Show = Callable[[Result, float], None]


@dataclass
class Capture:
    """One run. ``failures`` are of pods whose packets could not be had to the end; what came before them counts."""

    context: Context
    place: Place
    session: Session
    failures: list[MeshkitError] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _taps: list[Tap] = field(default_factory=list)

    def run(self, for_s: float | None, show: Show) -> Result:
        """Capture for a time, or until the session is full or interrupted; ``show`` is called about twice a second."""
        self._taps = self._made()
        longest_s = LONGEST_S if for_s is None else for_s + GRACE_S
        with ThreadPoolExecutor(len(self._taps)) as pool:
            running = [pool.submit(self._tap, tap, longest_s) for tap in self._taps]
            try:
                self._attend(running, for_s, show)
            except KeyboardInterrupt:
                pass  # the way to end a capture: what came so far is its result
            finally:
                self._stop.set()
        return self.result()

    def result(self) -> Result:
        """What it has come to by now."""
        with self._lock:
            losses = Losses(sum(tap.losses.kernel for tap in self._taps), sum(tap.losses.buffer for tap in self._taps))
            return self.session.result(losses, [error.message for error in self.failures], self.place.names)

    def _made(self) -> list[Tap]:
        """A container in each pod, at the same time; taps on those where it runs."""
        dc, began = self.place.datacenter, time.monotonic()
        self.context.observe(Started(container.TASK, dc.name))
        with ThreadPoolExecutor(len(self.place.pods)) as pool:
            names = list(pool.map(lambda pod: container.ensure(self.context, self.place, pod), self.place.pods))
        text = f"{len(names)} gateway pod{'s' if len(names) > 1 else ''}, ports {self._ports}"
        self.context.observe(Finished(container.TASK, time.monotonic() - began, dc.name, text=text))
        kube = self.context.kube[dc.name]
        return [
            Tap(kube, pod, dc.namespace, name, self._stop) for pod, name in zip(self.place.pods, names, strict=True)
        ]

    @property
    def _ports(self) -> str:
        return ", ".join(str(port) for port in sorted(self.place.ports))

    def _tap(self, tap: Tap, longest_s: float) -> None:
        try:
            tap.run(self.place.ports, longest_s, self._take, self._lock)
        except MeshkitError as error:
            if not self._stop.is_set():
                self.failures.append(error)

    def _take(self, packet: Packet, pod: str) -> None:
        """One packet, under the lock; once the file can't be written no pod's packets can be kept."""
        try:
            self.session.take(packet, pod)
        except MeshkitError as error:
            self.failures.append(error)
            self._stop.set()
            raise
        if self.session.full:
            self._stop.set()

    def _flush(self) -> None:
        try:
            with self._lock:
                self.session.flush()
        except MeshkitError as error:
            self.failures.append(error)
            self._stop.set()

    def _attend(self, running: list[Future[None]], for_s: float | None, show: Show) -> None:
        """Until there is a reason to end. The time begins once all programs that could be started capture."""
        began = None
        while not self._stop.is_set() and wait(running, LOOK_S).not_done:
            now = time.monotonic()
            started = all(tap.running.is_set() or one.done() for tap, one in zip(self._taps, running, strict=True))
            if began is None and started:
                began = now
            lasted = 0.0 if began is None else now - began
            show(self.result(), lasted)
            self._flush()
            if for_s is not None and lasted >= for_s:
                return
