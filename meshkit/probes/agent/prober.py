"""The prober: a process that runs the engine and nothing else, so that nothing the keeper does delays a probe.

It is started with one end of a socket pair as its standard input, gets its schedule there as differences in small
pieces (reading 10,000 probes at once would make others late), and sends samples back. When the keeper ends, however
it does, the socket ends, and so does this.
"""

from __future__ import annotations

import gc
import json
import signal
import socket
from pathlib import Path
from time import monotonic
from typing import Any

from meshkit.probes.agent.link import Inbox, Outbox
from meshkit.probes.engine import Engine
from meshkit.probes.io import Io
from meshkit.probes.probe import Probe, from_wire
from meshkit.probes.sample import Sample

BATCH = 64
BATCH_S = 0.2
"""Samples travel in batches, the last of them after this long."""

KEPT_FACTS = ("not_before", "not_after", "answers")
"""What a summary is made of; other facts are for one-off runs."""


def main(identity: Path | None) -> int:
    """Probe until the keeper has gone."""
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the keeper, which then closes the socket
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=0) as connection:
        connection.settimeout(0.0)
        io = Io(identity)
        try:
            Prober(io, connection).run()
        finally:
            io.close()
    return 0


class Prober:
    """The engine between two directions of one socket."""

    def __init__(self, io: Io, connection: socket.socket) -> None:
        self._io = io
        self._inbox, self._outbox = Inbox(connection), Outbox(connection)
        self._engine = Engine(io, self._sample, skip=self._skipped)
        self._samples: list[tuple[Any, ...]] = []
        self._skips: dict[str, int] = {}
        self._since = 0.0
        self._dropped = 0
        io.loop.listen(connection.fileno(), self._hear)
        self._connection = connection

    def run(self) -> None:
        """Until the other side has gone."""
        self._send()
        while not self._stopped():
            self._engine.run(stop=self._stopped)
            if not self._inbox.ended:
                self._io.loop.turn(monotonic() + BATCH_S)  # an empty schedule
        self._send()

    def _hear(self) -> None:
        """Take pieces of a schedule's difference: ids to stop, JSON texts of probes to start, whether it is all."""
        for stopped, started, last in self._inbox.read():
            self._engine.remove(stopped)
            self._engine.add([from_wire(json.loads(text)) for text in started])
            if last:
                gc.freeze()  # a schedule lives long: later collections need not look at it

    def _sample(self, _probe: Probe, sample: Sample) -> None:
        facts = {name: sample.facts[name] for name in KEPT_FACTS if name in sample.facts} if sample.facts else {}
        self._samples.append((*sample[:-1], facts))
        if len(self._samples) >= BATCH:
            self._send()

    def _skipped(self, probe: Probe, starts: int) -> None:
        self._skips[probe.id] = self._skips.get(probe.id, 0) + starts

    def _stopped(self) -> bool:
        """Asked each turn: sends what has waited long enough."""
        if monotonic() - self._since > BATCH_S and not self._inbox.ended:
            self._send()
        return self._inbox.ended

    def _send(self) -> None:
        """Send a batch, also an empty one: it says that the engine is alive."""
        self._since = monotonic()
        tally = self._engine.tally
        samples, self._samples = self._samples, []
        try:
            if self._outbox.put((samples, self._skips, self._dropped, tally.started, tally.skipped, tally.latest_s)):
                self._skips = {}
            else:
                self._dropped += len(samples)
        except OSError:
            self._inbox.ended = True
