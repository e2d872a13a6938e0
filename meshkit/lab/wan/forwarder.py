"""The process that is the WAN: reads packets from every node's device and writes each to its target when it is due.

It is told what to do over a Unix socket, one JSON line per request and answer; a change is in force when the answer
arrives. select() and not epoll: its timeout is exact to the microsecond, epoll's to the millisecond.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from meshkit.errors import MeshkitError
from meshkit.lab.topology import Node
from meshkit.lab.wan import packet as ip
from meshkit.lab.wan.link import Link, LinkChange
from meshkit.lab.wan.schedule import Direction, Schedule
from meshkit.lab.wan.tun import Tun

BATCH = 64
"""Packets read from one device before the others get their turn."""

IDLE_S = 60.0
PRIORITY = -15
Pair = tuple[str, str]


class Forwarder:
    """Devices, links and packets under way."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "links.json"
        self._tuns: dict[str, Tun] = {}
        self._by_address: dict[bytes, str] = {}
        self._directions: dict[Pair, Direction] = {}
        self._schedule = Schedule()

    def answer(self, request: dict[str, Any]) -> object:
        """Carry out one request of ``meshkit.lab.wan.control``."""
        if "nodes" in request:
            default = Link(**request["default"])
            self._retarget([Node(name, index) for name, index in request["nodes"]], default)
        if "change" in request:
            self._change(tuple(request["pair"]), LinkChange(**request["change"]))
        if "statistics" in request:
            return [[*pair, asdict(d.counters)] for pair, d in self._directions.items()]
        return [[*pair, asdict(d.link)] for pair, d in self._directions.items()]

    def serve(self, listener: socket.socket) -> None:
        """Forward and answer until the process is ended."""
        while True:
            due = self._schedule.next_due()
            wait = IDLE_S if due is None else max(due - time.monotonic(), 0.0)
            devices = {tun.fd: tun for tun in self._tuns.values()}
            readable, _, _ = select.select([listener.fileno(), *devices], [], [], wait)
            for fd in readable:
                if fd in devices:
                    self._take_in(devices[fd])
                else:
                    self._converse(listener)
            for device, packet in self._schedule.due(time.monotonic()):
                tun = devices.get(device)
                if tun:
                    tun.write(packet)

    def _take_in(self, tun: Tun) -> None:
        for _ in range(BATCH):
            packet = tun.read()
            if not packet:
                return
            self._route(tun, packet)

    def _route(self, tun: Tun, packet: bytes) -> None:
        """Only node addresses are routed, as between clouds: pods of another cluster can't be reached."""
        if not ip.is_ipv4(packet) or self._by_address.get(ip.source(packet)) != tun.node.name:
            return
        target = self._by_address.get(ip.destination(packet))
        direction = self._directions.get((tun.node.name, target or ""))
        if target is None or direction is None:
            return
        onward = ip.forwarded(packet)
        if onward is None:
            self._reply(tun, direction, ip.time_exceeded(packet))
        elif len(packet) > direction.link.mtu:
            self._too_large(tun, direction, packet)
        else:
            self._schedule.offer(direction, onward, self._tuns[target].fd, time.monotonic())

    def _too_large(self, tun: Tun, direction: Direction, packet: bytes) -> None:
        """Dropped, DF or not: most networks between clouds do not fragment, and the sender hears of it either way."""
        direction.counters.mtu += 1
        if not direction.link.mtu_blackhole:
            self._reply(tun, direction, ip.fragmentation_needed(packet, direction.link.mtu))

    def _reply(self, tun: Tun, direction: Direction, packet: bytes | None) -> None:
        """The router stands next to the sender: its answer is not delayed, but a cut link has no router."""
        if packet and not direction.link.cut:
            tun.write(packet)

    def _retarget(self, nodes: Sequence[Node], default: Link) -> None:
        """Serve exactly these nodes; what is set for a pair stays, a new pair gets the default."""
        wanted = {node.name: node for node in nodes}
        for name, tun in list(self._tuns.items()):
            if wanted.get(name) != tun.node or not tun.is_alive():
                tun.close()
                del self._tuns[name]
        for name, node in wanted.items():
            if name not in self._tuns:
                self._tuns[name] = Tun(node)
        self._by_address = {socket.inet_aton(node.address): name for name, node in wanted.items()}
        saved = self._saved()
        pairs = [(a, b) for a in wanted for b in wanted if a != b]
        self._directions = {pair: self._directions.get(pair) or Direction(saved.get(pair, default)) for pair in pairs}
        self._save()

    def _change(self, pair: Pair, change: LinkChange) -> None:
        direction = self._directions.get(pair)
        if direction is None:
            raise MeshkitError(f"the WAN has no link from {pair[0]} to {pair[1]}", hint="meshkit lab up both")
        direction.link = change.applied(direction.link)
        self._save()

    def _saved(self) -> dict[Pair, Link]:
        try:
            return {(a, b): Link(**link) for a, b, link in json.loads(self._file.read_text())}
        except FileNotFoundError:
            return {}

    def _save(self) -> None:
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps([[*pair, asdict(d.link)] for pair, d in self._directions.items()]))
        partial.replace(self._file)

    def _converse(self, listener: socket.socket) -> None:
        """One request, one answer; a client that says nothing for a second is let go, so the WAN never hangs."""
        client, _ = listener.accept()
        with client:
            client.settimeout(1.0)
            with contextlib.suppress(OSError):
                line = client.makefile().readline()
                client.sendall(json.dumps(self._answer_or_error(line)).encode() + b"\n")

    def _answer_or_error(self, line: str) -> dict[str, object]:
        try:
            return {"links": self.answer(json.loads(line))}
        except (MeshkitError, OSError, ValueError, TypeError) as error:
            return {"error": str(error)}


def main(folder: Path) -> None:
    """Serve from a folder, unless another process does already: the lock is held for as long as it runs."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        with contextlib.suppress(OSError):
            # A wire is never busy with something else; where the system does not grant it, packets come a little late.
            os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        path = folder / "control.sock"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen(8)
        Forwarder(folder).serve(listener)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
