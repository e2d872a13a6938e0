"""``serve``: keeps what the prober sees, stores it, judges it with the peers, and tells whoever asks.

main thread   samples -> windows, metrics; full windows -> store; the prober's life
chores        schedule, store, identity, views, export: a thread each
server        a thread for each request
"""

from __future__ import annotations

import select
import signal
import threading
from pathlib import Path
from time import monotonic, time
from typing import Any

from meshkit.errors import MeshkitError
from meshkit.probes.agent import config, leaf, otlp
from meshkit.probes.agent.child import Child
from meshkit.probes.agent.chores import Chore, yield_to_others
from meshkit.probes.agent.kubernetes import Kubernetes
from meshkit.probes.agent.log import Log
from meshkit.probes.agent.metrics import Metrics
from meshkit.probes.agent.pages import Pages
from meshkit.probes.agent.schedule import Schedule
from meshkit.probes.agent.server import Server, bound
from meshkit.probes.agent.source import ScheduleSource
from meshkit.probes.agent.store import Store
from meshkit.probes.agent.views import Views
from meshkit.probes.agent.windows import Windows
from meshkit.probes.probe import Series
from meshkit.probes.sample import Sample

TURN_S = 0.1
RETRY_S = 60.0
LAST_WORDS_S, LAST_FLUSH_S = 1.0, 3.0
"""Both together, and a little more, before SIGKILL comes."""


class Keeper:
    """One agent. ``run`` is its main thread."""

    def __init__(self, given: config.Config, log: Log) -> None:
        self.config, self.log = given, log
        data = Path(given.data)
        api = Kubernetes(given.kubernetes)
        self.store = Store(given.kubernetes, api, data, log)
        self.source = ScheduleSource(api, given.kubernetes.schedule, data)
        self.metrics = Metrics(given.source, given.series)
        self.views = Views(given.source, given.peers)
        self.child = Child(given.identity.directory if given.identity else "", log)
        self.schedule = Schedule()
        self.windows = Windows(self.schedule.window_s)
        self.leaf: leaf.Leaf | None = None
        self.unseen: dict[str, str] = {}
        self.dropped = 0
        self._dropped_before = 0
        self._new: Schedule | None = self.source.kept()
        self._stopping = threading.Event()
        self.chores = dict(self._chores())
        self.heard_at = 0.0

    def _chores(self) -> list[tuple[str, Chore]]:
        given = self.config
        found = [
            ("schedule", Chore("schedule", self._read_schedule, given.kubernetes.schedule_s, self.log)),
            ("flush", Chore("flush", self._flush, min(RETRY_S, given.kubernetes.flush_s), self.log)),
        ]
        if given.identity:
            found.append(("identity", Chore("identity", self._renew, RETRY_S, self.log)))
        if given.peers:
            found.append(("views", Chore("views", self._look_at_peers, given.peers_s, self.log)))
        if given.otlp.endpoint:
            found.append(("otlp", Chore("otlp", self._export, given.otlp.interval_s, self.log)))
        return found

    def run(self) -> None:
        """Until ``stop``."""
        for chore in self.chores.values():
            chore.start()
        while not self._stopping.is_set():
            self._turn()
        self._end()

    def stop(self) -> None:
        """End soon; may be called by a signal's handler."""
        self._stopping.set()

    def _turn(self) -> None:
        """Wait a moment for the prober, and do what is due."""
        new, self._new = self._new, None
        if new is not None:
            self._adopt(new)
        self.child.tend()
        descriptor = self.child.fileno()
        poll = select.poll()
        if descriptor >= 0:
            poll.register(descriptor, select.POLLIN)
        if poll.poll(TURN_S * 1000):
            for message in self.child.hear():
                self._take(message)
        if not self.child.alive:
            self._dropped_before = self.dropped
        if self.windows.full:
            self._close_window()

    def _adopt(self, new: Schedule) -> None:
        """Probe by another schedule; what is the same in both goes on undisturbed."""
        self.log.event("schedule", digest=new.digest, probes=len(new.texts), rejected=len(new.rejected))
        for name, why in list(new.rejected.items())[:10]:
            self.log.event("probe_rejected", probe=name, error=why)
        if new.window_s != self.windows.width_s:
            self._close_window()
        with self.metrics.lock:
            self.windows.resize(new.window_s)
            self.windows.forget(new.series.values())
        self.schedule = new
        self.metrics.keep(new.series.values(), new.closed)
        self.child.schedule(new.texts)

    def _take(self, message: Any) -> None:
        """A batch from the prober; answers to what is no longer asked are not counted."""
        samples, skips, dropped, *_ = message
        self.heard_at = monotonic()
        self.dropped = self._dropped_before + dropped
        with self.metrics.lock:
            for fields in samples:
                sample = Sample(*fields)
                series = self.schedule.series.get(sample.probe)
                if series is not None:
                    self.windows.add(series, sample)
                    self.metrics.add(series, sample)
            for name, starts in skips.items():
                series = self.schedule.series.get(name)
                if series is not None:
                    self.windows.skipped(series, starts)
                    self.metrics.skipped(series, starts)

    def _close_window(self) -> None:
        with self.metrics.lock:
            summaries = self.windows.close()
        self.store.keep(summaries)

    def _end(self) -> None:
        """Hear the prober out, store what there is, within the time that Kubernetes gives."""
        for chore in self.chores.values():
            chore.stop()
        for message in self.child.stop(LAST_WORDS_S):
            self._take(message)
        self._close_window()
        last = threading.Thread(target=self._last_flush, daemon=True)
        last.start()
        last.join(LAST_FLUSH_S)
        self.store.close()

    def _last_flush(self) -> None:
        try:
            self.store.flush()
        except MeshkitError as error:
            self.log.event("flush_failed", error=error.message)

    def _read_schedule(self) -> float:
        found = self.source.read()
        if found is not None and found.digest != self.schedule.digest:
            self._new = found
        return self.config.kubernetes.schedule_s

    def _flush(self) -> float:
        self.store.flush()
        return self.config.kubernetes.flush_s

    def _renew(self) -> float:
        """Fetch the certificate; it is fetched again at half its life, and then until another one comes."""
        if self.config.identity is None:
            return RETRY_S
        self.leaf = found = leaf.fetch(self.config.identity)
        who = Series(self.config.source, self.config.source, self.config.identity.service, "identity")
        self.metrics.certify(who, (found.not_before, found.not_after))
        return max(RETRY_S, found.renew_at - time()) if found.renew_at > time() else RETRY_S

    def _look_at_peers(self) -> float:
        self.unseen = self.views.fetch()
        for name, why in self.unseen.items():
            self.log.event("peer_not_seen", peer=name, error=why)
        return self.config.peers_s

    def _export(self) -> float:
        resource = (
            ("service.name", "meshkit-probe-agent"),
            ("service.instance.id", self.config.source),
            ("service.namespace", self.config.federation),
        )
        otlp.export(self.config.otlp.endpoint, Pages(self).families(), self.metrics.started_at, resource)
        return self.config.otlp.interval_s


def _serve(server: Server) -> None:
    yield_to_others()
    server.serve_forever()


def serve(given: config.Config) -> int:
    """Run an agent until SIGTERM or SIGINT."""
    log = Log()
    keeper = Keeper(given, log)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: keeper.stop())
    server: Server = bound(given.address, given.listen, Pages(keeper).by_path())
    threading.Thread(target=_serve, args=[server], name="server", daemon=True).start()
    log.event("serving", port=server.server_address[1], source=given.source)
    try:
        keeper.run()
    finally:
        server.shutdown()
        server.server_close()
    log.event("ended")
    return 0
