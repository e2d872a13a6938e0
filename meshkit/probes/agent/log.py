"""One JSON line per event on stderr, rate-limited: a fault that lasts must not fill a node's disk.

Whoever logs passes what happened and where, never a body, a header or an environment: no secret comes this way.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any, TextIO

AGAIN_S = 60.0
"""The same event, with the same words, is told again after this long."""

REMEMBERED = 256


class Log:
    """Events of one process; ``stream`` is stderr unless a test says otherwise."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._told: dict[str, tuple[float, int]] = {}

    def event(self, name: str, **fields: Any) -> None:
        """Tell it, unless the same was told a moment ago; then the next telling says how often it was held back."""
        key, now = json.dumps([name, fields], default=str, sort_keys=True), time.monotonic()
        with self._lock:
            last, held = self._told.pop(key, (-AGAIN_S, 0))
            if now - last < AGAIN_S:
                self._told[key] = last, held + 1
                return
            self._told[key] = now, 0
            if len(self._told) > REMEMBERED:
                del self._told[next(iter(self._told))]
            line = {"at": round(time.time(), 3), "event": name, **fields} | ({"held_back": held} if held else {})
            print(json.dumps(line, default=str), file=self._stream, flush=True)
