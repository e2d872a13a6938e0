"""Results that survive: in memory, in a journal on the pod's disk, and in a ring of ConfigMaps of the cluster.

    window -> segments (memory, compressed) -> journal (at once) -> ConfigMaps (every minute, what changed)

The API server may be away for hours: what it missed is in memory and journal, up to the ring's size, and is stored when
it is back. Which ConfigMap holds which segment is written on each, so a new pod goes on where the last one ended; what
is replaced is always the oldest.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import time
from typing import Any

from meshkit.errors import ConflictError, MeshkitError, NotFoundError, UnreachableError
from meshkit.probes.agent import config
from meshkit.probes.agent.config import MOST_SEGMENT, MOST_SEGMENTS
from meshkit.probes.agent.journal import Journal
from meshkit.probes.agent.kubernetes import Kubernetes, Object
from meshkit.probes.agent.log import Log
from meshkit.probes.agent.segments import EXPANDED, Segments, lines_of
from meshkit.probes.summary import Summary

LABELS = {"app": "mesh-probe", "component": "results"}
SELECTOR = ",".join(f"{key}={value}" for key, value in LABELS.items())
SEGMENT = "meshkit.dev/segment"
"""Annotation: the number of the segment that a ConfigMap holds."""

KEY = "results.gz"
TRIES = 3


class Store:
    """One agent's results. ``keep`` is for the keeper's main thread, ``flush`` for another."""

    def __init__(self, given: config.Kubernetes, api: Kubernetes, data: Path, log: Log) -> None:
        self._given, self._api, self._log = given, api, log
        self._segments = Segments(given.segments, given.segment_bytes)
        self._journal = Journal(data, given.segments, log)
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._held: dict[str, Object] | None = None
        self.flushed_at = 0.0
        self.failed_flushes = 0
        for number, lines in self._journal.read().items():
            self._segments.restore(number, [line for line in lines if _is_summary(line)], dirty=True)

    @property
    def left_out(self) -> int:
        """Summaries too large for any segment, and lines that the journal could not take."""
        return self._segments.left_out + self._journal.failures

    def keep(self, summaries: Sequence[Summary]) -> None:
        """Add a window's summaries to memory and journal."""
        lines = [json.dumps(summary.as_wire(), separators=(",", ":")).encode() for summary in summaries]
        with self._lock:
            placed = self._segments.add(lines)
        for number, part in placed:
            self._journal.append(number, part)

    def since(self, when: float) -> Iterator[dict[str, Any]]:
        """Stored summaries that end after ``when`` (Unix seconds), as JSON objects, oldest segment first."""
        with self._lock:
            segments = list(self._segments.all)
        for segment in segments:
            with self._lock:
                content = segment.content()
            for line in lines_of(content, EXPANDED * self._given.segment_bytes):
                wire = json.loads(line)
                if wire.get("begin", 0.0) + wire.get("width_s", 0.0) > when:
                    yield wire

    def flush(self) -> None:
        """Store what changed since the last time; MeshkitError when the API server does not take it."""
        with self._flushing:
            try:
                for _ in range(TRIES):
                    try:
                        self._flush()
                    except (ConflictError, NotFoundError) as error:
                        self._held = None  # someone else wrote there: look again
                        failure: MeshkitError = error
                    else:
                        self.flushed_at = time()
                        return
                raise failure
            except MeshkitError:
                self.failed_flushes += 1
                raise

    def close(self) -> None:
        """After the last ``keep``."""
        self._journal.close()

    def look(self) -> None:
        """Take in what an earlier pod stored, unless that was done; MeshkitError when the API server is away."""
        with self._flushing:
            if self._held is None:
                self._look()

    def _flush(self) -> None:
        if self._held is None:
            self._look()
        with self._lock:
            dirty = [(segment, segment.lines, segment.content()) for segment in self._segments.all if segment.dirty]
        for segment, lines, content in dirty:
            self._write(segment.number, content)
            with self._lock:
                segment.dirty = segment.lines != lines

    def _look(self) -> None:
        """Learn what the cluster holds, and take in what an earlier pod left there."""
        names = {f"{self._given.results}-{place}" for place in range(MOST_SEGMENTS)}
        found = {name: item for item in self._api.all(SELECTOR) if (name := _name(item)) in names}
        self._held = {}
        for name, item in found.items():
            number, content = _segment_of(item)
            if number and content:
                lines = [line for line in lines_of(content, EXPANDED * MOST_SEGMENT) if _is_summary(line)]
                with self._lock:
                    self._segments.restore(number, lines, dirty=False)
            item.pop("binaryData", None)
            self._held[name] = item

    def _write(self, number: int, content: bytes) -> None:
        """Into the ConfigMap that holds this segment, else a new one, else the one with the oldest."""
        held = self._held if self._held is not None else {}
        numbers = {name: _number(item) for name, item in held.items()}
        name = next((name for name, found in numbers.items() if found == number), "")
        if not name:
            names = [f"{self._given.results}-{place}" for place in range(self._given.segments)]
            name = min(names, key=lambda name: numbers.get(name, -1))
        metadata = {
            "name": name,
            "namespace": self._given.namespace,
            "labels": LABELS,
            "annotations": {SEGMENT: str(number)},
        }
        version = held.get(name, {}).get("metadata", {}).get("resourceVersion")
        item = config_map(metadata | ({"resourceVersion": version} if version else {}), content)
        stored = self._api.put(item)
        held[name] = {"metadata": item["metadata"] | {"resourceVersion": _version(stored)}}


def config_map(metadata: dict[str, Any], content: bytes) -> Object:
    """A ConfigMap that holds a segment."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "binaryData": {KEY: base64.b64encode(content).decode()},
    }


def _name(item: Object) -> str:
    try:
        return str(item["metadata"]["name"])
    except (KeyError, TypeError):
        return ""


def _is_summary(line: bytes) -> bool:
    """Whether a line that was stored outside can be served."""
    try:
        Summary.from_wire(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    return True


def _version(item: Object) -> str:
    try:
        return str(item["metadata"]["resourceVersion"])
    except (KeyError, TypeError) as error:
        raise UnreachableError("the API server's answer has no version") from error


def _number(item: Object) -> int:
    """Of the segment that a ConfigMap holds, 0 when it does not say."""
    try:
        return int(item["metadata"]["annotations"][SEGMENT])
    except (KeyError, TypeError, ValueError):
        return 0


def _segment_of(item: Object) -> tuple[int, bytes]:
    try:
        return _number(item), base64.b64decode(item["binaryData"][KEY], validate=True)
    except (KeyError, TypeError, binascii.Error, ValueError):
        return _number(item), b""
